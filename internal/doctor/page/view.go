package page

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/inspection"
)

// view is what the templates show.
type view struct {
	frame
	Report    *report.Report
	Cut       bool // the report has more than the page
	Sentence  string
	Tone      string
	Counts    string // of findings, in words
	Facts     []string
	Findings  []finding
	Worse     []*scene // in which the sides differ, or one fails
	Alike     []*scene
	Without   []missed
	Pictures  []*picture // each once
	Machine   []pair
	Devices   *hostgpu.Devices
	Drivers   []driver
	Runtime   []pair
	Plan      *capsule.Plan
	Archs     []*archView
	Problems  []string // of the stack, that are no finding
	Variables []pair
	Summary   string
	JSON      template.HTML
}

type pair struct{ Name, Value string }

type finding struct {
	report.Finding
	Words, Tone string
}

// driver is what the host has for a GPU, or for the processor, in an API.
type driver struct{ For, API, Drivers, Version, Missing string }

func newView(original *report.Report) *view {
	r, cut := bounded(original)
	v := &view{frame: newFrame(), Report: r, Cut: cut, Plan: r.Plan}
	v.Sentence, v.Tone = sentence(r)
	var album album
	v.Worse, v.Alike, v.Without = newScenes(r, &album)
	v.Pictures = album.pictures
	count := map[string]int{}
	for _, f := range r.Findings {
		words, tone := findingWords(f.Severity)
		v.Findings = append(v.Findings, finding{f, words, tone})
		count[words]++
	}
	var counts []string
	for _, c := range []struct{ word, many string }{{"Problem", "problems"}, {"Warning", "warnings"}, {"Note", "notes"}} {
		if n := count[c.word]; n > 0 {
			counts = append(counts, plural(n, strings.ToLower(c.word), c.many))
		}
	}
	v.Counts = strings.Join(counts, ", ")
	v.machine()
	v.Runtime = pairs("Directory", r.Runtime.Dir, "System", r.Runtime.System, "Layout", r.Runtime.Layout, "glibc", r.Runtime.Glibc,
		"Isolation", r.Isolation)
	if r.Stack != nil {
		for _, p := range r.Stack.Problems {
			if !said(r, p) {
				v.Problems = append(v.Problems, p)
			}
		}
	}
	if v.Plan != nil {
		for _, name := range slices.Sorted(maps.Keys(v.Plan.Environment)) {
			v.Variables = append(v.Variables, pair{name, v.Plan.Environment[name]})
		}
		for i, a := range v.Plan.Architectures {
			if a != nil {
				arch := newArch(fmt.Sprint("a", i), a, stackOf(r.Stack, a.Arch))
				for _, w := range a.Warnings {
					if !said(r, w) {
						arch.Warnings = append(arch.Warnings, w)
					}
				}
				v.Archs = append(v.Archs, arch)
			}
		}
	}
	v.Summary = summary(v)
	v.JSON = raw(r)
	return v
}

// said tells whether a finding has a text in it, so that nobody reads it twice.
func said(r *report.Report, text string) bool {
	return slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return strings.Contains(f.What, text) })
}

// machine says what the host is, and what it has for its GPUs.
func (v *view) machine() {
	r := v.Report
	m := r.Machine
	v.Machine = pairs("System", m.System, "Kernel", m.Kernel, "Processor", m.Processor, "Architecture", m.Arch, "glibc", m.Glibc,
		"Container", m.Container, "Session", strings.Join(m.Sessions, ", "))
	if r.Plan != nil {
		v.Devices = r.Plan.Devices
	}
	if v.Devices == nil && r.Stack != nil {
		v.Devices = r.Stack.Devices
	}
	if d := v.Devices; d != nil { // a copy of the page's own
		d.GPUs = slices.DeleteFunc(d.GPUs, func(g *hostgpu.GPU) bool { return g == nil })
		for _, g := range d.GPUs {
			g.Nodes = slices.DeleteFunc(g.Nodes, isNil)
		}
		d.Shared = slices.DeleteFunc(d.Shared, isNil)
	}
	if r.Stack != nil {
		for _, a := range r.Stack.Architectures {
			if a == nil {
				continue
			}
			add := func(what string, list []inspection.Serving) {
				for _, s := range list {
					v.Drivers = append(v.Drivers, driver{what + ", " + a.Arch, s.API, strings.Join(s.Drivers, ", "), s.Version, s.Missing})
				}
			}
			for _, g := range a.GPUs {
				if g != nil {
					add(fmt.Sprintf("GPU %d", g.GPU), g.APIs)
				}
			}
			add("the processor", a.Software)
		}
	}
	for _, f := range []string{m.System, v.gpus(), m.Processor} {
		if f != "" {
			v.Facts = append(v.Facts, f)
		}
	}
}

func isNil(n *hostgpu.Node) bool { return n == nil }

// gpus names them in a line.
func (v *view) gpus() string {
	if v.Devices == nil {
		return ""
	}
	var names []string
	for _, g := range v.Devices.GPUs {
		names = append(names, cmp.Or(g.Name, g.Driver, g.Address))
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return cmp.Or(strings.Join(names, ", "), "no GPU")
}

// pairs of names and values, without those that have none.
func pairs(list ...string) []pair {
	var out []pair
	for i := 0; i+1 < len(list); i += 2 {
		if list[i+1] != "" {
			out = append(out, pair{list[i], list[i+1]})
		}
	}
	return out
}

// maxJSON is how much of it a page has, in bytes.
const maxJSON = 4 << 20

// raw is the report as JSON, without the pictures, which the page has; empty where it is too large. It goes into the page
// as it is, as its many quotation marks would make a third of a page when escaped: encoding/json writes none of <, > and &.
func raw(r *report.Report) template.HTML {
	bare := *r
	bare.Scenes = slices.Clone(r.Scenes)
	for i := range bare.Scenes {
		for _, d := range []**report.Drawing{&bare.Scenes[i].Native, &bare.Scenes[i].Capsule} {
			if *d != nil {
				without := **d
				without.PNG = nil
				*d = &without
			}
		}
	}
	text, err := json.MarshalIndent(&bare, "", " ")
	if err != nil || len(text) > maxJSON || bytes.ContainsAny(text, "<>&") { // what has no JSON: a time that is no number
		return ""
	}
	return template.HTML(text)
}
