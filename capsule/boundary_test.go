package capsule_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// withDriver is the input with a driver behind a loader of the runtime's, and the manifest that names it.
func withDriver(loaders ...string) *capsule.Input {
	in := input()
	for _, name := range loaders {
		in.Runtime.Libraries[name] = &capsule.RuntimeLibrary{Name: name, Path: "/usr/lib/" + name, File: &dynelf.File{}}
	}
	in.Host.Libraries[3].Uses = []capsule.Use{{API: "GL", Driver: true}}
	in.Host.Libraries[3].Exports = syms("__glx_Main")
	in.Host.Libraries[4].Uses = []capsule.Use{{API: "GL", FrontEnd: true}}
	in.Host.Manifests = []capsule.HostManifest{{API: "GL", Kind: "vendor", Path: "/usr/share/vendor.d/10.json",
		Text: []byte(`{"ICD": {"library_path": "/usr/lib/libdriver.so.2", "api_version": "1.3"}}`), Key: []string{"ICD", "library_path"},
		Library: 3, Driver: true, Variables: []string{"VENDOR_FILES"}}}
	whole := whole(in)
	whole.Rules.Families = []capsule.Family{{Name: "GL", Group: "g", Loaders: []string{"libGL.so.1"}},
		{Name: "EGL", Group: "g", Loaders: []string{"libEGL.so.1"}}, {Name: "GBM"}}
	return whole
}

func stubs(p *capsule.Plan) (names []string) {
	for _, s := range p.Architectures[0].Artefacts().Stubs {
		names = append(names, s.Soname)
	}
	return names
}

func TestDriverBoundary(t *testing.T) {
	in := withDriver("libGL.so.1", "libEGL.so.1")
	in.Boundary.All = capsule.BoundaryAuto
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := stubs(p); !slices.Equal(got, []string{"libdriver.so.2"}) {
		t.Errorf("stubs %q", got)
	}
	for _, m := range p.Mounts {
		if strings.Contains(m.Target, "libGL.so") {
			t.Errorf("the host's loader is there as well: %+v", m)
		}
	}
	generated := p.Architectures[0].Artefacts().Generated
	if len(generated) != 1 || generated[0].File != "x86_64-linux-gnu/manifests/vendor/01/10.json" ||
		!strings.Contains(string(generated[0].Text), `"/usr/lib/capsule/x86_64-linux-gnu/lib/libdriver.so.2"`) ||
		!strings.Contains(string(generated[0].Text), `"api_version": "1.3"`) {
		t.Errorf("generated %s", generated)
	}
	if got := p.Environment["VENDOR_FILES"]; got != "/usr/lib/capsule/x86_64-linux-gnu/manifests/vendor/01/10.json" {
		t.Errorf("environment %q", p.Environment)
	}
}

// Families of a group share state: one that the runtime has no loader for takes the others along.
func TestGroupHasOneBoundary(t *testing.T) {
	in := withDriver("libGL.so.1")
	in.Boundary.All = capsule.BoundaryAuto
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := stubs(p); !slices.Equal(got, []string{"libGL.so.1"}) || len(p.Environment) != 0 {
		t.Errorf("stubs %q, environment %q", got, p.Environment)
	}
	b := p.Architectures[0].Boundaries
	if len(b) != 1 || b[0].Boundary != capsule.BoundaryFrontend || !strings.Contains(b[0].Reason, "libEGL.so.1") {
		t.Errorf("%+v", b)
	}
	in.Boundary.All = capsule.BoundaryDriver
	if _, err := capsule.Make(in); !errors.Is(err, capsule.ErrBoundary) {
		t.Errorf("error %v", err)
	}
	in.Boundary.All = ""
	if p, err := capsule.Make(in); err != nil || p.Boundary != capsule.BoundaryAuto {
		t.Errorf("by default: %v, %v", p, err)
	}
}

func TestHostileManifest(t *testing.T) {
	for _, text := range []string{"", "[]", `{"ICD": 3}`, `{}`} {
		in := withDriver("libGL.so.1", "libEGL.so.1")
		in.Boundary.All = capsule.BoundaryDriver
		in.Architectures[0].Host.Manifests[0].Text = []byte(text)
		if _, err := capsule.Make(in); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Whatever of a group the host has is told when it cannot be used.
func TestWarningForTheWholeGroup(t *testing.T) {
	in := withDriver()
	for _, l := range in.Architectures[0].Host.Libraries[3:5] { // EGL's driver alone, as on a machine without a display
		l.Uses = []capsule.Use{{API: "EGL", Driver: true}}
	}
	p, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(p.Architectures[0].Warnings, "\n"); !strings.Contains(w, "EGL is not the host's: the runtime has no libGL.so.1") {
		t.Errorf("warnings %q", w)
	}
}

// Of several mistakes always the same one is told.
func TestUnknownAPIs(t *testing.T) {
	for range 20 {
		in := withDriver()
		in.Boundary.ByAPI = map[string]string{}
		for _, api := range []string{"z", "y", "a", "b", "c"} {
			in.Boundary.ByAPI[api] = capsule.BoundaryDriver
		}
		if _, err := capsule.Make(in); !errors.Is(err, capsule.ErrNoAPI) || !strings.HasPrefix(err.Error(), "boundary of a:") {
			t.Fatalf("%v", err)
		}
	}
}
