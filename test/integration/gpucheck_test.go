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
	if err != nil || strings.Count(out, ": the same\n") < 8 || strings.Contains(out, "DIFFERENT") {
		t.Errorf("with software drivers: %v\n%s", err, out)
	}
	for _, want := range []string{"## EGL, device 0", "## EGL without a device", "## Vulkan, device 0: \"llvmpipe", "picture picture.pam",
		"| first frame ", "| frame ", "capsule, frontend: the same", "capsule, driver: the same"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q:\n%s", want, out)
		}
	}
	out, err = check("1", "--software", "--rounds", "1", "--isolation", "none")
	if err != nil || strings.Count(out, ": the same\n") < 8 || !strings.Contains(out, "isolation: none\n") {
		t.Errorf("without namespaces: %v\n%s", err, out)
	}
	withoutLoaders(t, dir)
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

// withoutLoaders runs it on a machine that has Mesa's drivers and neither libEGL nor libvulkan, as a server may have
// NVIDIA's: the native programs get Debian 11's, the capsule begins behind the runtime's.
func withoutLoaders(t *testing.T, dir string) {
	t.Helper()
	host := copyOf(t, "host13")
	loaders, err := filepath.Glob(host + "/usr/lib/x86_64-linux-gnu/lib[EGOv]*")
	must(t, err)
	removed := 0
	for _, l := range loaders {
		for _, name := range []string{"libEGL.so", "libGL.so", "libGLX.so", "libGLdispatch.so", "libGLES", "libOpenGL.so", "libvulkan.so"} {
			if strings.HasPrefix(filepath.Base(l), name) {
				must(t, os.Remove(l))
				removed++
			}
		}
	}
	// Nor are the drivers where a loader looks by itself.
	must(t, os.Mkdir(host+"/usr/local/nvidia", 0o755))
	must(t, os.Mkdir(host+"/usr/local/nvidia/share", 0o755))
	for _, name := range []string{"glvnd", "vulkan"} {
		must(t, os.Rename(host+"/usr/share/"+name, host+"/usr/local/nvidia/share/"+name))
	}
	must(t, os.Mkdir(host+"/gpu-check", 0o755))
	cmd := exec.CommandContext(t.Context(), "bwrap", "--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL",
		"--bind", host, "/", "--dev", "/dev", "--proc", "/proc", "--ro-bind", "/sys", "/sys", "--tmpfs", "/tmp", "--tmpfs", "/root",
		"--ro-bind", dir, "/gpu-check", "--chdir", "/tmp", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/root",
		"--setenv", "CAPSULE_MUST_WORK", "1", "--", "/gpu-check/gpu-check", "run", "--software", "--rounds", "1")
	text, err := cmd.CombinedOutput()
	out := string(text)
	if err != nil || removed < 10 || strings.Count(out, "capsule, driver: the same\n") != 4 || strings.Contains(out, "frontend") ||
		!strings.Contains(out, "natively, with Debian 11's libEGL.so.1") || !strings.Contains(out, "natively, with Debian 11's libvulkan.so.1") {
		t.Errorf("without loaders (%d files removed): %v\n%s", removed, err, out)
	}
}
