package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/inspection"
	"github.com/capsule-run/capsule-run/internal/run"
	"github.com/capsule-run/capsule-run/internal/table"
)

// patient is a doctor with a GPU, and one scene that is the same on both sides.
func patient() *doctor {
	gpu := &hostgpu.GPU{Name: "a GPU", Driver: "amdgpu", Usable: true, Nodes: []*hostgpu.Node{{Path: "/dev/dri/renderD128", State: hostgpu.Usable}}}
	drawn := func() *report.Drawing { return &report.Drawing{Device: "Radeon", Version: "1", Facts: []string{"f"}} }
	return &doctor{Options: &Options{Options: &run.Options{Host: "/"}}, report: &report.Report{
		Isolation: "userns",
		Machine:   report.Machine{Sessions: []string{"x11"}},
		Scenes:    []report.Scene{{Arch: "x86_64", API: "GL", Name: "glx", Platform: "x11", Boundary: "driver", Native: drawn(), Capsule: drawn()}},
		Stack: &inspection.Report{Devices: &hostgpu.Devices{GPUs: []*hostgpu.GPU{gpu}},
			Architectures: []*inspection.Arch{{Arch: "x86_64"}}},
		Plan: &capsule.Plan{Architectures: []*capsule.ArchPlan{{Arch: "x86_64"}}},
	}}
}

func (d *doctor) judged() *doctor {
	for i := range d.report.Scenes {
		judge(&d.report.Scenes[i])
	}
	d.find()
	d.report.OK = healthy(d.report) && d.started()
	return d
}

func TestFindings(t *testing.T) {
	if f := patient().judged().report.Findings; len(f) != 0 {
		t.Errorf("in health: %+v", f)
	}
	for name, c := range map[string]struct {
		ill      func(*doctor)
		severity report.Severity
		what     string
		hint     string
		ok       bool
	}{
		"plan": {func(d *doctor) {
			d.broken = fault.WithHint(errors.New("runtime /r: no libc"), "take another")
			d.hopeless = d.broken
			d.launches = map[string]*report.Drawing{"x86_64": {Error: "runtime /r: no libc"}}
			d.report.Scenes[0].Capsule = d.launches["x86_64"]
		}, report.Problem, "host or runtime cannot be used: runtime /r: no libc", "take another", false},
		"launch": {func(d *doctor) {
			d.launches = map[string]*report.Drawing{"x86_64": {Error: "no way", Output: []string{"x", "capsule-run: hint: that way"}}}
			d.report.Scenes[0].Capsule = d.launches["x86_64"]
		}, report.Problem, "x86_64: no program can be started in the runtime: no way", "that way", false},
		"crash": {func(d *doctor) {
			d.report.Scenes[0].Capsule = &report.Drawing{Error: "ended by SIGSEGV", Step: "exit"}
		}, report.Problem, "x86_64: GL (glx) works natively, and fails through the capsule: ended by SIGSEGV", "CAPSULE_DEBUG=1", false},
		"missing symbol": {func(d *doctor) {
			d.report.Scenes[0].Capsule = &report.Drawing{Error: "the host's driver called XFoo@", Step: "context"}
			d.report.Plan.Architectures[0].Symbols.Missing = []capsule.Bridged{{Library: "libX11.so.6", Symbol: "XFoo", NeededBy: []string{"libGLX_mesa.so.0"}}}
		}, report.Problem, "context: the host's driver called XFoo", "the runtime's libX11.so.6 has no XFoo, which libGLX_mesa.so.0 may call", false},
		"device": {func(d *doctor) {
			d.report.Scenes[0].Capsule.Device, d.report.Scenes[0].Capsule.Software = "llvmpipe", true
		}, report.Problem, "x86_64: GL (glx) is drawn by Radeon natively, by llvmpipe through the capsule", "the host's driver does not come up", false},
		"driver": {func(d *doctor) { d.report.Scenes[0].Capsule.Driver = "x" }, report.Problem, "driver", "CAPSULE_DEBUG", false},
		"facts": {func(d *doctor) { d.report.Scenes[0].Native.Facts = []string{"a", "f"} }, report.Problem,
			"tells other facts through the capsule: without a", "CAPSULE_DEBUG", false},
		"version": {func(d *doctor) { d.report.Scenes[0].Capsule.Version = "0" }, report.Note,
			`is version "1" natively, "0" through the capsule`, "--boundary GL=frontend", true},
		"extensions": {func(d *doctor) { d.report.Scenes[0].Capsule.ExtensionsDigest = "x" }, report.Note, "extensions natively", "", true},
		"own driver": {func(d *doctor) { d.report.Scenes[0].Capsule.Libraries = []string{"/usr/lib/libGLX_mesa.so.0"} }, report.Warning,
			"is drawn by the runtime's own driver", "capsule-run plan", true},
		"native": {func(d *doctor) { d.report.Scenes[0].Native = &report.Drawing{Error: "e"} }, report.Note, "works through the capsule alone", "", true},
		"neither": {func(d *doctor) {
			d.report.Scenes[0].Native, d.report.Scenes[0].Capsule = &report.Drawing{Error: "e"}, &report.Drawing{Error: "e"}
		}, report.Warning, "x86_64: can be drawn on neither side: glx (e)", "inspect", true},
		"no library": {func(d *doctor) {
			d.report.Scenes[0].Native = &report.Drawing{Error: "libX.so.1: cannot open shared object file: No such file or directory", Step: "libX.so.1"}
			d.report.Scenes[0].Capsule = d.report.Scenes[0].Native
		}, report.Warning, "can be drawn on neither side: glx (libX.so.1: cannot open", "package with that library, for x86_64", true},
		"problem beside a launch": {func(d *doctor) {
			d.launches = map[string]*report.Drawing{"x86_64": {Error: "no way"}}
			d.report.Scenes[0].Capsule = d.launches["x86_64"]
			d.report.Stack.Problems = []string{"x86_64: libGLX.so.0 exports data"}
		}, report.Note, "exports data", "few programs", false},
		"problem beside a failure": {func(d *doctor) {
			d.report.Scenes[0].Capsule = &report.Drawing{Error: "ended by SIGSEGV"}
			d.report.Stack.Problems = []string{"x86_64: libGLX.so.0 exports data"}
		}, report.Warning, "exports data", "few programs", false},
		"session": {func(d *doctor) {
			d.report.Scenes[0].Native, d.report.Scenes[0].Capsule = &report.Drawing{Error: "e"}, &report.Drawing{Error: "e"}
			d.report.Machine.Sessions = nil
		}, report.Note, "X11 was not tried: DISPLAY is not set", "session", true},
		"unreached": {func(d *doctor) {
			d.report.Scenes[0].Native = &report.Drawing{Error: "no connection to display :9", Step: "XOpenDisplay"}
			d.report.Scenes[0].Capsule = d.report.Scenes[0].Native
		}, report.Warning, "the session cannot be reached: no connection to display :9 (glx)", "XAUTHORITY", true},
		"flatpak": {func(d *doctor) { d.report.Stack.Devices.GPUs, d.report.Machine.Container = nil, "flatpak" }, report.Note,
			"in this container (flatpak)", "--device=dri", true},
		"another container": {func(d *doctor) { d.report.Stack.Devices.GPUs, d.report.Machine.Container = nil, "lxc" }, report.Note,
			"in this container (lxc)", "below /dev/dri", true},
		"node": {func(d *doctor) {
			n := d.report.Stack.Devices.GPUs[0].Nodes[0]
			n.State, n.Problem, n.Hint = hostgpu.NoAccess, "may not be opened", "join group render"
		}, report.Warning, "/dev/dri/renderD128 may not be opened", "join group render", true},
		"processor": {func(d *doctor) {
			d.report.Scenes[0].Native.Software, d.report.Scenes[0].Capsule.Software = true, true
		}, report.Warning, "is drawn by the processor (Radeon), though there is a GPU (kernel driver amdgpu)", "GL driver", true},
		"no GPU":    {func(d *doctor) { d.report.Stack.Devices.GPUs = nil }, report.Note, "no GPU was found", "kernel driver", true},
		"container": {func(d *doctor) { d.report.Stack.Devices.GPUs, d.report.Machine.Container = nil, "podman" }, report.Note, "in this container (podman)", "--device /dev/dri", true},
		"32 bits":   {func(d *doctor) { d.lacking = []string{"i386"} }, report.Note, "no graphics stack for i386", "32-bit drivers", true},
		"too old": {func(d *doctor) {
			for i := range 5 {
				d.report.Plan.Architectures[0].Symbols.Missing = append(d.report.Plan.Architectures[0].Symbols.Missing, capsule.Bridged{Symbol: fmt.Sprint("f", i), Library: "libc.so.6"})
			}
		}, report.Note, "too old for f0 of libc.so.6, f1 of libc.so.6, f2 of libc.so.6, 2 more", "newer runtime", true},
		"problem": {func(d *doctor) {
			d.report.Stack.Problems = []string{"x86_64: libz.so.9, which libA needs, is not on the host"}
		},
			report.Note, "libz.so.9", "install the package", true},
	} {
		d := patient()
		c.ill(d)
		f := d.judged().report.Findings
		i := slices.IndexFunc(f, func(f report.Finding) bool { return strings.Contains(f.What, c.what) })
		if i < 0 || f[i].Severity != c.severity || !strings.Contains(f[i].Hint, c.hint) || d.report.OK != c.ok {
			t.Errorf("%s: ok %v, %+v", name, d.report.OK, f)
		}
		if problems := len(slices.DeleteFunc(slices.Clone(f), func(f report.Finding) bool { return f.Severity != report.Problem })); problems > 1 {
			t.Errorf("%s: one cause is told %d times: %+v", name, problems, f)
		}
		var text strings.Builder
		if err := Print(&text, d.report, table.Style{}, "attach it"); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(text.String()) {
			if len([]rune(l)) > columns+1 {
				t.Errorf("%s: %d columns: %s", name, len([]rune(l)), l)
			}
		}
	}
}

// TestUntried: scenes that were not tried have no row in the table but a line, one for each reason.
func TestUntried(t *testing.T) {
	d := patient()
	d.report.Machine.Sessions = nil
	failed := &report.Drawing{Error: "no", Step: "XOpenDisplay"}
	for _, s := range []report.Scene{{Name: "egl-x11", Platform: "x11"}, {Name: "egl-wayland", Platform: "wayland"}, {Name: "vulkan-x11", Platform: "x11"},
		{Name: "vulkan", Platform: "memory"}} {
		s.Arch, s.Native, s.Capsule = "x86_64", failed, failed
		d.report.Scenes = append(d.report.Scenes, s)
	}
	var out strings.Builder
	if err := Print(&out, d.judged().report, table.Style{}, "attach it"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n  not tried, for there is no X11 session: egl-x11, vulkan-x11\n", "\n  not tried, for there is no Wayland session: egl-wayland\n",
		"\n  vulkan  neither "} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("not once %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\n  egl") {
		t.Errorf("a row of what was not tried:\n%s", out.String())
	}
}

func TestPackages(t *testing.T) {
	for text, want := range map[string]string{
		"ID=debian\n": "libgl1-mesa-dri:i386", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n": "libgl1-mesa-dri:i386",
		"NAME=x\nID=\"fedora\"": "mesa-dri-drivers.i686", "ID=manjaro\nID_LIKE=arch": "lib32-mesa", "#ID=arch\n": "", "": "", "ID": "",
	} {
		if got := packages(parseOSRelease([]byte(text))); want != "" && !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}
