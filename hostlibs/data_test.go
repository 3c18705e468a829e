package hostlibs

import (
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

// Data that drivers have compiled in where they are installed: in a store, or in somebody's own /opt. What lies below /usr is
// there once, and a directory without anything is there so that the runtime's is not taken for it.
func TestDataBesideLibraries(t *testing.T) {
	s := discover(t, files{
		"run/opengl-driver": "-> /nix/store/aaa-graphics-drivers",
		"nix/store/aaa-graphics-drivers/lib/libGLX_mesa.so.0":                       "-> /nix/store/ccc-mesa/lib/libGLX_mesa.so.0",
		"nix/store/aaa-graphics-drivers/share/drirc.d/00-mesa.conf":                 "-> /nix/store/ccc-mesa/share/drirc.d/00-mesa.conf",
		"nix/store/aaa-graphics-drivers/share/glvnd/egl_vendor.d/50_mesa.json":      icd("/nix/store/ccc-mesa/lib/libEGL_mesa.so.0"),
		"nix/store/aaa-graphics-drivers/share/vulkan/icd.d/radeon_icd.json":         icd("/nix/store/fff-amdvlk/lib/libvulkan_other.so"),
		"nix/store/aaa-graphics-drivers/share/vulkan/explicit_layer.d/overlay.json": layerJSON("OVERLAY", "/nix/store/ccc-mesa/lib/liboverlay.so"),
		"nix/store/ccc-mesa/share/drirc.d/00-mesa.conf":                             "<driconf/>",
		"nix/store/eee-libdrm/share/libdrm/amdgpu.ids":                              "1002",
		"nix/store/zzz-mesa-of-another-generation/share/drirc.d/00-mesa.conf":       "<driconf/>",
	}.and(libs("nix/store/ccc-mesa/lib", "libGLX_mesa.so.0", "libEGL_mesa.so.0", "liboverlay.so"), libs("nix/store/eee-libdrm/lib", "libdrm_amdgpu.so.1"),
		files{"nix/store/fff-amdvlk/lib/libvulkan_other.so": string(elftest.Lib{Soname: "libvulkan_other.so", Needed: []string{"libdrm_amdgpu.so.1"},
			RunPath: "/nix/store/eee-libdrm/lib"}.Bytes())}), Options{})
	got := map[string]string{}
	for _, d := range s.Data {
		if strings.Contains(d.Path, "drirc.d") || strings.Contains(d.Path, "libdrm") || strings.HasPrefix(d.Path, "/run/opengl-driver/share") {
			if _, twice := got[d.Path]; twice {
				t.Errorf("%s twice", d.Path)
			}
			got[d.Path] = ""
			for _, f := range d.Files {
				got[d.Path] += strings.TrimPrefix(f.Source, s.Root.Dir()) + " "
			}
		}
	}
	want := map[string]string{
		"/usr/share/drirc.d":                          "",
		"/usr/share/libdrm":                           "",
		"/run/opengl-driver/share/drirc.d":            "/nix/store/ccc-mesa/share/drirc.d/00-mesa.conf ",
		"/nix/store/ccc-mesa/share/drirc.d":           "/nix/store/ccc-mesa/share/drirc.d/00-mesa.conf ",
		"/nix/store/fff-amdvlk/share/drirc.d":         "",
		"/nix/store/eee-libdrm/share/libdrm":          "/nix/store/eee-libdrm/share/libdrm/amdgpu.ids ",
		"/run/opengl-driver/share/glvnd/egl_vendor.d": "/nix/store/aaa-graphics-drivers/share/glvnd/egl_vendor.d/50_mesa.json ",
		"/run/opengl-driver/share/vulkan/icd.d":       "/nix/store/aaa-graphics-drivers/share/vulkan/icd.d/radeon_icd.json ",
	}
	for p, files := range want {
		if f, ok := got[p]; !ok || f != files {
			t.Errorf("%s: %q", p, f)
		}
	}
	for p := range got {
		if strings.HasPrefix(p, "/nix/store/zzz") {
			t.Errorf("%s is no driver's in use", p)
		}
	}
}

func TestPrefix(t *testing.T) {
	for library, want := range map[string]string{"/usr/lib/x86_64-linux-gnu/a.so": "/usr", "/lib/a.so": "", "/opt/mesa/lib64/dri/a.so": "/opt/mesa",
		"/nix/store/x/lib/a.so": "/nix/store/x", "/opt/liba.so": "", "/a.so": ""} {
		if got := prefix(library); got != want {
			t.Errorf("%s: %q", library, got)
		}
	}
}

// The Windows driver's parts are shown as a whole where there is a libdxcore.
func TestWSLData(t *testing.T) {
	f := libs("usr/lib/wsl/lib", "libcuda.so.1", "libdxcore.so").and(files{"usr/lib/wsl/drivers/nv_1/libcuda.so.1.1": "x"})
	s := discover(t, f, Options{})
	if !slices.ContainsFunc(s.Data, func(d DataFile) bool { return d.Path == "/usr/lib/wsl/drivers" && d.Tree }) {
		t.Errorf("%+v", s.Data)
	}
}
