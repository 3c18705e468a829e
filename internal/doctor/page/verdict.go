package page

import (
	"fmt"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// Tones are how a verdict is coloured; words say the same.
const (
	good = "good"
	fair = "fair"
	bad  = "bad"
	none = "none"
)

// verdictWords are a verdict in words, its tone, and its rank: what a person with a problem looks for comes first.
func verdictWords(s *report.Scene) (words, tone string, rank int) {
	switch s.Verdict {
	case report.CapsuleFails:
		return "Fails through the capsule", bad, 0
	case report.Differs:
		return "Looks different", bad, 1
	case report.BothFail:
		return "Fails on both sides", fair, 2
	case report.NativeFails:
		return "Works through the capsule alone", fair, 3
	case report.Same:
		if !s.Native.Drawn() || len(s.Native.PNG) == 0 {
			return "Behaves the same", good, 5
		}
		return "Looks the same", good, 5
	case report.Absent:
		return "Not on this host", none, 6
	}
	return string(s.Verdict), none, 4
}

// sentence is the report in one.
func sentence(r *report.Report) (text, tone string) {
	count, all := map[report.Verdict]int{}, 0
	for _, s := range r.Scenes {
		count[s.Verdict]++
		if s.Verdict != report.Absent {
			all++
		}
	}
	switch same := count[report.Same]; {
	case len(r.Scenes) == 0 && r.Plan == nil:
		return "No plan could be made, and no scene was drawn.", bad
	case len(r.Scenes) == 0:
		return "No scene was drawn.", fair
	case all == 0:
		return "This host has none of the graphics APIs that were tried.", fair
	case same == all && all == 1:
		return "The one scene looks the same through the capsule.", good
	case same == all:
		return fmt.Sprintf("%d of %d scenes look the same through the capsule.", same, all), good
	default:
		verb := "look"
		if same == 1 {
			verb = "looks"
		}
		text = fmt.Sprintf("%d of %d scenes %s the same through the capsule", same, all, verb)
	}
	var rest []string
	tone = fair
	for _, v := range []struct {
		verdict   report.Verdict
		one, many string
	}{
		{report.CapsuleFails, "fails", "fail"},
		{report.Differs, "looks different", "look different"},
		{report.BothFail, "fails on both sides", "fail on both sides"},
		{report.NativeFails, "works through it alone", "work through it alone"},
	} {
		if n := count[v.verdict]; n > 0 {
			rest = append(rest, plural(n, v.one, v.many))
			if v.verdict == report.CapsuleFails || v.verdict == report.Differs {
				tone = bad
			}
		}
	}
	if len(rest) == 0 {
		return text + ".", tone
	}
	return text + "; " + strings.Join(rest, ", ") + ".", tone
}

// findingWords are a finding's severity in words, and its tone.
func findingWords(s report.Severity) (string, string) {
	switch s {
	case report.Problem:
		return "Problem", bad
	case report.Warning:
		return "Warning", fair
	}
	return "Note", none
}
