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
		return "Works on neither side", none, 6
	case report.NativeFails:
		return "Works through the capsule alone", fair, 2
	case report.Same:
		if !s.Native.Drawn() || len(s.Native.PNG) == 0 {
			return "Behaves the same", good, 5
		}
		return "Looks the same", good, 5
	case report.Absent:
		return "Not on this host", none, 7
	}
	return string(s.Verdict), fair, 3
}

// sentence is the report in one: of what works natively, how much is the same through the capsule.
func sentence(r *report.Report) (text, tone string) {
	count := map[report.Verdict]int{}
	untried := 0
	for i := range r.Scenes {
		if r.NoSession(&r.Scenes[i]) != "" {
			untried++
			continue
		}
		count[r.Scenes[i].Verdict]++
	}
	same, all := count[report.Same], count[report.Same]+count[report.Differs]+count[report.CapsuleFails]
	tone = good
	switch {
	case len(r.Scenes) == 0 && r.Plan == nil:
		return "No plan could be made, and no scene was drawn.", bad
	case len(r.Scenes) == 0:
		return "No scene was drawn.", fair
	case count[report.Absent] > 0 && count[report.Absent]+untried == len(r.Scenes):
		return "This host has none of the graphics APIs that were tried.", fair
	case all == 0:
		text, tone = "No scene can be drawn natively", fair
	case all == 1 && same == 1:
		text = "The one scene looks the same through the capsule"
	case same == 1:
		text = fmt.Sprintf("1 of %d scenes looks the same through the capsule", all)
	default:
		text = fmt.Sprintf("%d of %d scenes look the same through the capsule", same, all)
	}
	if same < all {
		tone = bad
	} else if !r.OK { // something else is wrong
		tone = fair
	}
	for _, v := range []struct {
		verdict   report.Verdict
		one, many string
	}{
		{report.CapsuleFails, "fails", "fail"},
		{report.Differs, "looks different", "look different"},
		{report.NativeFails, "works through it alone", "work through it alone"},
		{report.BothFail, "works on neither side", "work on neither side"},
	} {
		if n := count[v.verdict]; n > 0 {
			if !strings.Contains(text, ";") {
				text += "; "
			} else {
				text += ", "
			}
			one, many := v.one, v.many
			if all > 0 && v.verdict != report.CapsuleFails && v.verdict != report.Differs { // those are none of all
				one, many = "more "+one, "more "+many
			}
			text += plural(n, one, many)
		}
	}
	return text + ".", tone
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
