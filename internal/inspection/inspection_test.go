package inspection

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/table"
)

const lib = "usr/lib/x86_64-linux-gnu/"

// host makes a tree of libraries "FILE SONAME [NEEDED…]", each with one function, manifests "FILE.json LIBRARY", and links
// "FILE -> TARGET".
func host(t *testing.T, lines ...string) *hostlibs.Stack {
	t.Helper()
	dir := t.TempDir()
	for _, l := range append([]string{lib + "libc.so.6 libc.so.6"}, lines...) {
		w := strings.Fields(l)
		full := filepath.Join(dir, w[0])
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case w[1] == "->":
			err = os.Symlink(w[2], full)
		case strings.HasSuffix(w[0], ".json"):
			err = os.WriteFile(full, []byte(`{"file_format_version": "1.0.0", "ICD": {"library_path": "`+w[1]+`", "api_version": "1.3.0"}}`), 0o644)
		default:
			b := elftest.Lib{Soname: w[1], Needed: w[2:], Exports: []string{"f_" + w[1]}, Versions: []string{"GLIBC_2.2.5", "GLIBC_2.41"}}.Bytes()
			if strings.Contains(w[0], "libvulkan_radeon") {
				b = append(b, "xMesa 24.1.3-2\x00"...)
			}
			err = os.WriteFile(full, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	s, err := hostlibs.Discover(root, arch.X8664, hostlibs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	glvnd = []string{lib + "libGL.so.1.7.0 libGL.so.1 libGLX.so.0", lib + "libGL.so.1 -> libGL.so.1.7.0", lib + "libGLX.so.0 libGLX.so.0",
		lib + "libvulkan.so.1.4.309 libvulkan.so.1", lib + "libvulkan.so.1 -> libvulkan.so.1.4.309"}
	mesa = []string{lib + "libGLX_mesa.so.0.0.0 libGLX_mesa.so.0 libgallium-25.0.7-2.so", lib + "libGLX_mesa.so.0 -> libGLX_mesa.so.0.0.0",
		lib + "libgallium-25.0.7-2.so libgallium-25.0.7-2.so", lib + "libvulkan_radeon.so libvulkan_radeon.so",
		"usr/share/vulkan/icd.d/radeon.json libvulkan_radeon.so", "usr/share/vulkan/icd.d/gone.json libvulkan_gone.so",
		lib + "dri/radeonsi_dri.so libdril_dri.so", lib + "dri/swrast_dri.so libdril_dri.so"}
	nvidia = []string{lib + "libGLX_nvidia.so.535.247.01 libGLX_nvidia.so.0", lib + "libGLX_nvidia.so.0 -> libGLX_nvidia.so.535.247.01",
		"usr/share/vulkan/icd.d/nvidia.json libGLX_nvidia.so.0"}
	amdGPU    = &hostgpu.GPU{Index: 0, Address: "0000:03:00.0", Vendor: "1002", Device: "73bf", Name: "AMD Navi", Driver: "amdgpu", Family: "AMD", Nodes: []*hostgpu.Node{}}
	nvidiaGPU = &hostgpu.GPU{Index: 1, Address: "0000:04:00.0", Name: "NVIDIA RTX", Driver: "nvidia", DriverVersion: "535.247.01", Family: "NVIDIA",
		UUID: "GPU-1", Notes: []string{"a note"}, Nodes: []*hostgpu.Node{{Path: "/dev/nvidia0", State: hostgpu.Missing, Problem: "is missing", Hint: "make it", Why: "w"}}}
)

func report(t *testing.T, s *hostlibs.Stack, gpus ...*hostgpu.GPU) *Report {
	t.Helper()
	var r Rules
	var err error
	if r.Stack, err = configs.Default(); err != nil {
		t.Fatal(err)
	}
	if r.Devices, err = configs.DefaultDevices(); err != nil {
		t.Fatal(err)
	}
	rep, err := Make("1", "/host", nil, &hostgpu.Devices{Root: "/", GPUs: gpus, Shared: []*hostgpu.Node{}}, []Side{{Stack: s}}, r)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func serving(list []Serving, api string) Serving {
	for _, s := range list {
		if s.API == api {
			return s
		}
	}
	return Serving{}
}

// Two GPUs of two vendors: each has its own drivers.
func TestServed(t *testing.T) {
	a := report(t, host(t, slices.Concat(glvnd, mesa, nvidia)...), amdGPU, nvidiaGPU).Architectures[0]
	for _, c := range []struct {
		gpu                       int
		api, drivers, version, no string
	}{
		{0, "GL", "radeonsi_dri.so", "25.0.7-2", ""},
		{0, "Vulkan", "libvulkan_radeon.so", "24.1.3", ""},
		{1, "GL", "libGLX_nvidia.so.535.247.01", "535.247.01", ""},
		{1, "Vulkan", "libGLX_nvidia.so.535.247.01", "535.247.01", ""}, // one file, two APIs
		{0, "EGL", "", "", "the host has no EGL driver for the kernel's amdgpu"},
		{1, "GBM", "", "", "the host has no GBM driver for the kernel's nvidia"},
	} {
		s := serving(a.GPUs[c.gpu].APIs, c.api)
		if strings.Join(s.Drivers, " ") != c.drivers || s.Version != c.version || s.Missing != c.no {
			t.Errorf("GPU %d, %s: %+v", c.gpu, c.api, s)
		}
	}
	if s := serving(a.Software, "GL"); !slices.Equal(s.Drivers, []string{"swrast_dri.so"}) {
		t.Errorf("software: %+v", s)
	}
	gl := a.APIs[slices.IndexFunc(a.APIs, func(x *API) bool { return x.API == "GL" })]
	for _, p := range gl.Drivers {
		if want := map[string][]int{"libGLX_nvidia.so.0": {1}, "libGLX_mesa.so.0": nil}[p.Soname]; strings.HasPrefix(p.Soname, "libGLX_") && !slices.Equal(p.GPUs, want) {
			t.Errorf("%s is for %v", p.Soname, p.GPUs)
		}
	}
	// A file that is many drivers is called by what serves the machine, not by the first of its names.
	manyNames := func(a *Arch) string {
		for _, p := range a.APIs[slices.IndexFunc(a.APIs, func(x *API) bool { return x.API == "GL" })].Drivers {
			if p.Soname == "libdril_dri.so" {
				return p.label() + " of " + strings.Join(p.Names, ", ")
			}
		}
		return "not there"
	}
	linked := slices.Concat(glvnd, mesa, []string{lib + "dri/crocus_dri.so libdril_dri.so", lib + "dri/r300_dri.so -> crocus_dri.so",
		lib + "dri/radeonsi_dri.so -> crocus_dri.so", lib + "dri/swrast_dri.so -> crocus_dri.so"})
	linked = slices.DeleteFunc(linked, func(l string) bool {
		return strings.HasSuffix(l, "_dri.so libdril_dri.so") && !strings.Contains(l, "crocus")
	})
	for want, gpus := range map[string][]*hostgpu.GPU{
		"r300_dri.so, radeonsi_dri.so of crocus_dri.so, r300_dri.so, radeonsi_dri.so, swrast_dri.so": {amdGPU},
		"4 drivers in one file of crocus_dri.so, r300_dri.so, radeonsi_dri.so, swrast_dri.so":        nil,
	} {
		if got := manyNames(report(t, host(t, linked...), gpus...).Architectures[0]); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	if gl.FrontEnds[0].Version != "1.7.0" && gl.FrontEnds[1].Version != "1.7.0" {
		t.Errorf("front ends %+v", gl.FrontEnds)
	}
	if !slices.ContainsFunc(gl.Missing, func(m Missing) bool { return m.What == "libGLESv2.so.2" }) {
		t.Errorf("missing %+v", gl.Missing)
	}
	vk := a.APIs[slices.IndexFunc(a.APIs, func(x *API) bool { return x.API == "Vulkan" })]
	if i := slices.IndexFunc(vk.Drivers, func(p *Part) bool { return p.Soname == "libGLX_nvidia.so.0" }); i < 0 ||
		!slices.Equal(vk.Drivers[i].GPUs, []int{1}) || vk.Drivers[i].Role == "" || vk.Drivers[i].Role == gl.Drivers[0].Role ||
		vk.Drivers[i].Why != "named in /usr/share/vulkan/icd.d/nvidia.json" {
		t.Errorf("Vulkan's drivers %+v", vk.Drivers)
	}
	if !slices.ContainsFunc(vk.Missing, func(m Missing) bool { return strings.HasSuffix(m.What, "gone.json") && m.Why != "" }) {
		t.Errorf("missing %+v", vk.Missing)
	}
}

func TestProblemsAndPrint(t *testing.T) {
	stack := host(t, append(glvnd, lib+"libGLX_mesa.so.0 libGLX_mesa.so.0 libnowhere.so.1",
		lib+"libGLESv2.so.2 libGLESv2.so.2 libelsewhere.so.1")...)
	stack.Problems = []string{"OpenCL: a file: left out", "OpenCL: \x1b[2J: left out"} // of a hostile name
	r := report(t, stack, amdGPU, nvidiaGPU)
	all := strings.Join(r.Problems, "\n")
	for _, want := range []string{"x86_64: libelsewhere.so.1, which libGLESv2.so.2 needs, is not on the host",
		"libGLX_mesa.so.0 needs libnowhere.so.1, which the host does not have: left out", "GPU 1: a note", "x86_64: OpenCL: a file: left out",
		"/dev/nvidia0 is missing: make it", "x86_64: GPU 1: the host has no GL driver for the kernel's nvidia"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	for _, width := range []int{0, 60, 80, 200} {
		var plain, colored bytes.Buffer
		if err := r.Print(&plain, table.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		if err := r.Print(&colored, table.Style{Width: width, Colored: true}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plain.String(), "\x1b") || !strings.Contains(colored.String(), "\x1b[31mmissing\x1b[0m") {
			t.Errorf("colors at width %d", width)
		}
		for l := range strings.Lines(plain.String()) {
			if n := len([]rune(strings.TrimRight(l, "\n"))); width == 200 && n > width {
				t.Errorf("%d columns at width %d: %s", n, width, l)
			}
		}
		for _, want := range []string{"GPU 0: AMD Navi [1002:73bf]\n  0000:03:00.0, kernel driver amdgpu, not usable by this user\n", "kernel driver nvidia 535.247.01, GPU-1", "/dev/nvidia0"} {
			if !strings.Contains(plain.String(), want) {
				t.Errorf("width %d: no %q in\n%s", width, want, plain.String())
			}
		}
	}
	one, _ := json.Marshal(r)
	if !json.Valid(one) || bytes.Contains(one, []byte("null")) {
		t.Errorf("a null in %s", one)
	}
}

func TestSearch(t *testing.T) {
	pad := func(n int) string { return strings.Repeat("Mesa x", n/6) + strings.Repeat("y", n%6) }
	for _, n := range []int{0, 1, 1000, 256<<10 - 10, 256<<10 + 60, 256<<10 + 64, 512<<10 + 61, 1 << 20} {
		if got := search(strings.NewReader(pad(n) + "\x00Mesa 25.0.7-devel\x00" + pad(n/2))); got != "25.0.7" {
			t.Errorf("behind %d bytes: %q", n, got)
		}
	}
	for text, want := range map[string]string{"": "", "Mesa": "", "Mesa 25": "", "Mesa 22.3": "22.3", "Mesa 22.3.6": "22.3.6", "Mesa Project": ""} {
		if got := search(strings.NewReader(text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	for name, want := range map[string]string{"libGL.so.1": "", "libGL.so.1.7.0": "1.7.0", "libgallium-25.0.7-2+deb13u1.so": "25.0.7-2+deb13u1",
		"libEGL_mesa.so.0.0.0": "", "libcuda.so.535.247.01": "535.247.01", "iris_dri.so": "", "libstdc++.so.6.0.33": "6.0.33"} {
		if got := fileVersion("/usr/lib/" + name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Front ends by a pattern, and by names that are links to a file with another DT_SONAME, which is listed once.
func TestFrontEnds(t *testing.T) {
	a := report(t, host(t, lib+"libmali.so.1 libmali.so.1", lib+"libEGL.so.1 -> libmali.so.1", lib+"libGLESv2.so.2 -> libmali.so.1",
		lib+"libGLESv1_CM.so.1 -> libmali.so.1", lib+"libamdhip64.so.6 libamdhip64.so.6")).Architectures[0]
	for api, want := range map[string]string{"EGL": "libmali.so.1", "GL": "libmali.so.1", "AMD compute": "libamdhip64.so.6"} {
		got := a.APIs[slices.IndexFunc(a.APIs, func(x *API) bool { return x.API == api })]
		if len(got.FrontEnds) != 1 || got.FrontEnds[0].Soname != want || len(got.FrontEnds[0].Names) > 0 {
			t.Errorf("%s: %+v", api, got.FrontEnds)
		}
		for _, m := range got.Missing {
			if strings.HasPrefix(m.What, "libEGL") || strings.HasPrefix(m.What, "libGLES") {
				t.Errorf("%s is not missing", m.What)
			}
		}
	}
}
