package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// find fills in the findings: each what is wrong, and what to do.
func (d *doctor) find() {
	d.findLaunch()
	d.findScenes()
	d.findDevices()
	d.findPlan()
	d.findSession()
	order := []report.Severity{report.Problem, report.Warning, report.Note}
	slices.SortStableFunc(d.report.Findings, func(a, b report.Finding) int {
		return cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity))
	})
}

func (d *doctor) found(severity report.Severity, api, what, hint string) {
	f := report.Finding{Severity: severity, API: api, What: shorten(what), Hint: shorten(hint)}
	if !slices.Contains(d.report.Findings, f) {
		d.report.Findings = append(d.report.Findings, f)
	}
}

const debugHint = "CAPSULE_DEBUG=1 before a launch explains every load (docs/limits.md, When a driver does not load); " +
	"attach this report to a bug report"

// findLaunch tells why nothing could be started or planned: one cause, once.
func (d *doctor) findLaunch() {
	if d.broken != nil {
		d.found(report.Problem, "", "host or runtime cannot be used: "+d.broken.Error(),
			cmp.Or(fault.Hint(d.broken), "name a whole file tree with its own glibc by --runtime (docs/getting-started.md)"))
	}
	for _, a := range d.architectures() {
		e := d.launches[a]
		if e == nil || d.hopeless != nil {
			continue
		}
		hint := debugHint
		for _, l := range e.Output {
			if h, ok := strings.CutPrefix(l, "capsule-run: hint: "); ok {
				hint = h
			}
		}
		d.found(report.Problem, "", a+": no program can be started in the runtime: "+e.Error, hint)
	}
	d.report.Findings = append(d.report.Findings, d.notes...)
}

// title names a scene: "x86_64: Vulkan (vulkan)".
func title(s *report.Scene) string { return fmt.Sprintf("%s: %s (%s)", s.Arch, s.API, s.Name) }

// noFile is how ld.so says that it finds no library (elf/dl-load.c of glibc).
const noFile = "cannot open shared object file"

// findScenes tells what the verdicts mean.
func (d *doctor) findScenes() {
	neither := map[string][]string{}          // by architecture: they have one cause often, that there is no GPU
	unreached := map[string][]*report.Scene{} // by step: the session is there by name alone
	for i := range d.report.Scenes {
		s := &d.report.Scenes[i]
		switch s.Verdict {
		case report.CapsuleFails:
			if d.launches[s.Arch] == nil { // else that is the cause
				d.found(report.Problem, s.API, fmt.Sprintf("%s works natively, and fails through the capsule: %s", title(s), s.Capsule.Failure()),
					d.failureHint(s))
			}
		case report.Differs:
			d.findDifference(s)
		case report.NativeFails:
			d.found(report.Note, s.API, fmt.Sprintf("%s works through the capsule alone; natively: %s", title(s), s.Native.Failure()), "")
		case report.BothFail:
			switch {
			case d.report.NoSession(s) != "": // told by findSession
			case s.Native != nil && connecting[s.Native.Step] != "":
				unreached[s.Native.Step] = append(unreached[s.Native.Step], s)
			default:
				neither[s.Arch] = append(neither[s.Arch], s.Name+" ("+s.Native.Failure()+")")
			}
		case report.Same:
			d.findDetails(s)
		}
	}
	for _, a := range slices.Sorted(maps.Keys(neither)) {
		hint := "the host's drivers are the place to look: capsule-run inspect shows them and what they lack"
		if !slices.ContainsFunc(neither[a], func(s string) bool { return !strings.Contains(s, noFile) }) {
			hint = "install the host's package with that library, for " + a
		}
		d.found(d.bothFail(), "", a+": can be drawn on neither side: "+strings.Join(neither[a], ", "), hint)
	}
	d.findUnreached(unreached)
}

// bothFail weighs an API that nothing can be drawn with: without a GPU that is to be expected of some.
func (d *doctor) bothFail() report.Severity {
	if d.report.Stack != nil && d.report.Stack.Devices != nil && len(d.report.Stack.Devices.GPUs) == 0 {
		return report.Note
	}
	return report.Warning
}

// failureHint looks for the cause of a failure in what the plan says, and in the words of ld.so.
func (d *doctor) failureHint(s *report.Scene) string {
	text := s.Capsule.Error + " " + strings.Join(s.Capsule.Output, " ")
	p := d.archPlan(s.Arch)
	if p != nil {
		for _, m := range p.Symbols.Missing {
			if strings.Contains(text, m.Symbol) {
				return fmt.Sprintf("the runtime's %s has no %s, which %s may call, and capsule-run cannot supply it: use a newer runtime",
					m.Library, m.Symbol, strings.Join(m.NeededBy[:min(2, len(m.NeededBy))], " and "))
			}
		}
	}
	switch {
	case strings.Contains(text, "undefined symbol") || strings.Contains(text, "symbol lookup error"):
		return "a library is older than what asks for the symbol: capsule-run plan says which side each is from; a newer runtime may have it"
	case strings.Contains(text, noFile):
		return "a library is missing: capsule-run inspect says which of the host's, capsule-run plan what the runtime gives"
	case p != nil && s.Boundary == "":
		return "the plan has nothing of this API: capsule-run plan lists what is brought in"
	}
	return debugHint
}

// findDifference says in what the sides differ.
func (d *doctor) findDifference(s *report.Scene) {
	a, b := s.Native, s.Capsule
	hint := debugHint
	switch {
	case a.Device != b.Device || a.Vendor != b.Vendor || a.Software != b.Software:
		if b.Software && !a.Software {
			hint = "the host's driver does not come up in the runtime, and another one stands in: " + debugHint
		}
		d.found(report.Problem, s.API, fmt.Sprintf("%s is drawn by %s natively, by %s through the capsule", title(s), device(a), device(b)), hint)
	case a.Driver != b.Driver:
		d.found(report.Problem, s.API, fmt.Sprintf("%s has the driver %q natively, %q through the capsule", title(s), a.Driver, b.Driver), hint)
	case s.Pixels > 0:
		d.found(report.Problem, s.API, fmt.Sprintf("%s draws another picture through the capsule: %d pixels differ, by up to %d of 255",
			title(s), s.Pixels, s.Channel), hint)
	case len(a.PNG) != 0 || len(b.PNG) != 0:
		d.found(report.Problem, s.API, title(s)+" draws a picture of another size, or none, on one side", hint)
	default:
		d.found(report.Problem, s.API, fmt.Sprintf("%s tells other facts through the capsule: %s", title(s), onlyIn(a.Facts, b.Facts)), hint)
	}
}

func device(e *report.Drawing) string {
	name := cmp.Or(e.Device, "a device without a name")
	if e.Software && !strings.Contains(name, "llvmpipe") {
		name += " (the processor)"
	}
	return name
}

// onlyIn names a few of what one list has and the other has not.
func onlyIn(a, b []string) string {
	var lost, more []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			lost = append(lost, x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			more = append(more, x)
		}
	}
	few := func(verb string, l []string) string {
		switch n := len(l); {
		case n == 0:
			return ""
		case n > 3:
			return fmt.Sprintf("%s %s and %d more", verb, strings.Join(l[:3], ", "), n-3)
		}
		return verb + " " + strings.Join(l, ", ")
	}
	both := strings.TrimSuffix(few("without", lost)+"; "+few("with", more), "; ")
	return cmp.Or(strings.TrimPrefix(both, "; "), "in another order")
}

// findDetails tells what differs though the picture is the same.
func (d *doctor) findDetails(s *report.Scene) {
	a, b := s.Native, s.Capsule
	hint := ""
	if s.Boundary == "driver" {
		hint = "the loaders are the runtime's own; --boundary " + s.API + "=frontend brings the host's"
	}
	if s.Boundary != "" && s.Boundary != capsule.BoundaryNone && len(b.Libraries) > 0 && !inCapsule(b.Libraries) {
		d.found(report.Warning, s.API, title(s)+" is drawn by the runtime's own driver, not by the host's",
			"the program that draws found a driver of the runtime; capsule-run plan tells which library stands for which")
	}
	if a.Version != b.Version {
		d.found(report.Note, s.API, fmt.Sprintf("%s is version %q natively, %q through the capsule", title(s), a.Version, b.Version), hint)
	}
	if a.ExtensionsDigest != b.ExtensionsDigest {
		d.found(report.Note, s.API, fmt.Sprintf("%s has %d extensions natively, %d through the capsule", title(s), a.Extensions, b.Extensions), hint)
	}
	if !slices.Equal(a.Devices, b.Devices) {
		d.found(report.Warning, s.API, fmt.Sprintf("%s offers other devices through the capsule: %s", title(s), onlyIn(a.Devices, b.Devices)), debugHint)
	}
	if !slices.Equal(a.Facts, b.Facts) {
		d.found(report.Note, s.API, fmt.Sprintf("%s tells other facts through the capsule: %s", title(s), onlyIn(a.Facts, b.Facts)), hint)
	}
}

// inCapsule says whether a process has a capsule: stubs alone bring it.
func inCapsule(libraries []string) bool {
	return slices.ContainsFunc(libraries, func(l string) bool { return path.Base(l) == cshim.Libcapsule })
}

// findDevices tells what keeps programs from the GPU.
func (d *doctor) findDevices() {
	if d.report.Stack == nil || d.report.Stack.Devices == nil {
		return
	}
	devices := d.report.Stack.Devices
	node := func(n *hostgpu.Node, severity report.Severity) {
		if n.State != hostgpu.Usable {
			d.found(severity, "", n.Path+" "+n.Problem, cmp.Or(n.Hint, "capsule-run inspect shows the device's nodes"))
		}
	}
	usable := false
	for _, g := range devices.GPUs {
		usable = usable || g.Usable
		for _, n := range g.Nodes {
			node(n, report.Warning)
		}
		for _, note := range g.Notes {
			d.found(report.Warning, "", fmt.Sprintf("GPU %d, %s: %s", g.Index, g.Name, note), "")
		}
	}
	for _, n := range devices.Shared {
		node(n, report.Note)
	}
	switch c := d.report.Machine.Container; {
	case len(devices.GPUs) == 0 && c != "":
		d.found(report.Note, "", "no GPU is to be seen in this container ("+c+"): everything is drawn by the processor",
			cmp.Or(giveDevices[c], "start the container with the GPU's devices, those below /dev/dri for example"))
	case len(devices.GPUs) == 0:
		d.found(report.Note, "", "no GPU was found: everything is drawn by the processor",
			"in a virtual machine that is so; else see with lspci and dmesg whether its kernel driver is loaded")
	case usable:
		d.findSoftware(devices)
	}
}

// findSoftware tells of APIs that the processor draws though there is a GPU.
func (d *doctor) findSoftware(devices *hostgpu.Devices) {
	for i := range d.report.Scenes {
		if s := &d.report.Scenes[i]; s.Native.Drawn() && s.Native.Software && s.API != "OpenCL" {
			names := make([]string, 0, len(devices.GPUs))
			for _, g := range devices.GPUs {
				names = append(names, g.Name+" (kernel driver "+cmp.Or(g.Driver, "none")+")")
			}
			d.found(report.Warning, s.API, fmt.Sprintf("%s is drawn by the processor (%s), though there is %s", title(s), s.Native.Device, strings.Join(names, ", ")),
				"install the host's "+s.API+" driver for it: capsule-run inspect lists what each GPU has")
		}
	}
}
