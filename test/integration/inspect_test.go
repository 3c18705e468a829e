//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// inspected is the part of inspect's JSON (docs/inspect.md) that is looked at here.
type inspected struct {
	Devices struct {
		GPUs []struct {
			Address, Family string
			Usable          bool
		} `json:"gpus"`
	}
	Architectures []struct {
		Arch string
		APIs []struct {
			API, Boundary string
			FrontEnds     []struct{ Soname, Side, Version string } `json:"front_ends"`
			Missing       []struct{ What string }
		} `json:"apis"`
		GPUs []struct {
			GPU  int
			APIs []struct {
				API, Version, Missing string
				Drivers               []string
			} `json:"apis"`
		} `json:"gpus"`
	}
}

func inspect(t *testing.T, args ...string) (out inspected) {
	t.Helper()
	var texts [2][]byte
	for i := range texts { // twice the same
		var err error
		if texts[i], err = exec.Command(binary, append([]string{"inspect", "--json"}, args...)...).Output(); err != nil {
			t.Fatalf("inspect %q: %v", args, err)
		}
	}
	if string(texts[0]) != string(texts[1]) {
		t.Error("not twice the same")
	}
	must(t, json.Unmarshal(texts[0], &out))
	return out
}

// The runtime's own front ends where the capsule begins at the driver, the host's where it has none; as the plan has it.
func TestInspectBoundaries(t *testing.T) {
	runtime, host := trees.Tree(t, "full11"), trees.Tree(t, "host13")
	args := []string{"--runtime", runtime, "--host", host, "--boundary", "auto"}
	text, err := exec.Command(binary, append([]string{"plan", "--json"}, args...)...).Output()
	must(t, err)
	var plan struct {
		Architectures []struct {
			Boundaries []struct{ API, Boundary string }
		}
	}
	must(t, json.Unmarshal(text, &plan))
	want := map[string]string{}
	for _, b := range plan.Architectures[0].Boundaries {
		want[b.API] = b.Boundary
	}
	seen := map[string]bool{}
	for _, api := range inspect(t, args...).Architectures[0].APIs {
		if api.Boundary != want[api.API] {
			t.Errorf("%s: boundary %q, in the plan %q", api.API, api.Boundary, want[api.API])
		}
		seen[api.Boundary] = true
		for _, f := range api.FrontEnds {
			if (f.Side == "runtime") != (api.Boundary == "driver") {
				t.Errorf("%s, boundary %q: %s is the %s's", api.API, api.Boundary, f.Soname, f.Side)
			}
		}
	}
	if !seen["driver"] || !seen["frontend"] {
		t.Errorf("boundaries seen: %v", seen)
	}
	// A host that has drivers alone, as NixOS: what the runtime has is not missing.
	bare := copyOf(t, "host13")
	loaders, err := filepath.Glob(bare + "/usr/lib/x86_64-linux-gnu/libvulkan.so*")
	must(t, err)
	for _, l := range loaders {
		must(t, os.Remove(l))
	}
	for _, api := range inspect(t, "--runtime", runtime, "--host", bare).Architectures[0].APIs {
		if api.API == "Vulkan" && (api.Boundary != "driver" || len(api.FrontEnds) != 1 || len(api.Missing) != 0 || len(loaders) == 0) {
			t.Errorf("Vulkan: %+v", api)
		}
	}
}

// Two GPUs of two vendors on Debian 13's Mesa and NVIDIA's libraries: each has its own drivers.
func TestInspectTwoVendors(t *testing.T) {
	machine := writableRoot(t, trees.Tree(t, "hostnvidia"))
	fakeGPU(t, machine, "0000:00:02.0", "8086", "i915", "renderD128", "226:128")
	fakeGPU(t, machine, "0000:01:00.0", "10de", "nvidia", "", "")
	must(t, os.MkdirAll(machine+"/proc/driver/nvidia/gpus/0000:01:00.0", 0o755))
	must(t, os.WriteFile(machine+"/proc/driver/nvidia/gpus/0000:01:00.0/information", []byte("Model: \t RTX\nDevice Minor: \t 0\n"), 0o644))
	r := inspect(t, "--host", machine)
	if g := r.Devices.GPUs; len(g) != 2 || g[0].Family != "Intel" || g[1].Family != "NVIDIA" || g[0].Usable || g[1].Usable {
		t.Fatalf("%+v", g)
	}
	for _, c := range []struct {
		gpu         int
		api, driver string // no driver: the GPU has none for the API
	}{
		{0, "GL", "iris_dri.so"}, {0, "EGL", "libEGL_mesa.so.0"}, {0, "CUDA", ""},
		{1, "GL", "libGLX_nvidia.so."}, {1, "EGL", "libEGL_nvidia.so."}, {1, "CUDA", "libcuda.so."},
		{1, "VDPAU", "libvdpau_nvidia.so."},
	} {
		var drivers []string
		for _, a := range r.Architectures[0].GPUs[c.gpu].APIs {
			if a.API == c.api {
				drivers = a.Drivers
			}
		}
		found := slices.ContainsFunc(drivers, func(d string) bool { return strings.HasPrefix(d, c.driver) })
		if found != (c.driver != "") || slices.ContainsFunc(drivers, func(d string) bool {
			return strings.Contains(d, "nvidia") != (c.gpu == 1) && !strings.Contains(d, "cuda")
		}) {
			t.Errorf("GPU %d, %s: %q", c.gpu, c.api, drivers)
		}
	}
}
