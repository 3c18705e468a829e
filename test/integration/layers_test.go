//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// layerDir is a directory with settings that make layers talk: Mesa's overlay and MangoHud write a line for each of their
// periods, the validation layer tells on standard output that it is there, each of its releases in words of its own.
func layerDir(t *testing.T) (dir string, env []string) {
	dir = t.TempDir()
	settings := "khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG\nkhronos_validation.report_flags = error,warn,info\n" +
		"khronos_validation.log_filename = stdout\n"
	must(t, os.WriteFile(filepath.Join(dir, "vk_layer_settings.txt"), []byte(settings), 0o644))
	return dir, []string{"VK_LAYER_SETTINGS_PATH=" + dir, "VK_LOADER_DEBUG=error",
		"VK_LAYER_MESA_OVERLAY_CONFIG=fps_sampling_period=1,output_file=" + filepath.Join(dir, "overlay.csv"),
		"MANGOHUD_CONFIG=autostart_log=1,log_interval=0,output_folder=" + dir}
}

const (
	oldValidation = "UNASSIGNED-khronos-validation-createinstance-status-message" // Debian 11's
	newValidation = "Khronos Validation Layer Active"                             // Debian 13's
)

func checkLines(t *testing.T, pattern, column string) {
	t.Helper()
	files, _ := filepath.Glob(pattern)
	if len(files) == 0 {
		t.Errorf("no layer wrote %s", pattern)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || strings.Count(string(text), "\n") < 2 || !strings.Contains(string(text), column) {
			t.Errorf("a layer wrote %q to %s (%v)", text, pattern, err)
		}
	}
}

// A Vulkan layer of the host is active in the runtime's vkcube.
func TestVulkanLayerOfTheHost(t *testing.T) {
	display := xvfb.Start(t)
	for _, r := range runtimes {
		t.Run(r, func(t *testing.T) {
			dir, env := layerDir(t)
			l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), display: display,
				argv: []string{"vkcube", "--c", "200"}, env: append(env, "VK_INSTANCE_LAYERS=VK_LAYER_MESA_overlay")}
			l.ok(t)
			checkLines(t, dir+"/overlay.csv", "fps")
		})
	}
}

// The host's layers and Debian 11's validation layer at once, under the host's loader and under Debian 11's own. The
// one that both sides have goes with the loader.
func TestVulkanLayersOfBothSides(t *testing.T) {
	display := xvfb.Start(t)
	for _, c := range []struct {
		host, boundary, validation string
		side                       capsule.Side
		frames                     string // MangoHud's log begins after a second
	}{
		{"host13", "frontend", oldValidation, capsule.SideRuntime, "200"},
		{"host13", "auto", oldValidation, capsule.SideRuntime, "200"},
		{"host13layers", "frontend", newValidation, capsule.SideHost, "2000"},
		{"host13layers", "auto", oldValidation, capsule.SideRuntime, "2000"},
	} {
		t.Run(c.host+"/"+c.boundary, func(t *testing.T) {
			dir, env := layerDir(t)
			l := launch{runtime: trees.Tree(t, "layers11"), host: trees.Tree(t, c.host), display: display,
				argv: []string{"vkcube", "--c", c.frames}, flags: []string{"--boundary", c.boundary}, env: append(env, "MANGOHUD=1",
					"VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation:VK_LAYER_MESA_overlay")}
			r := l.ok(t)
			if !strings.Contains(r.stdout, c.validation) {
				t.Errorf("the validation layer says:\n%s", tail(r.stdout))
			}
			if strings.Contains(r.stderr, "ERROR") {
				t.Errorf("the loader says:\n%s", tail(r.stderr))
			}
			checkLines(t, dir+"/overlay.csv", "fps")
			if c.host == "host13layers" {
				checkLines(t, dir+"/vkcube_*.csv", "fps")
			}
			l.argv = []string{"vulkaninfo"}
			l.env = env
			if all := l.ok(t).stdout; !strings.Contains(all, "VK_LAYER_MESA_device_select") {
				t.Error("vulkaninfo does not know the host's implicit layer")
			} else if n := strings.Count(all, "VK_LAYER_KHRONOS_validation"); n != 1 {
				t.Errorf("vulkaninfo names the validation layer %d times", n)
			}
			plan, _ := planOf(t, l.runtime, l.host, l.flags...)
			if layer := layerOf(plan, "VK_LAYER_KHRONOS_validation"); layer.Side != c.side || layer.Reason == "" {
				t.Errorf("the plan says of the validation layer: %+v", layer)
			}
		})
	}
}

func layerOf(p *capsule.Plan, name string) capsule.Layer {
	for _, l := range p.Architectures[0].Layers {
		if l.Name == name {
			return l
		}
	}
	return capsule.Layer{}
}

// A layer that the program brings with it, and that the plan cannot know: its library belongs to the program's side.
func TestVulkanLayerOfTheProgram(t *testing.T) {
	runtime := trees.Tree(t, "layers11")
	for _, c := range []struct{ name, variable, below string }{
		{"VK_LAYER_PATH", "VK_LAYER_PATH", ""},
		{"VK_ADD_LAYER_PATH", "VK_ADD_LAYER_PATH", ""},
		{"XDG_DATA_HOME", "XDG_DATA_HOME", "vulkan/explicit_layer.d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, env := layerDir(t)
			own := filepath.Join(dir, "own", c.below)
			must(t, os.MkdirAll(own, 0o755))
			manifest, err := os.ReadFile(runtime + "/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json")
			must(t, err)
			text := strings.Replace(string(manifest), "VK_LAYER_KHRONOS_validation", "VK_LAYER_TEST_own", 1)
			text = strings.Replace(text, `"libVkLayer`, `"./libVkLayer`, 1)
			must(t, os.WriteFile(filepath.Join(own, "own.json"), []byte(text), 0o644))
			const library = "libVkLayer_khronos_validation.so"
			lib, err := os.ReadFile(filepath.Join(runtime, "usr/lib/x86_64-linux-gnu", library))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(own, library), lib, 0o644))
			l := launch{runtime: runtime, host: trees.Tree(t, "host13"), flags: []string{"--boundary", "frontend"},
				env: append(env, "CAPSULE_DEBUG=1"),
				argv: []string{"sh", "-c", c.variable + "=" + filepath.Join(dir, "own") +
					" VK_INSTANCE_LAYERS=VK_LAYER_TEST_own vulkaninfo"}}
			r := l.ok(t)
			if !strings.Contains(r.stdout, "VK_LAYER_TEST_own") {
				t.Fatalf("vulkaninfo does not know the layer:\n%s", tail(r.both()))
			}
			if !strings.Contains(r.stderr, library+" in the base namespace: ok") {
				t.Errorf("the layer was not opened in the program's namespace:\n%s", tail(r.stderr))
			}
		})
	}
}
