package inspection

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/table"
)

// Print shows a report to a person: the trees, a table for each GPU, the APIs and their libraries for each architecture,
// and last what will not work.
func (r *Report) Print(out io.Writer, s table.Style) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "host     %s\n", r.Host.Dir)
	if r.Runtime != nil {
		fmt.Fprintf(w, "runtime  %s (%s)\n", r.Runtime.Dir, r.Runtime.Layout)
	}
	fmt.Fprintf(w, "devices  of %s\n", r.Devices.Root)
	for _, g := range r.Devices.GPUs {
		r.printGPU(w, s, g)
	}
	if len(r.Devices.GPUs) == 0 {
		fmt.Fprintf(w, "\n%s\n", s.Bold("No GPU"))
	}
	if n := len(r.Devices.Shared); n > 0 {
		fmt.Fprintf(w, "\n%s\n", s.Bold("For any GPU"))
		t := &table.Table{Head: []string{"node", "state", "for"}}
		addNodes(t, r.Devices.Shared)
		t.Print(w, s)
	}
	r.printSoftware(w, s)
	for _, a := range r.Architectures {
		a.print(w, s)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(w, "\n%s\n", s.Bold("What will not work"))
		for _, p := range r.Problems {
			for i, part := range table.Break(fault.Printable(p), s.Width, 4) {
				fmt.Fprintf(w, "  %s %s\n", []string{"-", " "}[min(i, 1)], part)
			}
		}
	}
	return w.Flush()
}

func (r *Report) printGPU(w io.Writer, s table.Style, g *hostgpu.GPU) {
	name := g.Name
	if g.Vendor != "" {
		name += " [" + g.Vendor + ":" + g.Device + "]"
	}
	fmt.Fprintf(w, "\n%s\n", s.Bold(fmt.Sprintf("GPU %d: %s", g.Index, name)))
	facts := []string{g.Address, "no kernel driver"}
	if g.Driver != "" {
		facts[1] = "kernel driver " + strings.TrimSpace(g.Driver+" "+g.DriverVersion)
	}
	if g.UUID != "" {
		facts = append(facts, g.UUID)
	}
	if g.Primary {
		facts = append(facts, "primary")
	}
	if !g.Usable {
		facts = append(facts, "not usable by this user")
	}
	fmt.Fprintf(w, "  %s\n", strings.Join(facts, ", "))
	t := &table.Table{Head: []string{"node", "state", "for"}}
	addNodes(t, g.Nodes)
	for _, p := range g.Partitions {
		for _, n := range p.Nodes {
			t.Row(n.Path, string(n.State), fmt.Sprintf("GPU instance %d, compute instance %d", p.GPUInstance, p.ComputeInstance))
		}
	}
	t.Print(w, s)
	t = &table.Table{Head: []string{"arch", "API", "version", "driver"}}
	for _, a := range r.Architectures {
		for _, served := range a.GPUs {
			if served.GPU == g.Index {
				addServing(t, a.Arch, served.APIs)
			}
		}
	}
	t.Print(w, s)
}

func addNodes(t *table.Table, nodes []*hostgpu.Node) {
	for _, n := range nodes {
		t.Row(n.Path, string(n.State), n.Why)
	}
}

func addServing(t *table.Table, arch string, apis []Serving) {
	for _, a := range apis {
		driver := strings.Join(a.Drivers, ", ")
		if a.Missing != "" {
			driver = "missing: " + a.Missing
		}
		t.Row(arch, a.API, cmp.Or(a.Version, "-"), driver)
	}
}

func (r *Report) printSoftware(w io.Writer, s table.Style) {
	t := &table.Table{Head: []string{"arch", "API", "version", "driver"}}
	for _, a := range r.Architectures {
		addServing(t, a.Arch, a.Software)
	}
	if !t.Empty() {
		fmt.Fprintf(w, "\n%s\n", s.Bold("On the processor"))
		t.Print(w, s)
	}
}

func (a *Arch) print(w io.Writer, s table.Style) {
	libc := ""
	if a.HostLibc != "" {
		libc = ": glibc " + a.HostLibc + " on the host"
	}
	if a.Libc != "" {
		libc += fmt.Sprintf(", %s in the runtime (%s)", a.Libc, a.Loader)
	}
	fmt.Fprintf(w, "\n%s\n", s.Bold(fault.Printable(a.Arch+libc)))
	t := &table.Table{Head: []string{"API", "boundary", "why"}}
	for _, api := range a.APIs {
		if api.Boundary != "" {
			t.Row(api.API, api.Boundary, api.Reason)
		}
	}
	t.Print(w, s)
	t = &table.Table{Head: []string{"API", "part", "version", "GPUs", "library", "found"}}
	for _, api := range a.APIs {
		name := api.API
		add := func(cells ...string) { t.Row(append([]string{name}, cells...)...); name = "" }
		for _, p := range append(api.FrontEnds, api.Drivers...) {
			add(p.Role, cmp.Or(p.Version, "-"), gpus(p.GPUs), p.label(), found(p))
		}
		var absent []string // those that say no more than that they are not there have one row
		for _, x := range api.Missing {
			if x.Why == notOnHost {
				absent = append(absent, x.What)
			} else {
				add("missing", "-", "-", path.Base(x.What), x.Why)
			}
		}
		if len(absent) > 0 {
			add("missing", "-", "-", "-", notOnHost+": "+strings.Join(absent, ", "))
		}
	}
	t.Print(w, s)
	used, unused := 0, 0
	for _, l := range a.Libraries {
		switch l.Side {
		case "":
		case "unused":
			unused++
		default:
			used++
		}
	}
	counts := fmt.Sprintf("%d libraries with what they need", len(a.Libraries))
	if used+unused > 0 {
		counts += fmt.Sprintf(", %d in the plan, %d unused", used, unused)
	}
	fmt.Fprintf(w, "  %s (capsule-run inspect --json lists them, capsule-run plan decides)\n", counts)
}

// label is what a person knows a library by: of a file with many names, any one would mislead.
func (p *Part) label() string {
	switch {
	case len(p.Serving) > 0:
		return strings.Join(p.Serving, ", ")
	case len(p.Names) > 0:
		return fmt.Sprintf("%d drivers in one file", len(p.Names))
	}
	return path.Base(p.Path)
}

// found tells why a file belongs to the stack and how the loader gets at it.
func found(p *Part) string {
	if p.Side == "runtime" {
		return "the runtime's own, " + path.Dir(p.Path)
	}
	return p.Why + "; " + p.How
}

func gpus(list []int) string {
	var out []string
	for _, g := range list {
		out = append(out, strconv.Itoa(g))
	}
	return cmp.Or(strings.Join(out, " "), "-")
}
