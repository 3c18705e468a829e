//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// A Vulkan layer of the host is active in the runtime's vkcube: Mesa's overlay writes a line for each of its periods.
func TestVulkanLayerOfTheHost(t *testing.T) {
	display := xvfb.Start(t)
	for _, r := range runtimes {
		t.Run(r, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "overlay.csv")
			l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), display: display,
				argv: []string{"vkcube", "--c", "200"},
				env: []string{"VK_INSTANCE_LAYERS=VK_LAYER_MESA_overlay",
					"VK_LAYER_MESA_OVERLAY_CONFIG=fps_sampling_period=1,output_file=" + file}}
			l.ok(t)
			text, err := os.ReadFile(file)
			if err != nil || strings.Count(string(text), "\n") < 2 || !strings.Contains(string(text), "fps") {
				t.Errorf("the overlay wrote %q (%v)", text, err)
			}
		})
	}
}
