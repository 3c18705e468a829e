package hostlibs

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// use returns what an API has a library for.
func (l *Library) use(api string) *Use {
	if l == nil {
		return nil
	}
	for i := range l.Uses {
		if l.Uses[i].API == api {
			return &l.Uses[i]
		}
	}
	return nil
}

func TestVideo(t *testing.T) {
	s := discover(t, edited(map[string]string{
		multiarch + "libva.so.2":                 lib("libva.so.2"),
		multiarch + "libva-x11.so.2":             lib("libva-x11.so.2", "libva.so.2"),
		multiarch + "dri/radeonsi_drv_video.so":  lib("libgallium_drv_video.so"),
		multiarch + "dri/r600_drv_video.so":      "= " + multiarch + "dri/radeonsi_drv_video.so",
		multiarch + "dri/nouveau_drv_video.so":   "-> radeonsi_drv_video.so",
		multiarch + "libvdpau.so.1":              lib("libvdpau.so.1"),
		multiarch + "vdpau/libvdpau_r600.so.1":   lib("libvdpau_r600.so.1"),
		multiarch + "vdpau/libvdpau_trace.so.1":  lib("libvdpau_trace.so.1"),
		multiarch + "vdpau/libvdpau_r600.so.1.0": "-> libvdpau_r600.so.1",
	}), Options{})
	u := s.library("libgallium_drv_video.so").use("VA-API")
	if u == nil || !u.Driver || u.Module == nil || u.Module.Variable != "LIBVA_DRIVERS_PATH" ||
		!slices.Equal(u.Names, []string{"nouveau_drv_video.so", "r600_drv_video.so", "radeonsi_drv_video.so"}) {
		t.Errorf("VA-API: %+v", u)
	}
	if u := s.library("libvdpau_r600.so.1").use("VDPAU"); u == nil || !u.Driver || !slices.Equal(u.Names, []string{"libvdpau_r600.so.1"}) {
		t.Errorf("VDPAU: %+v", u)
	}
	if s.library("libvdpau_trace.so.1") != nil {
		t.Error("libvdpau's own library is taken for a driver")
	}
	for _, n := range []string{"libva.so.2", "libva-x11.so.2", "libvdpau.so.1"} {
		if l := s.library(n); l == nil || l.Role != RoleFrontEnd {
			t.Errorf("%s: %+v", n, l)
		}
	}
}

// In sid Mesa's VA-API driver, GBM backend and the rest are one library.
func TestOneLibraryForSeveralAPIs(t *testing.T) {
	s := discover(t, edited(map[string]string{
		multiarch + "dri/radeonsi_drv_video.so": "-> ../libgallium.so",
		"usr/share/vulkan/icd.d/glx.json":       icd("libGLX_mesa.so.0"),
	}), Options{})
	if l := s.library("libgallium.so"); l.use("VA-API") == nil || l.Role != "va-driver" {
		t.Errorf("%+v", l)
	}
	if l := s.library("libGLX_mesa.so.0"); l.use("GL") == nil || l.use("Vulkan") == nil || l.Role != "glx-vendor" {
		t.Errorf("%+v", l)
	}
}

func TestOpenCL(t *testing.T) {
	files := edited(map[string]string{
		"etc/OpenCL/vendors/pocl.icd":                     "libpocl.so.2\n",
		"etc/OpenCL/vendors/intel.icd":                    "  /opt/intel/libigdrcl.so  \r\nmore\n",
		"etc/OpenCL/vendors/empty.icd":                    "\n",
		"etc/OpenCL/vendors/none.icd":                     "libnone.so",
		"etc/OpenCL/vendors/README":                       "no",
		"opt/intel/libigdrcl.so":                          lib("libigdrcl.so"),
		"opt/own/own.icd":                                 "libown.so",
		multiarch + "libOpenCL.so.1":                      lib("libOpenCL.so.1"),
		multiarch + "libpocl.so.2":                        lib("libpocl.so.2"),
		multiarch + "libown.so":                           lib("libown.so"),
		"usr/share/pocl/kernel.bc":                        "BC",
		"usr/share/pocl/include/pocl.h":                   "x",
		"usr/lib/llvm-19/lib/clang/19/include/opencl-c.h": "x",
	})
	for _, c := range []struct {
		env  map[string]string
		want []string // path: library or why not
	}{
		{nil, []string{"/etc/OpenCL/vendors/empty.icd: names no library", "/etc/OpenCL/vendors/intel.icd: libigdrcl.so",
			"/etc/OpenCL/vendors/none.icd: libnone.so not found", "/etc/OpenCL/vendors/pocl.icd: libpocl.so.2"}},
		{map[string]string{"OCL_ICD_VENDORS": "/opt/own"}, []string{"/opt/own/own.icd: libown.so"}},
		{map[string]string{"OCL_ICD_VENDORS": "/opt/own/own.icd"}, []string{"/opt/own/own.icd: libown.so"}},
		{map[string]string{"OCL_ICD_VENDORS": "libown.so"}, []string{": libown.so"}},
		{map[string]string{"OPENCL_VENDOR_PATH": "/opt/own"}, []string{"/opt/own/own.icd: libown.so"}},
		{map[string]string{"OCL_ICD_VENDORS": "/opt/own", "OCL_ICD_FILENAMES": "/opt/intel/libigdrcl.so:libpocl.so.2:libnone.so"},
			[]string{"/opt/own/own.icd: libown.so", ": libigdrcl.so", ": libpocl.so.2", ": libnone.so not found"}},
	} {
		s := discover(t, files, Options{Getenv: func(k string) string { return c.env[k] }})
		var got []string
		for _, m := range s.Manifests {
			if m.Kind != "opencl-icd" {
				continue
			}
			text := m.Skipped
			if m.Library != nil {
				text = m.Library.Name
			}
			got = append(got, m.Path+": "+text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %q", c.env, got)
		}
	}
	s := discover(t, files, Options{})
	trees := map[string]bool{}
	for _, d := range s.Data {
		if d.Tree {
			trees[d.Path] = len(d.Files) == 1 && d.Files[0].Path == d.Path
		}
	}
	if len(trees) != 2 || !trees["/usr/share/pocl"] || !trees["/usr/lib/llvm-19/lib/clang/19/include"] {
		t.Errorf("trees %v", trees)
	}
	delete(files, "etc/OpenCL/vendors/pocl.icd")
	for _, d := range discover(t, files, Options{}).Data {
		if d.Tree {
			t.Errorf("%s without pocl", d.Path)
		}
	}
}

func TestOpenXR(t *testing.T) {
	runtime := `{"file_format_version": "1.0.0", "runtime": {"library_path": "../../../usr/lib/x86_64-linux-gnu/libopenxr_monado.so"}}`
	files := edited(map[string]string{
		"etc/openxr/1/active_runtime.json":          runtime,
		multiarch + "libopenxr_monado.so":           lib("libopenxr_monado.so"),
		"home/u/steamxr.json":                       `{"runtime": {"library_path": "/opt/steamxr.so"}}`,
		"opt/steamxr.so":                            lib("steamxr.so"),
		"etc/openxr/1/api_layers/explicit.d/x.json": `{"api_layer": {"name": "X", "library_path": "libown.so"}}`,
		multiarch + "libown.so":                     lib("libown.so"),
	})
	s := discover(t, files, Options{})
	if u := s.library("libopenxr_monado.so").use("OpenXR"); u == nil || !u.Driver {
		t.Errorf("%+v", u)
	}
	if u := s.library("libown.so").use("OpenXR"); u == nil || u.Driver {
		t.Errorf("%+v", u)
	}
	// The file for the architecture goes first, the user's before the machine's, and one alone counts.
	files["etc/openxr/1/active_runtime.x86_64.json"] = `{"runtime": {"library_path": "libown.so"}}`
	files["etc/openxr/1/active_runtime.i686.json"] = `{"runtime": {"library_path": "libother.so"}}`
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "/etc/openxr/1/active_runtime.x86_64.json"},
		{map[string]string{"XR_RUNTIME_JSON": "/home/u/steamxr.json"}, "/home/u/steamxr.json"},
	} {
		s := discover(t, files, Options{Getenv: func(k string) string { return c.env[k] }})
		var got []string
		for _, m := range s.Manifests {
			if m.Kind == "openxr-runtime" {
				got = append(got, m.Path)
			}
		}
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%v: %q", c.env, got)
		}
	}
}

func TestNVIDIA(t *testing.T) {
	s := discover(t, edited(map[string]string{
		multiarch + "libGLX_nvidia.so.0":                lib("libGLX_nvidia.so.0"),
		multiarch + "libcuda.so.1":                      lib("libcuda.so.1"),
		multiarch + "libnvidia-ml.so.1":                 lib("libnvidia-ml.so.1"),
		multiarch + "libnvidia-ptxjitcompiler.so.1":     lib("libnvidia-ptxjitcompiler.so.1"),
		multiarch + "libnvidia-egl-wayland.so.1":        lib("libnvidia-egl-wayland.so.1"),
		"usr/share/vulkan/icd.d/nvidia_icd.json":        icd("libGLX_nvidia.so.0"),
		"usr/share/egl/egl_external_platform.d/10.json": icd("libnvidia-egl-wayland.so.1"),
		"usr/share/nvidia/nvoptix.bin":                  "x",
	}), Options{})
	if l := s.library("libGLX_nvidia.so.0"); l.use("GL") == nil || l.use("Vulkan") == nil {
		t.Errorf("%+v", l)
	}
	for name, api := range map[string]string{"libcuda.so.1": "CUDA", "libnvidia-ml.so.1": "NVIDIA"} {
		if u := s.library(name).use(api); u == nil || u.Role != RoleFrontEnd {
			t.Errorf("%s: %+v", name, u)
		}
	}
	if l := s.library("libnvidia-ptxjitcompiler.so.1"); l == nil || l.Role != RoleOpened || l.Found != FoundList {
		t.Errorf("%+v", l)
	}
	if u := s.library("libnvidia-egl-wayland.so.1").use("EGL"); u == nil || u.Driver {
		t.Errorf("%+v", u)
	}
	if !slices.ContainsFunc(s.Data, func(d DataFile) bool { return d.Path == "/usr/share/nvidia" }) {
		t.Errorf("%+v", s.Data)
	}
}

// A host of compute alone has a stack.
func TestComputeAlone(t *testing.T) {
	s := discover(t, map[string]string{multiarch + "libhsa-runtime64.so.1": lib("libhsa-runtime64.so.1"),
		multiarch + "libamdhip64.so.6": lib("libamdhip64.so.6"), multiarch + "libamdhip64.so": "-> libamdhip64.so.6"}, Options{})
	if got := names(s.Libraries); !slices.Equal(got, []string{"libhsa-runtime64.so.1", "libamdhip64.so.6"}) {
		t.Errorf("%q", got)
	}
}

// What is wrong with the driver of an API that not every program uses is told, and no more.
func TestToleratedErrors(t *testing.T) {
	s := discover(t, edited(map[string]string{
		multiarch + "libOpenCL.so.1":       "not ELF",
		multiarch + "dri/x_drv_video.so":   "not ELF",
		"etc/OpenCL/vendors/x.icd":         "libtext.so",
		multiarch + "libtext.so":           "not ELF",
		"etc/openxr/1/active_runtime.json": "{",
	}), Options{})
	left := leftOutBesides(s)
	if len(left) != 4 || len(s.Problems) != 0 || s.library("libGL.so.1") == nil || s.library("libtext.so") != nil {
		t.Errorf("%q, %q", left, s.Problems)
	}
}

func TestOpenCLErrors(t *testing.T) {
	for _, text := range []string{"a\x00b", strings.Repeat("a", maxLine+1)} {
		s := discover(t, edited(map[string]string{"etc/OpenCL/vendors/x.icd": text}), Options{})
		left := leftOutBesides(s)
		if len(left) != 1 || !strings.HasPrefix(left[0], "OpenCL: ") || !strings.Contains(left[0], filepath.Join("vendors", "x.icd")) {
			t.Errorf("%.10q: %q", text, left)
		}
	}
}

// FuzzLine: a path without white space around it and without NUL, or an error.
func FuzzLine(f *testing.F) {
	f.Add([]byte("libpocl.so.2\n"))
	f.Add([]byte(" /opt/a b/c.so \r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		line, err := parseLine(b)
		if err != nil && (line != "" || !errors.Is(err, ErrManifest)) {
			t.Fatalf("%q, %v", line, err)
		}
		if strings.ContainsAny(line, "\x00\n") || strings.TrimSpace(line) != line || len(line) > maxLine {
			t.Fatalf("%q", line)
		}
	})
}
