package hostlibs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/rootfs"
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

// What is read of manifests is paid for, and one that is nested without an end is passed over.
func TestHostileManifests(t *testing.T) {
	const dir = "usr/share/vulkan/explicit_layer.d/"
	const text = `{"layer": {"name": "%s", "library_path": "libvulkan_lvp.so", "x": %s}}`
	root := makeHost(t, edited(map[string]string{
		dir + "deep.json": fmt.Sprintf(text, "DEEP", strings.Repeat("[", 9000)+strings.Repeat("]", 9000)),
		dir + "long.json": fmt.Sprintf(text, strings.Repeat("L", 300), "0"),
		dir + "good.json": fmt.Sprintf(text, "GOOD", strings.Repeat("[", 20)+strings.Repeat("]", 20)),
	}))
	found, err := BothSides(root, arch.X8664, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		if (m.Skipped == "") != (m.Path == "/"+dir+"good.json") || len(m.Skipped) > 300 {
			t.Errorf("%s is skipped: %q", m.Path, m.Skipped)
		}
	}
	root = makeHost(t, edited(map[string]string{dir + "large.json": fmt.Sprintf(text, "X", strings.Repeat(" ", 500_000)+"0")}))
	root.RecordContents(4 << 20)
	if _, err := BothSides(root, arch.X8664, Options{}); !errors.Is(err, rootfs.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, rootfs.ErrTooLarge)
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
		if strings.HasPrefix(m.Path, "/"+dir) && (m.Library != nil || m.Skipped == "" || m.OnlyCombines()) {
			t.Errorf("%s is there: %+v", m.Path, m)
		}
	}
}

// Several layers in one file, each by itself; layers that combine others; the directories that vkconfig's layer names.
func TestLayersOfOneFile(t *testing.T) {
	const dir = "usr/share/vulkan/implicit_layer.d/"
	files := edited(map[string]string{
		dir + "several.json": `{"file_format_version": "1.1.2", "layers": [
			{"name": "A", "library_path": "libvulkan_lvp.so"}, {"name": "OTHER", "library_path": "libvulkan_lvp.so", "library_arch": "32"},
			{"name": "B", "library_path": "../../../../opt/vendor/libvendor.so"}, {"name": "GONE", "library_path": "libgone.so"},
			{"name": "META", "component_layers": ["A", "B"]}]}`,
		dir + "empty_list.json": `{"layers": []}`,
		dir + "override.json":   `{"layer": {"name": "VK_LAYER_LUNARG_override", "component_layers": ["SDK"], "override_paths": ["/opt/sdk:/opt/none", "relative"]}}`,
		"opt/sdk/sdk.json":      `{"layer": {"name": "SDK", "library_path": "./libsdk.so"}}`,
		"opt/sdk/libsdk.so":     lib("libsdk.so"),
	})
	want := []string{"A 0 libvulkan_lvp.so libvulkan_lvp.so", "B 2 libvendor.so /usr/share/vulkan/implicit_layer.d/../../../../opt/vendor/libvendor.so",
		"META 4 - ", "VK_LAYER_LUNARG_override library_path - ", "SDK library_path libsdk.so /opt/sdk/./libsdk.so"}
	show := func(found []*Manifest) (got []string) {
		for _, m := range found {
			if m.Kind == "vulkan-icd" || m.Skipped != "" && !m.OnlyCombines() || !m.Rule.BothSides {
				continue
			}
			library := "-"
			if m.Library != nil {
				library = m.Library.Name
			}
			got = append(got, strings.Join([]string{m.Name, m.Key[1], library, m.Opens}, " "))
		}
		return got
	}
	slices.Sort(want)
	got := show(discover(t, files, Options{}).Manifests)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("host: %q", got)
	}
	found, err := BothSides(makeHost(t, files), arch.X8664, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want { // of the runtime's the library is not looked at
		words := strings.Split(want[i], " ")
		want[i] = strings.Join([]string{words[0], words[1], "-", words[3]}, " ")
	}
	if got = show(found); true {
		slices.Sort(got)
	}
	if !slices.Equal(got, want) {
		t.Errorf("runtime: %q", got)
	}
	for name, text := range map[string]string{
		"no array": `{"layers": {}}`, "no objects": `{"layers": [7]}`, "a name that is none": `{"layers": [{"name": []}]}`,
		"too many": `{"layers": [{}` + strings.Repeat(", {}", maxLayers) + `]}`,
	} {
		s := discover(t, edited(map[string]string{dir + "x.json": text}), Options{})
		if len(s.Problems) != 1 || !strings.Contains(s.Problems[0], dir+"x.json") {
			t.Errorf("%s: %q", name, s.Problems)
		}
	}
}

// A settings file of the loader: the first counts, its layers are found wherever they are, and those that are off are not.
func TestLoaderSettings(t *testing.T) {
	const below = "/vulkan/loader_settings.d/vk_loader_settings.json"
	named := func(control string, paths ...string) string {
		text := `{"file_format_version": "1.0.0", "settings": {"layers": [{"control": "unordered_layer_location"}`
		for _, p := range paths {
			text += fmt.Sprintf(`, {"name": "X", "control": %q, "path": %q}`, control, p)
		}
		return text + "]}}"
	}
	layers := map[string]string{"opt/sdk/a.json": layerJSON("A", "./liba.so"), "opt/sdk/liba.so": lib("liba.so"),
		"usr/share/vulkan/implicit_layer.d/i.json": layerJSON("I", "libz3.so.4"), multiarch + "libz3.so.4": lib("libz3.so.4")}
	for _, c := range []struct {
		name, want string
		files      map[string]string
	}{
		{"none", "", nil},
		{"in the home", "/home/user/.local/share" + below + " /opt/sdk/a.json A", map[string]string{
			"home/user/.local/share" + below: named("on", "/opt/sdk/../sdk/a.json"), "etc" + below: named("on", "/usr/share/other.json")}},
		{"of the machine", "/etc" + below + " /opt/sdk/a.json /usr/share/vulkan/implicit_layer.d/i.json A", map[string]string{
			"etc" + below: named("auto", "/opt/sdk/a.json", "/usr/share/vulkan/implicit_layer.d/i.json")}},
		{"for some programs", "/etc" + below + " /opt/sdk/a.json A", map[string]string{
			"etc" + below: `{"settings_array": [{"app_keys": ["/x"], "layers": [{"control": "on", "path": "/opt/sdk/a.json"}]}]}`}},
		{"off", "", map[string]string{"etc" + below: named("off", "/opt/sdk/a.json")}},
		{"relative", "", map[string]string{"etc" + below: named("on", "a.json")}},
		{"damaged", "", map[string]string{"home/user/.config" + below: "{", "etc" + below: named("on", "/opt/sdk/a.json")}},
	} {
		files := edited(layers)
		for p, text := range c.files {
			files[p] = text
		}
		s := discover(t, files, Options{Getenv: func(v string) string { return map[string]string{"HOME": "/home/user"}[v] }})
		var got []string
		for _, f := range s.Settings {
			if f.API != "Vulkan" {
				t.Errorf("%s: of %s", c.name, f.API)
			}
			got = append(append(got, f.Path), f.Manifests...)
		}
		names := map[string]int{}
		for _, m := range s.Manifests {
			if names[m.Name]++; m.Name == "A" {
				got = append(got, m.Name)
			}
		}
		if strings.Join(got, " ") != c.want || names["I"] != 1 {
			t.Errorf("%s: %q, and I %d times", c.name, got, names["I"])
		}
	}
}
