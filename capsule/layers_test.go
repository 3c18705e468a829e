package capsule_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/arch"
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
	const dir, base = "usr/share/api/layer.d/", "/usr/lib/capsule/x86_64-linux-gnu/base/"
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
			return m.From == from && m.To == "/usr/lib/capsule/x86_64-linux-gnu/manifests"+from
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
	for name, library := range map[string]string{"host": `"libhost.so"`, "multi": `"/usr/lib/capsule/x86_64-linux-gnu/lib/libmulti.so"`, "meta": `"META"`} {
		file := "layer/usr/share/api/layer.d/" + name + ".json"
		if got := generated(p, file); !strings.Contains(got, library) {
			t.Errorf("%s: %s", file, got)
		}
		found := false
		for _, op := range whole.Mounts {
			found = found || op.Target == "/etc/api/layer.d/host-"+name+".json" &&
				op.Text == "/usr/lib/capsule/x86_64-linux-gnu/manifests/"+file
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

// severalLayers is a host's file with three layers: one for a library beside it, one of another architecture, one that combines.
const severalLayers = `{"file_format_version": "1.2.1", "layers": [{"name": "ONE", "library_path": "./libhost.so"},
	{"name": "OTHER-ARCH", "library_path": "/lib32/libother.so"}, {"name": "OVERRIDE", "component_layers": ["ONE"], "override_paths": ["/opt/sdk"]}]}`

func withSeveral(boundary string) *capsule.Input {
	in := withLayers(boundary)
	a := in.Architectures[0]
	file := func(name, index, opens string, library int) capsule.LayerManifest {
		l := layerManifest(name, "/usr/share/api/layer.d/several.json", opens, library)
		l.Key, l.Text, l.Relative = []string{"layers", index, "library_path"}, []byte(severalLayers), opens != ""
		l.DirectoriesKey = "override_paths"
		return l
	}
	a.Host.Layers = append(a.Host.Layers, file("ONE", "0", "/usr/share/api/layer.d/libhost.so", a.Host.Layers[1].Library), file("OVERRIDE", "2", "", -1))
	for i := range a.Runtime.Layers {
		a.Runtime.Layers[i].DirectoriesLayer = "OVERRIDE"
	}
	return in
}

// A file with several layers is one file for the loader, too, without those that are not for it.
func TestSeveralLayersInOneFile(t *testing.T) {
	for boundary, c := range map[string]struct{ file, library, directories string }{
		capsule.BoundaryFrontend: {"usr/share/api/layer.d/several.json", "/usr/lib/libhost.so", "/opt/sdk /usr/share/api/layer.d /etc/api/layer.d"},
		capsule.BoundaryDriver:   {"layer/usr/share/api/layer.d/several.json", "/usr/lib/capsule/x86_64-linux-gnu/lib/libhost.so", ""},
	} {
		in := withSeveral(boundary)
		whole, err := capsule.Make(in)
		if err != nil {
			t.Fatal(err)
		}
		p := whole.Architectures[0]
		if got := sidesOf(p); !strings.Contains(got, "ONE host, OVERRIDE host") {
			t.Errorf("%s: layers: %s", boundary, got)
		}
		var text struct {
			Version string `json:"file_format_version"`
			Layers  []struct {
				Name, Arch  string
				Library     string   `json:"library_path"`
				Components  []string `json:"component_layers"`
				Directories []string `json:"override_paths"`
			}
		}
		if err := json.Unmarshal([]byte(generated(p, c.file)), &text); err != nil {
			t.Fatalf("%s: %v in %s", boundary, err, generated(p, c.file))
		}
		if l := text.Layers; text.Version != "1.2.1" || len(l) != 2 || l[0].Name != "ONE" || l[0].Library != c.library ||
			l[1].Name != "OVERRIDE" || l[1].Library != "" || len(l[1].Components) != 1 || strings.Join(l[1].Directories, " ") != c.directories {
			t.Errorf("%s: %+v", boundary, text)
		}
		links := map[string]bool{}
		for _, op := range whole.Mounts {
			links[op.Target] = true
		}
		for _, l := range p.Layers {
			if l.Name == "ONE" && (l.Inside == "" || boundary == capsule.BoundaryDriver && !links[l.Inside]) {
				t.Errorf("%s: ONE is at %q", boundary, l.Inside)
			}
		}
	}
	in := withSeveral(capsule.BoundaryFrontend)
	a := in.Architectures[0]
	a.Runtime.Layers = append(a.Runtime.Layers, layerManifest("NEW", "/opt/r.json", "", -1))
	last := &a.Runtime.Layers[len(a.Runtime.Layers)-1]
	last.Key, last.Text = []string{"layers", "7", "library_path"}, []byte(severalLayers)
	if _, err := capsule.Make(in); err == nil || !strings.Contains(err.Error(), "/opt/r.json") {
		t.Errorf("an index that is not there: %v", err)
	}
}

// One run with two architectures. A file that names a library by its bare name is one for both, as it is natively; what names
// a path is one for each, and says for which. Two directories may have a file of the same name.
func TestLayersOfTwoArchitectures(t *testing.T) {
	in, second := withLayers(capsule.BoundaryDriver), withLayers(capsule.BoundaryDriver)
	second.Architectures[0].Arch = arch.I386
	in.Architectures = append(in.Architectures, second.Architectures[0])
	const dir = "/usr/share/api/layer.d/"
	for i, d := range []string{"/etc/api/layer.d/", dir} { // the same name in two directories, each for one architecture
		a := in.Architectures[i]
		l := layerManifest("SAME", d+"same.json", "/usr/lib/libmulti.so", a.Host.Layers[2].Library)
		a.Host.Layers[2] = layerManifest("MULTI", dir+"multi.json", "libmulti.so", a.Host.Layers[2].Library)
		a.Host.Layers = append(a.Host.Layers, l)
	}
	whole, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	leads := map[string]string{}
	for _, op := range whole.Mounts {
		if leads[op.Target] != "" {
			t.Errorf("%s twice", op.Target)
		}
		leads[op.Target] = op.Text
	}
	text := func(file string) string {
		for _, p := range whole.Architectures {
			for _, g := range p.Artefacts().Generated {
				if "/usr/lib/capsule/"+g.File == file {
					return string(g.Text)
				}
			}
		}
		return "not generated"
	}
	for i, p := range whole.Architectures {
		got := map[string]string{}
		for _, l := range p.Layers {
			got[l.Name] = l.Inside
		}
		name := []string{"x86_64-linux-gnu", "i386-linux-gnu"}[i]
		if !strings.HasSuffix(got["MULTI"], "/host-multi.json") || got["HOST"] == "" || !strings.Contains(text(leads[got["HOST"]]), `"libhost.so"`) {
			t.Errorf("%s: %q", name, got)
		}
		for _, want := range []string{`"/usr/lib/capsule/` + name + `/lib/libmulti.so"`, `"library_arch": "` + []string{"64", "32"}[i] + `"`} {
			if file := text(leads[got["SAME"]]); !strings.Contains(file, want) {
				t.Errorf("%s: %s has no %s: %s", name, got["SAME"], want, file)
			}
		}
	}
}

// A variable that names directories in place of all others would hide the host's layers in /etc from the runtime's loader.
func TestLayersOfAVariable(t *testing.T) {
	in := withLayers(capsule.BoundaryDriver)
	for i := range in.Architectures[0].Host.Layers {
		l := &in.Architectures[0].Host.Layers[i]
		l.Variable, l.Value = "API_LAYER_PATH", "/opt/a::/home/me/b"
	}
	whole, err := capsule.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := whole.Environment["API_LAYER_PATH"]; got != "/etc/api/layer.d:/opt/a:/home/me/b" {
		t.Errorf("%q", got)
	}
}

// Where the user names a layer of the host by its path, the loader is to be one that finds it: the host's, if there is one.
func TestLayersNamedByPath(t *testing.T) {
	const dir = "/usr/share/api/layer.d/"
	for _, c := range []struct{ asked, named, want string }{
		{capsule.BoundaryAuto, dir + "multi.json", capsule.BoundaryFrontend},
		{capsule.BoundaryAuto, dir + "both.json", capsule.BoundaryDriver}, // there is a file in the runtime
		{capsule.BoundaryAuto, "/elsewhere.json", capsule.BoundaryDriver}, // nowhere
		{capsule.BoundaryDriver, dir + "multi.json", capsule.BoundaryDriver},
	} {
		in := withLayers(c.asked)
		in.Architectures[0].Host.Settings = []capsule.LayerSettings{{API: "GL", Path: "/home/me/settings.json", Manifests: []string{c.named}}}
		d := boundaryOf(t, in, "GL")
		if d.Boundary != c.want || c.want == capsule.BoundaryFrontend && !strings.Contains(d.Reason, "/home/me/settings.json") {
			t.Errorf("%+v: %+v", c, d)
		}
	}
	in := withLayers(capsule.BoundaryAuto)
	a := in.Architectures[0]
	a.Host.Settings = []capsule.LayerSettings{{API: "GL", Path: "/settings.json", Manifests: []string{dir + "multi.json"}}}
	a.Host.Libraries[4].Uses = nil
	if d := boundaryOf(t, in, "GL"); d.Boundary != capsule.BoundaryDriver {
		t.Errorf("a host without a loader: %+v", d)
	}
}
