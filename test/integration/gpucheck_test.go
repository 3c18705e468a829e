//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What test/gpu-check does on a machine with a GPU it does here with Mesa's software drivers; a machine without a GPU is
// told so.
func TestGPUCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gpu-check")
	command := exec.CommandContext(t.Context(), "go", "run", "./test/gpucheck", "prepare", dir)
	command.Dir = filepath.Join(filepath.Dir(binary), "..")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("prepare: %v\n%s", err, out)
	}
	check := func(mustWork string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "gpu-check"), append([]string{"run"}, args...)...)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, "CAPSULE_MUST_WORK=" + mustWork}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := check("1", "--software", "--rounds", "2")
	if err != nil || strings.Count(out, ": the same\n") < 4 || strings.Contains(out, "DIFFERENT") {
		t.Errorf("with software drivers: %v\n%s", err, out)
	}
	for _, want := range []string{"egl-surfaceless: llvmpipe", "vulkan-device-0: hash ", "| EGL frame ", "| Vulkan frame ",
		"capsule, frontend: the same", "capsule, driver: the same"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q:\n%s", want, out)
		}
	}
	if gpus, _ := filepath.Glob("/dev/dri/renderD*"); len(gpus) > 0 {
		return // what it does then is what it is for
	}
	if _, err := os.Stat("/dev/nvidiactl"); err == nil {
		return
	}
	if out, err := check("0", "--rounds", "1"); err != nil || !strings.Contains(out, "there is no GPU here: nothing was compared\n") {
		t.Errorf("without a GPU: %v\n%s", err, out)
	}
	if out, err := check("1", "--rounds", "1"); err == nil || !strings.Contains(out, "gpu-check: error: there is no GPU here\n") {
		t.Errorf("without a GPU that must be there: %v\n%s", err, out)
	}
}
