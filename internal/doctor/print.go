package doctor

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/table"
)

// columns is the width that a report has where a terminal is wider, or there is none: it is pasted into bug reports.
const columns = 80

// words are what the table says for a verdict.
var words = map[report.Verdict]string{report.Same: "same", report.Differs: "differs", report.CapsuleFails: "fails",
	report.NativeFails: "works", report.BothFail: "neither"}

// Print shows a report to a person. The last line says how to show it to others.
func Print(out io.Writer, r *report.Report, s table.Style, attach string) error {
	if s.Width == 0 || s.Width > columns {
		s.Width = columns
	}
	w := bufio.NewWriter(out)
	printMachine(w, s, r)
	printScenes(w, s, r)
	if len(r.Findings) > 0 {
		fmt.Fprintf(w, "\n%s\n", s.Bold("Findings"))
	}
	for i := range r.Findings {
		printFinding(w, s, &r.Findings[i])
	}
	fmt.Fprintln(w)
	lines(w, s, "", summary(r))
	lines(w, s, "", attach)
	return w.Flush()
}

func printMachine(w io.Writer, s table.Style, r *report.Report) {
	m, rt := r.Machine, r.Runtime
	pair := func(name string, parts ...string) {
		var have []string
		for _, p := range parts {
			if p != "" {
				have = append(have, p)
			}
		}
		lines(w, s, fmt.Sprintf("%-10s", name), strings.Join(have, ", "))
	}
	pair("machine", m.System, known("glibc ", m.Glibc), known("Linux ", m.Kernel), known("in ", m.Container))
	pair("processor", m.Processor, m.Arch)
	for _, name := range gpus(r) {
		pair("GPU", name)
	}
	pair("session", cmp.Or(strings.Join(m.Sessions, ", "), "none"))
	dir := rt.Dir
	if rt.Host {
		dir = "the host's own tree, for none was named (--runtime)"
	}
	pair("runtime", dir, rt.System, known("glibc ", rt.Glibc))
	pair("isolation", cmp.Or(r.Isolation, "nothing could be started"))
}

// printScenes prints a table for each architecture: a report has the scenes of one behind each other.
func printScenes(w io.Writer, s table.Style, r *report.Report) {
	arch := ""
	var apart missed
	var t *table.Table
	end := func() {
		if t == nil {
			return
		}
		t.Print(w, s)
		for _, v := range versions(r, arch) {
			lines(w, s, "  ", v)
		}
		for _, why := range apart.reasons {
			lines(w, s, "  ", why+": "+strings.Join(apart.scenes[why], ", "))
		}
		apart = missed{}
	}
	for i := range r.Scenes {
		x := &r.Scenes[i]
		if x.Arch != arch {
			end()
			arch = x.Arch
			fmt.Fprintf(w, "\n%s\n", s.Bold(fault.Printable(arch+bridged(r, arch))))
			t = &table.Table{Head: []string{"scene", "capsule", "boundary", "ms", "device"}}
		}
		if session := r.NoSession(x); session != "" {
			apart.add("not tried, for there is no "+session+" session", x.Name)
			continue
		}
		if x.Verdict == report.Absent {
			apart.add("not on the host", x.Name)
			continue
		}
		t.Row(x.Name, words[x.Verdict], cmp.Or(x.Boundary, "-"), times(x), onDevice(x))
	}
	end()
	if len(r.Scenes) > 0 {
		lines(w, s, "", "ms: from the start to the end of the first frame, natively/through the capsule")
	}
}

func printFinding(w io.Writer, s table.Style, f *report.Finding) {
	lead := fmt.Sprintf("  %-8s ", f.Severity)
	for j, part := range table.Break(fault.Printable(f.What), s.Width, len(lead)) {
		if j == 0 {
			fmt.Fprintf(w, "  %s%s%s\n", s.Color(string(f.Severity)), strings.Repeat(" ", len(lead)-2-len(f.Severity)), part)
		} else {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", len(lead)), part)
		}
	}
	if f.Hint != "" {
		lines(w, s, strings.Repeat(" ", len(lead)-3)+"-> ", f.Hint)
	}
}

// missed are the scenes that have no row in a table, by the reason, which are in the order of the scenes.
type missed struct {
	reasons []string
	scenes  map[string][]string
}

func (m *missed) add(reason, scene string) {
	if m.scenes == nil {
		m.scenes = map[string][]string{}
	}
	if m.scenes[reason] == nil {
		m.reasons = append(m.reasons, reason)
	}
	m.scenes[reason] = append(m.scenes[reason], scene)
}

// lines writes a text broken behind a lead.
func lines(w io.Writer, s table.Style, lead, text string) {
	for i, part := range table.Break(fault.Printable(text), s.Width, len(lead)) {
		if i > 0 {
			lead = strings.Repeat(" ", len(lead))
		}
		fmt.Fprintln(w, strings.TrimRight(lead+part, " "))
	}
}

func known(before, value string) string {
	if value == "" {
		return ""
	}
	return before + value
}

func gpus(r *report.Report) []string {
	var out []string
	if r.Stack != nil && r.Stack.Devices != nil {
		for _, g := range r.Stack.Devices.GPUs {
			out = append(out, fmt.Sprintf("%s (%s)", g.Name, cmp.Or(strings.TrimSpace(g.Driver+" "+g.DriverVersion), "no kernel driver")))
		}
	}
	if len(out) == 0 {
		out = []string{"none"}
	}
	return out
}

// bridged says how many functions the runtime is too old for, and what becomes of them.
func bridged(r *report.Report, arch string) string {
	if r.Plan == nil {
		return ""
	}
	for _, a := range r.Plan.Architectures {
		if y := a.Symbols; a.Arch == arch {
			return fmt.Sprintf(": %d functions polyfilled, %d aliases, %d missing", len(y.Polyfills), len(y.Aliases), len(y.Missing))
		}
	}
	return ""
}

// versions are what the native side tells of itself, each with the scenes that it is told by.
func versions(r *report.Report, arch string) []string {
	var order []string
	scenes := map[string][]string{}
	for _, x := range r.Scenes {
		if x.Arch != arch || !x.Native.Drawn() || x.Native.Version == "" {
			continue
		}
		v := x.Native.Version
		if driver := x.Native.Driver; strings.Contains(driver, " ") && x.API == "Vulkan" { // it has the version that counts
			v += ", " + driver
		}
		if scenes[v] == nil {
			order = append(order, v)
		}
		scenes[v] = append(scenes[v], x.Name)
	}
	for i, v := range order {
		order[i] = v + ": " + strings.Join(scenes[v], ", ")
	}
	return order
}

// times of the first frame, in milliseconds.
func times(s *report.Scene) string {
	side := func(d *report.Drawing) string {
		if !d.Drawn() {
			return "-"
		}
		return fmt.Sprintf("%.0f", d.Start)
	}
	a, b := side(s.Native), side(s.Capsule)
	if a == "-" && b == "-" {
		return "-"
	}
	return a + "/" + b
}

// onDevice is the native device, and the other one where that differs.
func onDevice(s *report.Scene) string {
	switch {
	case s.Native.Drawn() && s.Capsule.Drawn() && s.Native.Device != s.Capsule.Device:
		return cmp.Or(s.Native.Device, "-") + "; capsule: " + cmp.Or(s.Capsule.Device, "-")
	case s.Native.Drawn():
		return cmp.Or(s.Native.Device, "-")
	case s.Capsule.Drawn():
		return "only through the capsule: " + cmp.Or(s.Capsule.Device, "-")
	}
	return "not on either side"
}

func summary(r *report.Report) string {
	count := map[report.Verdict]int{}
	for _, s := range r.Scenes {
		count[s.Verdict]++
	}
	works := count[report.Same] + count[report.Differs] + count[report.CapsuleFails]
	switch {
	case works == 0:
		return "Nothing could be drawn natively."
	case r.OK:
		return fmt.Sprintf("All %d scenes that work natively are the same through the capsule.", works)
	}
	return fmt.Sprintf("Of %d scenes that work natively, %d are the same through the capsule.", works, count[report.Same])
}
