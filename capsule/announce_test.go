package capsule_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// withModule is the input with a driver that a loader opens by one of two paths, and that is told of in a directory too.
func withModule() *capsule.Input {
	in := withDriver("libva.so.2")
	host, runtime := &in.Architectures[0].Host, &in.Architectures[0].Runtime
	runtime.Libraries["libva.so.2"].Path = "/usr/lib/libva.so.2.1000.0"
	l := host.Libraries[3]
	l.Exports = syms("__vaDriverInit_1_10", "__vaDriverInit_1_3")
	l.Uses = []capsule.Use{{API: "VA", Driver: true, Module: &capsule.Module{Directory: "dri", Names: []string{"a_drv_video.so", "b_drv_video.so"},
		Variable: "VA_PATH", Replaces: []string{"VA_PATH", "VA_OTHER"}}}, {API: "CL", Driver: true}}
	host.Manifests = []capsule.HostManifest{
		{API: "CL", Kind: "icd", Path: "/etc/v/x.icd", Text: []byte("libdriver.so.2\n"), Library: 3, Driver: true, DirectoryVariable: "CL_DIR", Replaces: []string{"CL_FILES"}},
		{API: "CL", Kind: "icd", Text: []byte("libdriver.so.2\n"), Library: 3, Driver: true, DirectoryVariable: "CL_DIR"},
		{API: "CL", Kind: "layer", Path: "/etc/v/layer.icd", Text: []byte("libdriver.so.2\n"), Library: 3, Variables: []string{"LAYERS"}},
	}
	in.Rules.Families = []capsule.Family{
		{Name: "VA", Loaders: []string{"libva.so.2"}, Optional: true, Criteria: []capsule.Criterion{{Loader: "libva.so.2", Why: "because",
			LoaderFile: regexp.MustCompile(`^libva\.so\.2\.(\d+)\d\d\.\d+$`), DriverSymbol: regexp.MustCompile(`^__vaDriverInit_1_(\d+)$`)}}},
		{Name: "CL", BundledLoader: true, Optional: true},
		{Name: "GL"},
	}
	in.Boundary.All = capsule.BoundaryAuto
	return in
}

func boundaryOf(t *testing.T, in *capsule.Input, api string) capsule.BoundaryDecision {
	t.Helper()
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.Architectures[0].Boundaries {
		if b.API == api {
			return b
		}
	}
	t.Fatalf("no decision for %s in %+v", api, p.Architectures[0].Boundaries)
	return capsule.BoundaryDecision{}
}

func TestModuleAndDirectory(t *testing.T) {
	p, err := capsule.Make(withModule())
	if err != nil {
		t.Fatal(err)
	}
	a := p.Architectures[0].Artefacts()
	if len(a.Stubs) == 0 || a.Stubs[0].File != "libdriver.so.2" || !slices.Equal(a.Stubs[0].Links, []string{"dri/a_drv_video.so", "dri/b_drv_video.so"}) {
		t.Fatalf("stubs %+v", a.Stubs)
	}
	var files []string
	for _, g := range a.Generated {
		files = append(files, g.File)
		if string(g.Text) != "/usr/lib/capsule/x86_64-linux-gnu/lib/libdriver.so.2\n" {
			t.Errorf("%s: %q", g.File, g.Text)
		}
	}
	if want := []string{"manifests/icd/x86_64-linux-gnu-01-x.icd", "manifests/icd/x86_64-linux-gnu-02-libdriver.so.2.icd"}; !slices.Equal(files, want) {
		t.Errorf("generated %q", files)
	}
	want := map[string]string{"VA_PATH": "/usr/lib/capsule/x86_64-linux-gnu/lib/dri", "VA_OTHER": "", "CL_DIR": "/usr/lib/capsule/manifests/icd", "CL_FILES": ""}
	for k, v := range want {
		if got, ok := p.Environment[k]; !ok || got != v {
			t.Errorf("%s=%q", k, got)
		}
	}
	if len(p.Environment) != len(want) {
		t.Errorf("environment %q", p.Environment)
	}
	if !slices.ContainsFunc(p.Cache, func(e ldcache.Entry) bool { return e.Name == "libdriver.so.2" }) {
		t.Errorf("cache %v", p.Cache)
	}
}

// A module that nobody opens by name is in no cache, and its stub lies where its loader looks.
func TestModuleAlone(t *testing.T) {
	in := withModule()
	l := in.Architectures[0].Host.Libraries[3]
	l.Uses, in.Architectures[0].Host.Manifests = l.Uses[:1], nil
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Architectures[0].Artefacts().Stubs; len(s) == 0 || s[0].File != "dri/a_drv_video.so" || !slices.Equal(s[0].Links, []string{"dri/b_drv_video.so"}) {
		t.Errorf("stubs %+v", s)
	}
	if slices.ContainsFunc(p.Cache, func(e ldcache.Entry) bool { return e.Name == "libdriver.so.2" }) {
		t.Errorf("cache %v", p.Cache)
	}
}

func TestCriteria(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(in *capsule.Input)
		want   string
		reason string
	}{
		{"new enough", func(*capsule.Input) {}, capsule.BoundaryDriver, "new enough"},
		{"too old", func(in *capsule.Input) { in.Architectures[0].Host.Libraries[3].Exports = syms("__vaDriverInit_1_11") },
			capsule.BoundaryNone, "interface 10, libdriver.so.2 wants 11: because, and the host has no front end"},
		{"no number", func(in *capsule.Input) {
			in.Architectures[0].Runtime.Libraries["libva.so.2"].Path = "/usr/lib/libva.so.2"
		},
			capsule.BoundaryNone, "cannot be told from its name"},
		{"too old, with a front end", func(in *capsule.Input) {
			host := &in.Architectures[0].Host
			host.Libraries[3].Exports = syms("__vaDriverInit_1_11")
			host.Libraries[4].Uses = []capsule.Use{{API: "VA", FrontEnd: true}}
		}, capsule.BoundaryFrontend, "wants 11"},
		{"exports", func(in *capsule.Input) {
			in.Rules.Families[0].Criteria = []capsule.Criterion{{Loader: "libva.so.2", Exports: "vaNew", Why: "because"}}
		}, capsule.BoundaryNone, "the runtime's libva.so.2 is too old (because)"},
		{"exports it", func(in *capsule.Input) {
			in.Rules.Families[0].Criteria = []capsule.Criterion{{Loader: "libva.so.2", Exports: "vaNew", Why: "because"}}
			in.Architectures[0].Runtime.Libraries["libva.so.2"].Exports = syms("vaNew")
		}, capsule.BoundaryDriver, ""},
		{"needs", func(in *capsule.Input) {
			in.Rules.Families[0].Criteria = []capsule.Criterion{{Loader: "libva.so.2", Needs: "libx.so.1", Why: "because"}}
		}, capsule.BoundaryNone, "does not need libx.so.1: because"},
		{"needs it", func(in *capsule.Input) {
			in.Rules.Families[0].Criteria = []capsule.Criterion{{Loader: "libva.so.2", Needs: "libx.so.1", Why: "because"}}
			in.Architectures[0].Runtime.Libraries["libva.so.2"].File = &dynelf.File{Needed: []string{"libx.so.1"}}
		}, capsule.BoundaryDriver, ""},
		{"no driver", func(in *capsule.Input) {
			in.Architectures[0].Host.Libraries[3].Uses = nil
			in.Architectures[0].Host.Libraries[4].Uses = []capsule.Use{{API: "VA", FrontEnd: true}}
			in.Architectures[0].Host.Manifests = nil
		}, capsule.BoundaryNone, "the host has no driver"},
		{"no loader and no driver", func(in *capsule.Input) {
			in.Architectures[0].Host.Libraries[3].Uses = nil
			in.Architectures[0].Host.Libraries[4].Uses = []capsule.Use{{API: "VA", FrontEnd: true}}
			in.Architectures[0].Host.Manifests = nil
			delete(in.Architectures[0].Runtime.Libraries, "libva.so.2")
		}, capsule.BoundaryFrontend, "the runtime has no libva.so.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := withModule()
			c.change(in)
			if d := boundaryOf(t, in, "VA"); d.Boundary != c.want || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestBoundaryByAPI(t *testing.T) {
	in := withDriver("libGL.so.1", "libEGL.so.1")
	in.Boundary = capsule.Boundaries{All: capsule.BoundaryAuto, ByAPI: map[string]string{"EGL": capsule.BoundaryFrontend}}
	if d := boundaryOf(t, in, "GL"); d.Boundary != capsule.BoundaryFrontend || d.Reason != "EGL, with which it shares state: as asked for" {
		t.Errorf("EGL's group is at %+v", d)
	}
	in.Boundary.ByAPI = map[string]string{"EGL": capsule.BoundaryFrontend, "GL": capsule.BoundaryDriver}
	if _, err := capsule.Make(in); !errors.Is(err, capsule.ErrGroup) {
		t.Errorf("%v", err)
	}
	in.Boundary.ByAPI = map[string]string{"Gl": capsule.BoundaryDriver}
	if _, err := capsule.Make(in); !errors.Is(err, capsule.ErrNoAPI) || !strings.Contains(err.Error(), "there are GL, EGL, GBM") {
		t.Errorf("%v", err)
	}
	// What is asked for by name is insisted on, what is asked for all is not where the host need not have it.
	in = withModule()
	in.Architectures[0].Host.Libraries[3].Exports = syms("__vaDriverInit_1_11")
	in.Boundary = capsule.Boundaries{All: capsule.BoundaryDriver}
	in.Rules.Families = in.Rules.Families[:2]
	if d := boundaryOf(t, in, "VA"); d.Boundary != capsule.BoundaryNone {
		t.Errorf("%+v", d)
	}
	in.Boundary.ByAPI = map[string]string{"VA": capsule.BoundaryDriver}
	if _, err := capsule.Make(in); !errors.Is(err, capsule.ErrBoundary) {
		t.Errorf("%v", err)
	}
}

// The runtime's second architecture may lack a loader: that is a warning.
func TestBoundaryOfTheSecondArchitecture(t *testing.T) {
	in := withDriver("libGL.so.1", "libEGL.so.1")
	in.Architectures = append(in.Architectures, withDriver("libGL.so.1").Architectures[0])
	in.Boundary.All = capsule.BoundaryDriver
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if b := p.Architectures[1].Boundaries[0]; b.Boundary != capsule.BoundaryFrontend || len(p.Architectures[1].Warnings) == 0 ||
		!strings.Contains(p.Architectures[1].Warnings[0], "the runtime has no libEGL.so.1") {
		t.Errorf("%+v, %q", b, p.Architectures[1].Warnings)
	}
}

// A library that is a driver of two APIs has a stub if one of them is at the driver boundary.
func TestLibraryOfTwoAPIs(t *testing.T) {
	in := withDriver("libGL.so.1", "libEGL.so.1")
	l := in.Architectures[0].Host.Libraries[3]
	l.Uses = append(l.Uses, capsule.Use{API: "VK", Driver: true})
	in.Rules.Families = append(in.Rules.Families, capsule.Family{Name: "VK", Loaders: []string{"libvulkan.so.1"}})
	in.Architectures[0].Runtime.Libraries["libvulkan.so.1"] = &capsule.RuntimeLibrary{Name: "libvulkan.so.1", File: &dynelf.File{}}
	in.Architectures[0].Host.Manifests[0].API = "VK"
	in.Boundary = capsule.Boundaries{All: capsule.BoundaryFrontend, ByAPI: map[string]string{"VK": capsule.BoundaryDriver}}
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := stubs(p); !slices.Equal(got, []string{"libdriver.so.2", "libGL.so.1"}) || p.Environment["VENDOR_FILES"] == "" {
		t.Errorf("stubs %q, environment %q", got, p.Environment)
	}
}

// Two drivers may have one SONAME: loaders tell them apart by their paths.
func TestTwoDriversOfOneName(t *testing.T) {
	in := withDriver("libGL.so.1", "libEGL.so.1")
	in.Boundary.All = capsule.BoundaryAuto
	host := &in.Architectures[0].Host
	twin := *host.Libraries[3]
	twin.Path = "/opt/libdriver.so.2"
	host.Libraries = append(host.Libraries, &twin)
	second := host.Manifests[0]
	second.Path, second.Library = "/etc/vendor.d/10.json", 5
	host.Manifests = append(host.Manifests, second)
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	a := p.Architectures[0].Artefacts()
	if len(a.Stubs) != 2 || a.Stubs[0].File != "libdriver.so.2" || a.Stubs[1].File != "2/libdriver.so.2" {
		t.Fatalf("stubs %+v", a.Stubs)
	}
	if got := p.Environment["VENDOR_FILES"]; got != "/usr/lib/capsule/x86_64-linux-gnu/manifests/vendor/01/10.json:/usr/lib/capsule/x86_64-linux-gnu/manifests/vendor/02/10.json" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(string(a.Generated[1].Text), "lib/2/libdriver.so.2") {
		t.Errorf("%s", a.Generated[1].Text)
	}
}

// A variable that holds one file, for programs of two architectures: the file leads each to its own driver, by a bare name.
func TestSingleManifestOfTwoArchitectures(t *testing.T) {
	make := func(several bool) *capsule.Plan {
		in := withDriver("libGL.so.1", "libEGL.so.1")
		if several {
			second := withDriver("libGL.so.1", "libEGL.so.1").Architectures[0]
			second.Arch = arch.I386
			in.Architectures = append(in.Architectures, second)
		}
		for _, a := range in.Architectures {
			a.Host.Manifests[0].Single = true
		}
		p, err := capsule.Make(in)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for several, library := range map[bool]string{false: `"/usr/lib/capsule/x86_64-linux-gnu/lib/libdriver.so.2"`, true: `"libdriver.so.2"`} {
		p := make(several)
		if got := p.Environment["VENDOR_FILES"]; got != "/usr/lib/capsule/x86_64-linux-gnu/manifests/vendor/01/10.json" {
			t.Errorf("%q", got)
		}
		if text := string(p.Architectures[0].Artefacts().Generated[0].Text); !strings.Contains(text, library) {
			t.Errorf("no %s in %s", library, text)
		}
	}
}

// A library of the host that links an API's loader has the program's at the driver boundary, for it is given what the program
// made with that. At the frontend boundary the host's loader is the program's.
func TestLoadersAreShared(t *testing.T) {
	for boundary, shared := range map[string]bool{capsule.BoundaryDriver: true, capsule.BoundaryFrontend: false} {
		in := withDriver("libGL.so.1", "libEGL.so.1")
		in.Boundary.ByAPI = map[string]string{"GL": boundary, "EGL": boundary}
		a := in.Architectures[0]
		a.Runtime.Libraries["libGL.so.1"].Exports = syms("glClear")
		gl := slices.IndexFunc(a.Host.Libraries, func(l *capsule.HostLibrary) bool { return l.Name == "libGL.so.1" })
		monado := *a.Host.Libraries[3]
		monado.Name, monado.Path, monado.Aliases, monado.Deps = "libmonado.so", "/usr/lib/libmonado.so", nil, []int{gl}
		monado.Uses, monado.Imports = []capsule.Use{{API: "XR", Driver: true}}, syms("glClear")
		a.Host.Libraries = append(a.Host.Libraries, &monado)
		in.Rules.Families = append(in.Rules.Families, capsule.Family{Name: "XR", BundledLoader: true, Optional: true})
		p, err := capsule.Make(in)
		if err != nil {
			t.Fatal(err)
		}
		sides := map[capsule.Side]bool{}
		for _, l := range p.Architectures[0].Libraries {
			if l.Soname == "libGL.so.1" {
				sides[l.Side] = true
			}
		}
		if sides[capsule.SideRuntime] != shared || sides[capsule.SideHost] == shared {
			t.Errorf("%s: libGL.so.1 is of %v", boundary, sides)
		}
		if w := strings.Join(p.Architectures[0].Warnings, "\n"); strings.Contains(w, "glClear") {
			t.Errorf("%s: %s", boundary, w)
		}
	}
}
