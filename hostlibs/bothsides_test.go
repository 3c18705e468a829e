package hostlibs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// What the runtime's loader would find, and nothing that it could not open.
func TestBothSides(t *testing.T) {
	const dir = "usr/share/vulkan/explicit_layer.d/"
	root := makeHost(t, edited(map[string]string{
		dir + "bare.json":                           `{"layer": {"name": "BARE", "library_path": "libvulkan_lvp.so"}}`,
		dir + "relative.json":                       `{"layer": {"name": "RELATIVE", "library_path": "../../../../opt/vendor/libvendor.so"}}`,
		dir + "meta.json":                           `{"layer": {"name": "META", "component_layers": ["BARE"]}}`,
		dir + "gone.json":                           `{"layer": {"name": "GONE", "library_path": "libgone.so"}}`,
		dir + "other.json":                          `{"layer": {"name": "OTHER", "library_path": "/usr/lib/i386-linux-gnu/libvulkan_lvp.so"}}`,
		dir + "nameless.json":                       `{"layer": {}}`,
		dir + "damaged.json":                        `{"layer": {"name": 7}}`,
		dir + "directory.json/x":                    " ",
		dir + "huge.json":                           strings.Repeat(" ", maxManifest+1),
		dir + "loop.json":                           "-> loop.json",
		"etc/vulkan/implicit_layer.d/implicit.json": `{"layer": {"name": "IMPLICIT", "library_path": "libvulkan_lvp.so"}}`,
	}))
	found, err := BothSides(root, arch.X8664, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range found {
		if m.Skipped == "" || m.OnlyCombines() {
			got = append(got, m.Name+" "+m.Opens)
		} else if m.Library != nil {
			t.Errorf("%s is skipped (%s) and has a library", m.Path, m.Skipped)
		}
	}
	want := []string{"IMPLICIT libvulkan_lvp.so", "BARE libvulkan_lvp.so", "META ",
		"RELATIVE /usr/share/vulkan/explicit_layer.d/../../../../opt/vendor/libvendor.so"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, not %q", got, want)
	}
	for _, m := range discover(t, edited(map[string]string{
		dir + "bare.json": `{"layer": {"name": "BARE", "library_path": "libvulkan_lvp.so"}}`}), Options{}).Data {
		if m.Path == "/"+dir[:len(dir)-1] {
			t.Error("layers' manifests are data files too: the plan could not join them with the runtime's")
		}
	}
}

// A hostile runtime may have any number of manifests.
func TestBothSidesIsBounded(t *testing.T) {
	const dir = "usr/share/vulkan/explicit_layer.d/"
	for name, size := range map[string]int{"many": 0, "large": maxManifest / 2} {
		change := map[string]string{}
		for i := range map[string]int{"many": maxBothSides + 1, "large": 2*maxBothSidesText/maxManifest + 1}[name] {
			change[fmt.Sprintf(dir+"%03d.json", i)] = `{"layer": {"name": "A"}}` + strings.Repeat(" ", size)
		}
		if _, err := BothSides(makeHost(t, edited(change)), arch.X8664, Options{}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A layer that is damaged is one that the program does without, whatever API it is for.
func TestDamagedLayerOfTheHost(t *testing.T) {
	const dir = "usr/share/vulkan/implicit_layer.d/"
	s := discover(t, edited(map[string]string{
		dir + "text.json":    "no JSON",
		dir + "library.json": `{"layer": {"name": "L", "library_path": "/opt/liblayer.so"}}`,
		"opt/liblayer.so":    lib("liblayer.so")[:200],
		dir + "d.json/x":     " ",
	}), Options{})
	if len(s.Problems) != 3 {
		t.Errorf("problems %q", s.Problems)
	}
	for _, m := range s.Manifests {
		if strings.HasPrefix(m.Path, "/"+dir) {
			t.Errorf("%s is there: %+v", m.Path, m)
		}
	}
}
