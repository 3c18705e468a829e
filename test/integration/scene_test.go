//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/test/scene"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// sceneDrawing is what capsule-scene writes, in full: no field may be unknown.
type sceneDrawing struct {
	API      string `json:"api"`
	Platform string `json:"platform"`
	report.Drawing
	picture *scene.Picture // nil where none was written
}

// sceneDir has capsule-scene for an architecture, and takes the pictures; its path is the same natively and in capsules.
func sceneDir(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile("../../cshim/out/" + arch + "/capsule-scene")
	must(t, err)
	must(t, os.WriteFile(dir+"/capsule-scene", b, 0o755))
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // some run as an ordinary user
	must(t, os.Chmod(dir, 0o777))
	return dir
}

// read takes the JSON and the picture of a run, which must end with 0 whatever has happened.
func (r result) read(t *testing.T, dir, name string) sceneDrawing {
	t.Helper()
	var d sceneDrawing
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil || r.status != 0 || dec.More() {
		t.Fatalf("%s: exit status %d, %v\n%s", name, r.status, err, tail(r.both()))
	}
	if (d.Error == "") != (d.Step == "") || d.Missing && d.Error == "" {
		t.Errorf("%s: error %q in step %q, missing: %v", name, d.Error, d.Step, d.Missing)
	}
	file := filepath.Join(dir, name+".pam")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return d
	}
	must(t, err)
	must(t, os.Remove(file))
	d.picture, err = scene.Read(b)
	must(t, err)
	return d
}

// sceneIn draws in a capsule, sceneOn natively in the host's tree.
func sceneIn(t *testing.T, l launch, dir, name string) sceneDrawing {
	t.Helper()
	l.argv = []string{dir + "/capsule-scene", name, dir + "/" + name + ".pam"}
	return l.emulated(t).run(t).read(t, dir, name)
}

func sceneOn(t *testing.T, root string, l launch, dir, name string) sceneDrawing {
	t.Helper()
	env := slices.Clone(l.env)
	if l.display != nil {
		env = append(env, l.display.Env()...)
	}
	return natively(t, root, "", env, dir+"/capsule-scene", name, dir+"/"+name+".pam").read(t, dir, name)
}

// sameScene demands a picture that is right, and the same from the same driver on both sides.
func sameScene(t *testing.T, name string, native, capsule sceneDrawing) {
	t.Helper()
	for side, d := range map[string]sceneDrawing{"natively": native, "in the capsule": capsule} {
		if d.Error != "" || d.picture == nil {
			t.Fatalf("%s %s: %s: %s", name, side, d.Step, d.Error)
		}
		if err := scene.Check(d.picture); err != nil {
			t.Errorf("%s %s: %v", name, side, err)
		}
		if d.Start <= 0 || d.Frame <= 0 || len(d.Libraries) < 4 {
			t.Errorf("%s %s: start %v ms, frame %v ms, %d libraries", name, side, d.Start, d.Frame, len(d.Libraries))
		}
	}
	if *native.picture != *capsule.picture {
		t.Errorf("%s: another picture in the capsule", name)
	}
	// All but what depends on where it ran.
	a, b := native, capsule
	for _, d := range []*sceneDrawing{&a, &b} {
		d.picture, d.Libraries, d.Start, d.Frame = nil, nil, 0, 0
	}
	x, err := json.Marshal(a)
	must(t, err)
	y, err := json.Marshal(b)
	must(t, err)
	if !bytes.Equal(x, y) {
		t.Errorf("%s natively\n%s\nin the capsule\n%s", name, x, y)
	}
	if !slices.ContainsFunc(capsule.Libraries, func(l string) bool { return strings.Contains(l, "/host/") }) {
		t.Errorf("%s: no library is the host's: %q", name, capsule.Libraries)
	}
}

var windowless = []string{"gl-surfaceless", "gl-device", "gles-surfaceless", "vulkan"}

// Every API with a software driver that Debian's Mesa has, on the oldest runtime; two on the others, and at the driver
// boundary.
func TestScene(t *testing.T) {
	display := xvfb.Start(t)
	dir := sceneDir(t, "x86_64")
	host := trees.Tree(t, "host13")
	for runtime, names := range map[string][]string{
		"runtime11": append([]string{"glx", "egl-x11", "vulkan-x11"}, windowless...),
		"runtime12": {"gl-surfaceless", "vulkan"},
		"runtime13": {"gl-surfaceless", "vulkan"},
		"host13":    {"glx", "vulkan"},
	} {
		l := launch{runtime: trees.Tree(t, runtime), host: host, display: display}
		if runtime == "host13" {
			l.flags = []string{"--boundary", "driver"}
		}
		for _, name := range names {
			t.Run(runtime+"/"+name, func(t *testing.T) {
				native := sceneOn(t, host, l, dir, name)
				sameScene(t, name, native, sceneIn(t, l, dir, name))
				if !native.Software || !strings.Contains(native.Device, "llvmpipe") || native.Extensions < 50 {
					t.Errorf("drawn by %q, software: %v, %d extensions", native.Device, native.Software, native.Extensions)
				}
			})
		}
	}
	t.Run("without namespaces", func(t *testing.T) {
		l := launch{runtime: trees.Tree(t, "runtime11"), host: host, flags: []string{"--isolation", "none"}}
		native := sceneOn(t, host, l, dir, "gl-surfaceless")
		capsule := sceneIn(t, l, dir, "gl-surfaceless")
		if capsule.picture == nil || *capsule.picture != *native.picture {
			t.Errorf("%s: %s", capsule.Step, capsule.Error)
		}
	})
}

func TestSceneI386(t *testing.T) {
	l := launch{runtime: trees.Tree(t, "runtime11i386"), host: trees.Tree(t, "host13i386"), display: xvfb.Start(t)}
	dir := sceneDir(t, "i386")
	for _, name := range []string{"gl-surfaceless", "glx", "vulkan"} {
		sameScene(t, name, sceneOn(t, l.host, l, dir, name), sceneIn(t, l, dir, name))
	}
}

// On this machine's own drivers, under a compositor.
func TestSceneWayland(t *testing.T) {
	l := launch{runtime: trees.Tree(t, "runtime11"), env: startWeston(t).env}
	dir := sceneDir(t, "x86_64")
	for _, name := range []string{"egl-wayland", "vulkan-wayland"} {
		sameScene(t, name, sceneOnMachine(t, l.env, dir, name), sceneIn(t, l, dir, name))
	}
}

// sceneOnMachine draws on the machine itself, with nothing else in the environment.
func sceneOnMachine(t *testing.T, env []string, dir, name string) sceneDrawing {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), dir+"/capsule-scene", name, dir+"/"+name+".pam")
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + home}, env...)
	return toEnd(t, t.Context(), cmd).read(t, dir, name)
}

func TestSceneOpenCL(t *testing.T) {
	dir := sceneDir(t, "x86_64")
	host := trees.Tree(t, "host13compute")
	native := sceneOn(t, host, launch{}, dir, "opencl")
	for _, c := range openCL {
		l := launch{runtime: trees.Tree(t, c.runtime), host: host, flags: []string{"--boundary", c.boundary}}
		capsule := sceneIn(t, l, dir, "opencl")
		sameScene(t, c.boundary, native, capsule)
	}
	if !native.Software || len(native.Devices) == 0 {
		t.Errorf("drawn by %q, one of %q, software: %v", native.Device, native.Devices, native.Software)
	}
}

// VDPAU on OpenGL, and VA-API with the tests' own driver, which tells profiles and has a surface.
func TestSceneVideo(t *testing.T) {
	dir := sceneDir(t, "x86_64")
	l := launch{runtime: trees.Tree(t, "runtime11compute"), host: trees.ComputeHost(t), display: xvfb.Start(t),
		env: []string{"VDPAU_DRIVER=va_gl", "LIBVA_DRIVER_NAME=capsuletest"}}
	for _, name := range []string{"vdpau", "va-api"} {
		native := sceneOn(t, l.host, l, dir, name)
		sameScene(t, name, native, sceneIn(t, l, dir, name))
		if name == "va-api" && (native.Platform != "x11" || !slices.Contains(native.Facts, "H264Main: decode")) {
			t.Errorf("on %s: %q", native.Platform, native.Facts)
		}
	}
}

// What is not there is said, with the step, in words that a report can show.
func TestSceneWithout(t *testing.T) {
	dir := sceneDir(t, "x86_64")
	runtime, compute := trees.Tree(t, "runtime11"), trees.Tree(t, "runtime11compute")
	host := trees.Tree(t, "host13")
	for _, c := range []struct {
		name, root string
		env        []string
		missing    bool
		step, want string
	}{
		{"gl-surfaceless", runtime, nil, true, "libEGL.so.1", "cannot open shared object file"},
		{"glx", runtime, nil, true, "libGL.so.1", "cannot open shared object file"},
		{"vulkan", runtime, nil, true, "libvulkan.so.1", "cannot open shared object file"},
		{"opencl", compute, nil, true, "libOpenCL.so.1", "cannot open shared object file"},
		{"cuda", runtime, nil, true, "libcuda.so.1", "cannot open shared object file"},
		{"va-api", compute, nil, true, "libva.so.2", "cannot open shared object file"},
		{"vdpau", compute, nil, true, "libvdpau.so.1", "cannot open shared object file"},
		{"glx", host, nil, false, "XOpenDisplay", "DISPLAY is not set"},
		{"glx", host, []string{"DISPLAY=:4711"}, false, "XOpenDisplay", "no connection to display :4711"},
		{"egl-x11", host, nil, false, "XOpenDisplay", "DISPLAY is not set"},
		{"vulkan-x11", host, nil, false, "XOpenDisplay", "DISPLAY is not set"},
		{"egl-wayland", host, nil, false, "wl_display_connect", "WAYLAND_DISPLAY is not set"},
		{"vulkan-wayland", host, []string{"WAYLAND_DISPLAY=x"}, false, "wl_display_connect", "WAYLAND_DISPLAY is x"},
		{"vulkan", host, []string{"VK_ICD_FILENAMES=/nowhere", "VK_DRIVER_FILES=/nowhere"}, false, "vkCreateInstance",
			"VK_ERROR_INCOMPATIBLE_DRIVER"},
		{"vulkan@1", host, nil, false, "choose a device", "there is no device 1: there are 1"},
		{"gl-device@9", host, nil, false, "choose a device", "there is no device 9: there are 1"},
		{"gl-surfaceless", host, []string{"__EGL_VENDOR_LIBRARY_FILENAMES=/nowhere"}, false, "eglQueryString",
			"no driver is there"},
	} {
		d := sceneOn(t, c.root, launch{env: c.env}, dir, c.name)
		if d.Missing != c.missing || d.Step != c.step || !strings.Contains(d.Error, c.want) || d.picture != nil {
			t.Errorf("%s with %q: missing: %v, step %q, error %q", c.name, c.env, d.Missing, d.Step, d.Error)
		}
	}
	// Through the capsule, the same words.
	l := launch{runtime: runtime, host: host}
	if d := sceneIn(t, l, dir, "glx"); d.Error != "DISPLAY is not set" || d.Missing {
		t.Errorf("%+v", d)
	}
	if d := sceneIn(t, l, dir, "cuda"); !d.Missing {
		t.Errorf("%+v", d)
	}
	if d := sceneOn(t, host, launch{}, dir, "vulkan@0"); d.picture == nil {
		t.Errorf("%+v", d)
	}
	// A picture that cannot be written is an error, too.
	r := natively(t, host, "", nil, dir+"/capsule-scene", "gl-surfaceless", "/nowhere/picture")
	if d := r.read(t, dir, "gl-surfaceless"); d.Step != "write the picture" {
		t.Errorf("%+v", d)
	}
	// What it is asked for and does not have is no scene.
	for _, args := range [][]string{{"glide", "x"}, {"vulkan@", "x"}, {"vulkan@x", "x"}, {"vulkan@-1", "x"}, {"glx@0", "x"}, {"vulkan"}, nil} {
		if r := natively(t, host, "", nil, append([]string{dir + "/capsule-scene"}, args...)...); r.status != 2 || r.stdout != "" {
			t.Errorf("%q: exit status %d, %q", args, r.status, r.stdout)
		}
	}
	list := natively(t, host, "", nil, dir+"/capsule-scene", "--list")
	if list.status != 0 || strings.Count(list.stdout, "\n") < 10 || !strings.Contains(list.stdout, "vulkan\tVulkan\tmemory\n") {
		t.Errorf("--list: exit status %d\n%s", list.status, list.both())
	}
}

// hostileCL is a libOpenCL whose platform and device have names that end nowhere, are no UTF-8, and would end a JSON string.
const hostileCL = `
#include <string.h>
int clGetPlatformIDs(unsigned n, void **p, unsigned *count) { p[0] = p; *count = 4000000000u; for (unsigned k = 0; k < n; k++) p[k] = p; return 0; }
int clGetPlatformInfo(void *p, unsigned what, unsigned long size, char *to, void *n) { memset(to, '"', size); return 0; }
int clGetDeviceIDs(void *p, unsigned long type, unsigned n, void **d, unsigned *count) { *count = 4000000000u; for (unsigned k = 0; k < n; k++) d[k] = d; return 0; }
int clGetDeviceInfo(void *p, unsigned what, unsigned long size, char *to, void *n) {
	static const char text[] = "\xff\xc3\x28\xed\xa0\x80\\ \x01\x7f </script>\n";
	memset(to, 'x', size);
	for (unsigned long k = 0; k + sizeof text < size; k += sizeof text - 1) memcpy(to + k, text, sizeof text - 1);
	return 0;
}
void *clCreateContext(void *a, unsigned b, void *c, void *d, void *e, int *status) { *status = -2000000000; return 0; }
#define NO(name) int name(void) { return -1; }
NO(clCreateCommandQueue) NO(clCreateProgramWithSource) NO(clBuildProgram) NO(clGetProgramBuildInfo) NO(clCreateKernel)
NO(clCreateBuffer) NO(clSetKernelArg) NO(clEnqueueNDRangeKernel) NO(clEnqueueReadBuffer)
`

func TestSceneHostileStrings(t *testing.T) {
	dir := sceneDir(t, "x86_64")
	cmd := exec.Command("cc", "-w", "-shared", "-fPIC", "-xc", "-", "-o", dir+"/libOpenCL.so.1")
	cmd.Stdin = strings.NewReader(hostileCL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := sceneOnMachine(t, []string{"LD_LIBRARY_PATH=" + dir}, dir, "opencl")
	if d.Step != "clCreateContext" || d.Error != "clCreateContext: error -2000000000" {
		t.Errorf("%s: %s", d.Step, d.Error)
	}
	if len(d.Device) < 100 || len(d.Device) > 3*512 || !strings.Contains(d.Device, "</script>\n") || !strings.Contains(d.Device, "\ufffd(") {
		t.Errorf("the device is %q", d.Device)
	}
	if len(d.Devices) > 100 || len(d.Facts) > 1000 || len(d.Facts) == 0 || len(d.Facts[0]) > 512 {
		t.Errorf("%d devices, %d facts", len(d.Devices), len(d.Facts))
	}
}

// NVIDIA's drivers without a GPU: their own words, natively and in the capsule. Not as root (nvidia_test.go says why).
func TestSceneNVIDIA(t *testing.T) {
	n := newNVIDIA(t, "runtime11", "--boundary", "frontend")
	dir := sceneDir(t, "x86_64")
	for name, want := range map[string][]string{
		"cuda": {`"error":"cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"`, `"version":"12.4"`,
			`"NVML: Driver Not Loaded"`},
		"vulkan":    {`"error":"vkCreateInstance: VK_ERROR_INCOMPATIBLE_DRIVER"`},
		"gl-device": {`"error":"EGL has no devices"`},
	} {
		n.env = []string{"VK_ICD_FILENAMES=/usr/share/vulkan/icd.d/nvidia_icd.json"}
		if name == "gl-device" {
			n.env = []string{"__EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json"}
		}
		command := []string{dir + "/capsule-scene", name, dir + "/none"}
		for side, out := range map[string]string{"natively": n.natively(command...), "in the capsule": n.inside(command...)} {
			for _, w := range want {
				if !strings.Contains(out, w) {
					t.Errorf("%s %s, without %s:\n%s", name, side, w, out)
				}
			}
		}
	}
}

// Drawn with code that LLVM has made for another processor. In qemu-user that takes long: once is enough.
func TestSceneAArch64(t *testing.T) {
	l := launch{runtime: trees.Tree(t, "runtime11arm64"), host: trees.Tree(t, "host13arm64")}
	d := sceneIn(t, l, sceneDir(t, "aarch64"), "gl-surfaceless")
	if d.Error != "" || d.picture == nil {
		t.Fatalf("%s: %s", d.Step, d.Error)
	}
	if err := scene.Check(d.picture); err != nil {
		t.Error(err)
	}
}
