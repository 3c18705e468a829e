package main

import (
	"fmt"
	"math"
	"slices"
)

// A comparison says how the capsule's value of a round is compared with the reference's.
type comparison string

const (
	difference comparison = "difference" // capsule - reference
	ratio      comparison = "ratio"      // capsule / reference
	absent     comparison = "none"       // there is no reference
)

// A target is what the issue asks of the comparison.
type target struct {
	text string
	kind targetKind
	at   float64
}

type targetKind int

const (
	noTarget targetKind = iota
	atMost
	atLeast
	// nothing: no cost that could be measured. A cost of exactly 0 is seldom measured, so it is met when the interval
	// reaches 0.
	nothing
)

// A figure is one line of the result. Reference and Capsule have one sample a round, in the order of the rounds.
type figure struct {
	Section    string     `json:"section"`
	Name       string     `json:"name"`
	Unit       string     `json:"unit"`
	Against    string     `json:"against,omitempty"` // what the reference is
	Compare    comparison `json:"compare"`
	Reference  []float64  `json:"reference,omitempty"`
	Capsule    []float64  `json:"capsule"`
	Notes      []string   `json:"notes,omitempty"` // lines printed below the table
	target     target
	TargetText string  `json:"target,omitempty"`
	Verdict    string  `json:"verdict,omitempty"`
	Median     float64 `json:"median"` // of the comparison
}

// compared returns the comparison of each round.
func (f *figure) compared() []float64 {
	var out []float64
	for i := range min(len(f.Reference), len(f.Capsule)) {
		if f.Compare == ratio {
			out = append(out, f.Capsule[i]/f.Reference[i])
		} else {
			out = append(out, f.Capsule[i]-f.Reference[i])
		}
	}
	return out
}

// verdict is "met" or "missed", or "unclear" when the median misses the target but the interval around it reaches it.
func (t target) verdict(median, low, high float64) string {
	met, possible := true, true
	switch t.kind {
	case noTarget:
		return ""
	case atMost:
		met, possible = median <= t.at, low <= t.at
	case atLeast:
		met, possible = median >= t.at, high >= t.at
	case nothing:
		met, possible = low <= 0, false
	}
	switch {
	case met:
		return "met"
	case possible:
		return "unclear"
	}
	return "missed"
}

// median of the values, which need not be sorted; NaN of none.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// interval returns the order statistics between which the true median lies with a probability of 95 %, whatever the
// distribution (the binomial one approximated: ranks n/2 ± 0.98 √n). For fewer than 6 values it is their whole range.
func interval(values []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	n := float64(len(s))
	i := int(math.Floor(n/2 - 0.98*math.Sqrt(n)))
	i = max(0, min(i, (len(s)-1)/2))
	return s[i], s[len(s)-1-i]
}

func moreAtMost(v float64, unit string) target {
	return target{fmt.Sprintf("<= +%g %s", v, unit), atMost, v}
}

func timesAtMost(v float64) target  { return target{fmt.Sprintf("<= %g", v), atMost, v} }
func timesAtLeast(v float64) target { return target{fmt.Sprintf(">= %g", v), atLeast, v} }

var noCost = target{"none", nothing, 0}
