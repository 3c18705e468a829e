package capsule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/manifest"
)

func layerManifest(name, file, opens string, library int) capsule.LayerManifest {
	l := capsule.LayerManifest{API: "GL", Kind: "layer", Name: name, Path: file, Opens: opens, Library: library,
		Key: []string{"layer", "library_path"}, Directory: "api/layer.d"}
	l.Text = []byte(`{"layer": {"name": "` + name + `", "library_path": "` + opens + `"}}`)
	return l
}

// withLayers: BOTH is on both sides, HOST, MULTI and META on the host, RUNTIME and PATH in the runtime.
func withLayers(boundary string) *capsule.Input {
	in := withDriver("libGL.so.1", "libEGL.so.1")
	in.Boundary.All = boundary
	in.Rules.Families[0].Layers = true
	a := in.Architectures[0]
	add := func(soname string) int {
		l := *a.Host.Libraries[3]
		l.Name, l.Path, l.Aliases = soname, "/usr/lib/"+soname, nil
		l.Deps = []int{0}
		l.Uses = []capsule.Use{{API: "GL", Layer: true}}
		a.Host.Libraries = append(a.Host.Libraries, &l)
		return len(a.Host.Libraries) - 1
	}
	both, host, multi := add("libboth.so"), add("libhost.so"), add("libmulti.so")
	const dir = "/usr/share/api/layer.d/"
	a.Host.Layers = []capsule.LayerManifest{layerManifest("BOTH", dir+"both.json", "libboth.so", both),
		layerManifest("HOST", dir+"host.json", "libhost.so", host),
		layerManifest("MULTI", dir+"multi.json", "/usr/lib/libmulti.so", multi), layerManifest("META", dir+"meta.json", "", -1)}
	a.Runtime.Layers = []capsule.LayerManifest{layerManifest("BOTH", dir+"both.json", "libboth.so", -1),
		layerManifest("RUNTIME", dir+"host.json", "libhost.so", -1),
		layerManifest("PATH", "/etc/api/layer.d/path.json", "/opt/x/../libpath.so", -1)}
	return in
}

func sidesOf(p *capsule.ArchPlan) string {
	var out []string
	for _, l := range p.Layers {
		if l.Reason == "" {
			out = append(out, "without a reason: ")
		}
		out = append(out, l.Name+" "+string(l.Side))
	}
	return strings.Join(out, ", ")
}

func generated(p *capsule.ArchPlan, file string) string {
	for _, g := range p.Artefacts().Generated {
		if g.File == "x86_64-linux-gnu/manifests/"+file {
			return string(g.Text)
		}
	}
	return "not generated"
}

// The host's loader sees its own layers as they are, and the runtime's by paths that lead to the base namespace.
func TestLayersForTheHostsLoader(t *testing.T) {
	whole, err := capsule.Make(withLayers(capsule.BoundaryFrontend))
	if err != nil {
		t.Fatal(err)
	}
	p := whole.Architectures[0]
	if got := sidesOf(p); got != "BOTH host, HOST host, MULTI host, META host, RUNTIME runtime, PATH runtime" {
		t.Errorf("layers: %s", got)
	}
	const dir, base = "usr/share/api/layer.d/", "/run/capsule/x86_64-linux-gnu/base/"
	for file, want := range map[string]string{
		dir + "both.json":                   `"library_path": "libboth.so"`,
		dir + "meta.json":                   `"META"`,
		dir + "runtime-host.json":           `"library_path": "` + base + `libhost.so"`,
		dir + "runtime-both.json":           "not generated",
		"etc/api/layer.d/runtime-path.json": `"library_path": "` + base + `opt/libpath.so"`,
	} {
		if got := generated(p, file); !strings.Contains(got, want) {
			t.Errorf("%s: %s, not %s", file, got, want)
		}
	}
	m := &p.Artefacts().Manifest
	opened := map[string]string{}
	for _, a := range m.Aliases {
		if o := m.Objects[a.Object]; strings.HasPrefix(a.Path, base) && o.Kind == manifest.Base {
			opened[a.Path] = o.Path
		}
	}
	if len(opened) != 2 || opened[base+"libhost.so"] != "libhost.so" || opened[base+"opt/libpath.so"] != "/opt/x/../libpath.so" {
		t.Errorf("in the base namespace: %q", opened)
	}
	for _, from := range []string{"/usr/share/api/layer.d", "/etc/api/layer.d"} {
		if !slices.ContainsFunc(m.Maps, func(m manifest.PathMap) bool {
			return m.From == from && m.To == "/run/capsule/x86_64-linux-gnu/manifests"+from
		}) {
			t.Errorf("%s is not led to the joined directory: %v", from, m.Maps)
		}
	}
	for _, o := range m.Objects {
		if loader := o.Soname == "libGL.so.1" && o.Kind == manifest.Host; loader != (o.Flags == manifest.OpensOthers) {
			t.Errorf("%s has the flags %d", o.Soname, o.Flags)
		}
	}
	if slices.Contains(stubs(whole), "libhost.so") {
		t.Error("a layer has a stub at the frontend boundary")
	}
}

// The runtime's loader finds its own layers, and the host's below /etc, by stubs.
func TestLayersForTheRuntimesLoader(t *testing.T) {
	whole, err := capsule.Make(withLayers(capsule.BoundaryDriver))
	if err != nil {
		t.Fatal(err)
	}
	p := whole.Architectures[0]
	if got := sidesOf(p); got != "BOTH runtime, RUNTIME runtime, PATH runtime, HOST host, MULTI host, META host" {
		t.Errorf("layers: %s", got)
	}
	if got := stubs(whole); !slices.Equal(got, []string{"libdriver.so.2", "libhost.so", "libmulti.so"}) {
		t.Errorf("stubs: %q", got) // libboth.so would stand before the runtime's own
	}
	for _, o := range p.Artefacts().Manifest.Objects {
		if o.Kind == manifest.Host && o.Soname == "libboth.so" {
			t.Error("a layer that is not used is mounted")
		}
	}
	for name, library := range map[string]string{"host": `"libhost.so"`, "multi": `"/run/capsule/x86_64-linux-gnu/lib/libmulti.so"`, "meta": `"META"`} {
		file := "layer/usr/share/api/layer.d/" + name + ".json"
		if got := generated(p, file); !strings.Contains(got, library) {
			t.Errorf("%s: %s", file, got)
		}
		found := false
		for _, op := range whole.Mounts {
			found = found || op.Target == "/etc/api/layer.d/host-"+name+".json" &&
				op.Text == "/run/capsule/x86_64-linux-gnu/manifests/"+file
		}
		if !found {
			t.Errorf("no link in /etc leads to %s", file)
		}
	}
}

// Two directories of the host may have files of one name: each has its own link, or the plan tells of a layer that is not there.
func TestLayersWithOneFileName(t *testing.T) {
	in := withLayers(capsule.BoundaryDriver)
	other := layerManifest("OTHER", "/etc/api/layer.d/host.json", "", -1)
	other.Text = []byte(`{"layer": {"name": "OTHER"}}`)
	in.Architectures[0].Host.Layers = append(in.Architectures[0].Host.Layers, other)
	whole, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	inside := map[string]string{}
	for _, l := range whole.Architectures[0].Layers {
		if l.Side == capsule.SideHost {
			inside[l.Inside] = l.Name
		}
	}
	links := 0
	for _, op := range whole.Mounts {
		if inside[op.Target] != "" {
			links++
		}
	}
	if len(inside) != 4 || links != 4 {
		t.Errorf("%d links for %v", links, inside)
	}
}

// Where the runtime's libraries are left alone its loader finds its layers, and nothing is generated for one of the host's.
func TestLayersWithoutABoundary(t *testing.T) {
	in := withLayers(capsule.BoundaryAuto)
	a := in.Architectures[0]
	for _, name := range []string{"libGL.so.1", "libEGL.so.1"} {
		delete(a.Runtime.Libraries, name) // no driver boundary
	}
	a.Host.Libraries[4].Uses = nil // no front end
	whole, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	p := whole.Architectures[0]
	if got := p.Boundaries[0].Boundary; got != capsule.BoundaryNone {
		t.Fatalf("boundary %s", got)
	}
	if got := sidesOf(p); got != "BOTH runtime, RUNTIME runtime, PATH runtime" {
		t.Errorf("layers: %s", got)
	}
	for _, l := range p.Layers {
		if !strings.HasPrefix(l.Reason, "the runtime's loader finds it") || l.Inside != "" {
			t.Errorf("%s: %s, %s", l.Name, l.Reason, l.Inside)
		}
	}
	if n := len(p.Artefacts().Generated); n > 0 {
		t.Errorf("%d files are generated", n)
	}
}
