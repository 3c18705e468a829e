//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// sdk is a directory of the host that no runtime shows, with a layer that is a copy of Mesa's overlay, in a file that names
// another one too: one that combines. The file is given to the loader in some way of the user's.
func sdk(t *testing.T) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "capsule-layers-")
	must(t, err)
	evict(t, dir)
	const library = "libVkLayer_MESA_overlay.so"
	lib, err := os.ReadFile("/usr/lib/x86_64-linux-gnu/" + library)
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, library), lib, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "several.json"), []byte(`{"file_format_version": "1.2.0", "layers": [
		{"name": "VK_LAYER_TEST_other", "type": "GLOBAL", "library_path": "libother.so", "api_version": "1.1.0",
			"implementation_version": "1", "description": "not there"},
		{"name": "VK_LAYER_TEST_one", "type": "GLOBAL", "library_path": "./`+library+`", "api_version": "1.3.0",
			"implementation_version": "1", "description": "a library"},
		{"name": "VK_LAYER_TEST_meta", "type": "GLOBAL", "api_version": "1.3.0", "implementation_version": "1",
			"description": "combines", "component_layers": ["VK_LAYER_TEST_one"]}]}`), 0o644))
	return dir
}

// ownHome is a home directory with one file.
func ownHome(t *testing.T, file, text string) string {
	t.Helper()
	home := t.TempDir()
	if file != "" {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(home, file)), 0o755))
		must(t, os.WriteFile(filepath.Join(home, file), []byte(text), 0o644))
	}
	return "HOME=" + home
}

var inserted = regexp.MustCompile(`Insert instance layer "?(VK_LAYER_\w+)"? \((\S+)\)`)

// layersIn are the libraries of the layers that a loader has put into an instance.
func layersIn(r result) map[string]string {
	out := map[string]string{}
	for _, m := range inserted.FindAllStringSubmatch(r.both(), -1) {
		out[m[1]] = m[2]
	}
	return out
}

// Layers of this machine by all ways in which a user has them besides an environment that names them: a file with several, one
// that combines others, a list of directories, and the layer that vkconfig writes; for the runtimes' loaders and for the host's.
func TestVulkanLayerFiles(t *testing.T) {
	dir := sdk(t)
	override := ownHome(t, ".local/share/vulkan/implicit_layer.d/VkLayer_override.json", `{"file_format_version": "1.1.2", "layer": {
		"name": "VK_LAYER_LUNARG_override", "type": "GLOBAL", "api_version": "1.3.239", "implementation_version": "1",
		"description": "LunarG Override Layer", "override_paths": ["`+dir+`"], "component_layers": ["VK_LAYER_TEST_one"],
		"blacklisted_layers": [], "disable_environment": {"DISABLE_VK_LAYER_LUNARG_override": "1"}}}`)
	plain := ownHome(t, "", "")
	for _, c := range []struct {
		name string
		env  []string
	}{
		{"override", []string{override}},
		{"VK_LAYER_PATH", []string{plain, "VK_LAYER_PATH=" + dir, "VK_INSTANCE_LAYERS=VK_LAYER_TEST_meta"}},
	} {
		for _, r := range []struct{ runtime, boundary string }{{"full11", "driver"}, {"full13", "driver"}, {"hostsid", "driver"}, {"full11", "frontend"}} {
			t.Run(c.name+"/"+r.runtime+"/"+r.boundary, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, r.runtime), flags: []string{"--boundary", "Vulkan=" + r.boundary},
					env: append(c.env, "VK_LOADER_DEBUG=all"), argv: []string{"vulkaninfo", "--summary"}}
				got := layersIn(l.ok(t))
				where := "/usr/lib/capsule/" // newer loaders tell where the stub has led them
				if r.boundary == "frontend" {
					where = dir
				}
				if one := got["VK_LAYER_TEST_one"]; !strings.HasPrefix(one, where) || !strings.HasSuffix(one, "/libVkLayer_MESA_overlay.so") {
					t.Errorf("active: %q", got)
				}
				if got["VK_LAYER_TEST_other"] != "" {
					t.Error("a layer without its library is active")
				}
			})
		}
	}
}

// What newer loaders read: a variable with patterns, and a settings file that names a layer by its path, which is the host's
// where its loader runs.
func TestVulkanLayersOfNewerLoaders(t *testing.T) {
	const layer = "VK_LAYER_MESA_screenshot" // of sid's Mesa
	settings := ownHome(t, ".local/share/vulkan/loader_settings.d/vk_loader_settings.json", `{"file_format_version": "1.0.0",
		"settings": {"layers": [{"name": "`+layer+`", "control": "on", "type": "GLOBAL",
		"path": "/usr/share/vulkan/explicit_layer.d/VkLayer_MESA_screenshot.json"}, {"control": "unordered_layer_location"}]}}`)
	for _, c := range []struct{ name, runtime, boundary, env string }{
		{"enabled", "full13", "driver", "VK_LOADER_LAYERS_ENABLE=*screenshot*"},
		{"enabled", "full11", "frontend", "VK_LOADER_LAYERS_ENABLE=*screenshot*"},
		{"settings", "full11", "frontend", settings},
	} {
		t.Run(c.name+"/"+c.boundary, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, c.runtime), host: trees.Tree(t, "hostsid"), flags: []string{"--boundary", "Vulkan=" + c.boundary},
				env: []string{c.env, "VK_LOADER_DEBUG=all"}, argv: []string{"vulkaninfo", "--summary"}}
			if got := layersIn(l.ok(t)); got[layer] == "" {
				t.Errorf("active: %q", got)
			}
			l.env = append(l.env, "VK_LOADER_LAYERS_ENABLE=", "HOME="+t.TempDir())
			if got := layersIn(l.ok(t)); got[layer] != "" {
				t.Errorf("nobody asked for it: %q", got)
			}
		})
	}
}

// Settings of the machine, which name a layer in a directory of its own: `auto` takes the loader that finds it.
func TestVulkanLoaderSettings(t *testing.T) {
	host := copyOf(t, "hostsid")
	const library = "/usr/lib/x86_64-linux-gnu/libVkLayer_MESA_screenshot.so"
	put(t, host+"/opt/sdk/layer.json", `{"file_format_version": "1.2.0", "layer": {"name": "VK_LAYER_TEST_sdk", "type": "GLOBAL",
		"library_path": "`+library+`", "api_version": "1.3.0", "implementation_version": "1", "description": "-"}}`, 0o644)
	put(t, host+"/etc/vulkan/loader_settings.d/vk_loader_settings.json", `{"file_format_version": "1.0.0", "settings": {"layers": [
		{"name": "VK_LAYER_TEST_sdk", "control": "on", "type": "GLOBAL", "path": "/opt/sdk/layer.json"},
		{"control": "unordered_layer_location"}]}}`, 0o644)
	env := []string{"VK_LOADER_DEBUG=all"}
	if got := layersIn(natively(t, host, "", env, "vulkaninfo", "--summary")); got["VK_LAYER_TEST_sdk"] != library {
		t.Fatalf("natively: %q", got)
	}
	for _, runtime := range []string{"runtime11", "full13"} {
		l := launch{runtime: trees.Tree(t, runtime), host: host, env: env, argv: []string{"vulkaninfo", "--summary"}}
		if got := layersIn(l.ok(t)); got["VK_LAYER_TEST_sdk"] != library {
			t.Errorf("%s: active: %q", runtime, got)
		}
	}
	l := launch{runtime: trees.Tree(t, "full13"), host: host, env: env, flags: []string{"--boundary", "driver"}, argv: []string{"vulkaninfo", "--summary"}}
	if got := layersIn(l.ok(t)); got["VK_LAYER_TEST_sdk"] != "" {
		t.Errorf("the runtime's loader has no such file: %q", got)
	}
}

// One run with programs of two architectures: each has the host's layers of its own, under the host's loader and under the
// runtime's.
func TestVulkanLayersOfBothArchitectures(t *testing.T) {
	probes64, probes32 := trees.Probes(t), trees.ProbesI386(t)
	display := xvfb.Start(t)
	for runtime, boundary := range map[string]string{"runtime11both": "frontend", "full11both": "driver"} {
		t.Run(boundary, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, runtime), host: trees.Tree(t, "host13both"), display: display,
				flags: []string{"--bind", probes64 + ":/probes64:ro", "--bind", probes32 + ":/probes32:ro"},
				env:   []string{"VK_LOADER_DEBUG=all", "VK_INSTANCE_LAYERS=VK_LAYER_MESA_overlay", "CAPSULE_DEBUG=1"}}
			plan, _ := planOf(t, l.runtime, l.host)
			for _, a := range plan.Architectures {
				for _, b := range a.Boundaries {
					if b.API == "Vulkan" && b.Boundary != boundary {
						t.Errorf("%s: Vulkan is at the %s boundary", a.Arch, b.Boundary)
					}
				}
			}
			for probes, triplet := range map[string]string{"/probes64": "x86_64-linux-gnu", "/probes32": "i386-linux-gnu"} {
				l.argv = []string{"sh", "-c", probes + "/bin/gl_dlopen"}
				r := l.ok(t)
				got := layersIn(r)
				if got["VK_LAYER_MESA_overlay"] == "" || got["VK_LAYER_MESA_device_select"] == "" {
					t.Errorf("%s: active: %q\n%s", probes, got, tail(r.both()))
				}
				if opened := "/usr/lib/capsule/" + triplet + "/host/usr/lib/" + triplet + "/libVkLayer_MESA_overlay.so"; !strings.Contains(r.stderr, opened) {
					t.Errorf("%s: %s is not opened:\n%s", probes, opened, tail(r.stderr))
				}
			}
		})
	}
}
