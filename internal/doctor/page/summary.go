package page

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

const maxSummaryLines = 60

// summary is the report in a few lines of Markdown, for a bug report.
func summary(v *view) string {
	r := v.Report
	var lines []string
	add := func(format string, values ...string) {
		any := make([]any, len(values))
		for i, s := range values {
			any[i] = oneLine(s)
		}
		lines = append(lines, fmt.Sprintf(format, any...))
	}
	add("**%s**", v.Sentence)
	lines = append(lines, "")
	add("- capsule-run `%s`, %s", cmp.Or(r.Version, "?"), r.Created)
	add("- host: `%s`, kernel `%s`, glibc `%s`", cmp.Or(r.Machine.System, "?"), cmp.Or(r.Machine.Kernel, "?"), cmp.Or(r.Machine.Glibc, "?"))
	if r.Machine.Container != "" {
		add("- inside `%s`", r.Machine.Container)
	}
	if gpus := v.gpus(); gpus != "" {
		add("- GPUs: `%s`", gpus)
	}
	add("- runtime: `%s` (%s), glibc `%s`; isolation `%s`", cmp.Or(r.Runtime.System, "?"), cmp.Or(r.Runtime.Layout, "?"), cmp.Or(r.Runtime.Glibc, "?"),
		cmp.Or(r.Isolation, "-"))
	for _, f := range v.Findings {
		add("- %s: `%s`", strings.ToLower(f.Words), strings.TrimSpace(f.API+" "+f.What))
	}
	for i := range r.Scenes {
		s := &r.Scenes[i]
		if apart(r, s) != "" {
			continue
		}
		words, _, _ := verdictWords(s)
		add("- `%s` (%s, %s): %s", s.Name, s.Arch, cmp.Or(s.Boundary, "no boundary"), strings.ToLower(words))
		for _, one := range []struct {
			name string
			d    *report.Drawing
		}{{"native", s.Native}, {"capsule", s.Capsule}} {
			switch {
			case one.d == nil:
			case one.d.Error != "":
				add("  - "+one.name+": `%s`", one.d.Failure())
			case one.d.Device != "":
				add("  - "+one.name+": `%s`, `%s`", one.d.Device, cmp.Or(one.d.Version, one.d.Driver, "?"))
			}
		}
	}
	for _, a := range v.Archs {
		for _, b := range a.Plan.Symbols.Missing {
			add("- missing: `%s@%s` of `%s`", b.Symbol, b.Version, b.Library)
		}
	}
	if len(lines) > maxSummaryLines {
		lines = append(lines[:maxSummaryLines], fmt.Sprintf("- and %d lines more", len(lines)-maxSummaryLines))
	}
	return strings.Join(lines, "\n") + "\n"
}

// oneLine makes a value one that Markdown shows as it is, between backquotes.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "`", "'")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	return s
}
