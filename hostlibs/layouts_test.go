package hostlibs

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// files of a tree by path; see makeHost for what the texts mean.
type files map[string]string

// and joins trees; a later one wins.
func (f files) and(more ...files) files {
	out := maps.Clone(f)
	for _, m := range more {
		maps.Copy(out, m)
	}
	return out
}

// libs puts libraries into a directory, each written "SONAME NEEDED…".
func libs(dir string, texts ...string) files {
	f := files{}
	for _, t := range texts {
		words := strings.Fields(t)
		f[path.Join(dir, words[0])] = lib(words[0], words[1:]...)
	}
	return f
}

// i386 does the same with libraries of another architecture, of which only the header is there.
func i386(dir string, names ...string) files {
	f := files{}
	for _, n := range names {
		f[path.Join(dir, n)] = string(elftest.Lib{Machine: elf.EM_386, Soname: n}.Bytes())
	}
	return f
}

// cached is an ld.so.cache with libraries in the order of their paths.
func cached(paths ...string) files {
	var entries []ldcache.Entry
	for _, p := range paths {
		entries = append(entries, ldcache.Entry{Name: path.Base(p), Path: p, Flags: arch.X8664.CacheFlags})
	}
	b, err := ldcache.Write(entries)
	if err != nil {
		panic(err)
	}
	return files{"etc/ld.so.cache": string(b)}
}

var glvnd = []string{"libGL.so.1 libGLX.so.0", "libGLX.so.0 libGLdispatch.so.0", "libGLdispatch.so.0", "libEGL.so.1 libGLdispatch.so.0", "libvulkan.so.1"}

func layerJSON(name, library string) string {
	return fmt.Sprintf(`{"layer": {"name": %q, "library_path": %q}}`, name, library)
}

// Hosts of one oddity each. A library is told as "path how found", with the rule of the loader by which its file is found
// and the sign that it belongs to the stack.
func TestHostLayouts(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   files
		env     map[string]string
		want    map[string]string
		absent  []string
		missing map[string]string // DT_NEEDED that is not there: of whom
		skipped map[string]string // manifests: why
	}{
		{
			name: "Debian with alternatives of two vendors",
			files: libs("usr/lib/x86_64-linux-gnu", append(glvnd, "libGLX_mesa.so.0 libgallium.so", "libgallium.so", "libEGL_mesa.so.0")...).and(
				libs("usr/lib/x86_64-linux-gnu/nvidia/current", "libGLX_nvidia.so.550.1 libnvidia-glcore.so.550.1", "libnvidia-glcore.so.550.1", "libnvidia-glvkspirv.so.550.1"),
				files{
					"usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0":                               "-> /etc/alternatives/glx--libGLX_nvidia.so.0-x86_64-linux-gnu",
					"etc/alternatives/glx--libGLX_nvidia.so.0-x86_64-linux-gnu":                 "-> /usr/lib/x86_64-linux-gnu/nvidia/current/libGLX_nvidia.so.550.1",
					"usr/lib/x86_64-linux-gnu/libnvidia-glcore.so.550.1":                        "-> nvidia/current/libnvidia-glcore.so.550.1",
					"usr/share/glvnd/egl_vendor.d/50_mesa.json":                                 icd("libEGL_mesa.so.0"),
					"usr/share/vulkan/icd.d/nvidia_icd.json":                                    "-> /etc/alternatives/nvidia_icd.json",
					"etc/alternatives/nvidia_icd.json":                                          icd("libGLX_nvidia.so.0"),
					"usr/share/glvnd/egl_vendor.d/10_nvidia.json":                               "-> /etc/alternatives/gone",
					"usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-gtk3.so.550.1":           lib("libnvidia-gtk3.so.550.1"),
					"usr/lib/x86_64-linux-gnu/nvidia/legacy-390xx/libnvidia-glvkspirv.so.390.1": lib("libnvidia-glvkspirv.so.390.1"),
				}),
			want: map[string]string{
				"libGL.so.1":                   "/usr/lib/x86_64-linux-gnu/libGL.so.1 default directory rule",
				"libGLX_mesa.so.0":             "/usr/lib/x86_64-linux-gnu/libGLX_mesa.so.0 default directory rule",
				"libGLX_nvidia.so.550.1":       "/usr/lib/x86_64-linux-gnu/nvidia/current/libGLX_nvidia.so.550.1 default directory rule",
				"libnvidia-glcore.so.550.1":    "/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-glcore.so.550.1 default directory DT_NEEDED",
				"libnvidia-glvkspirv.so.550.1": "/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-glvkspirv.so.550.1 path same version",
			},
			absent:  []string{"libnvidia-gtk3.so.550.1", "libnvidia-glvkspirv.so.390.1"},
			skipped: map[string]string{"10_nvidia.json": "there is no such file, or it is a link to nothing"},
		},
		{
			name: "Fedora: lib64, manifests of two architectures with absolute paths",
			files: files{"lib": "-> usr/lib", "lib64": "-> usr/lib64", "bin": "-> usr/bin", "usr/bin/true": "x",
				"usr/share/vulkan/icd.d/radeon_icd.x86_64.json": icd("/usr/lib64/libvulkan_radeon.so"),
				"usr/share/vulkan/icd.d/radeon_icd.i686.json":   icd("/usr/lib/libvulkan_radeon.so"),
				"usr/lib64/dri/radeonsi_dri.so":                 lib("libgallium_dri.so", "libdrm.so.2"),
				"usr/lib64/dri/radeonsi_drv_video.so":           lib("radeonsi_drv_video.so"),
			}.and(libs("usr/lib64", append(glvnd, "libvulkan_radeon.so libLLVM.so.20", "libLLVM.so.20", "libdrm.so.2")...), i386("usr/lib", "libvulkan_radeon.so", "libGL.so.1")),
			want: map[string]string{
				"libvulkan_radeon.so":   "/usr/lib64/libvulkan_radeon.so path manifest",
				"libgallium_dri.so":     "/usr/lib64/dri/radeonsi_dri.so path rule",
				"radeonsi_drv_video.so": "/usr/lib64/dri/radeonsi_drv_video.so path rule",
				"libdrm.so.2":           "/usr/lib64/libdrm.so.2 default directory DT_NEEDED",
			},
			skipped: map[string]string{"radeon_icd.i686.json": "/usr/lib/libvulkan_radeon.so is for another architecture"},
		},
		{
			name: "Arch: flat lib and lib32, a cache of both",
			files: files{"lib": "-> usr/lib", "lib64": "-> usr/lib", "usr/lib64": "-> lib",
				"usr/share/vulkan/icd.d/lvp_icd.x86_64.json": icd("/usr/lib/libvulkan_lvp.so"),
				"usr/share/vulkan/icd.d/lvp_icd.i686.json":   icd("/usr/lib32/libvulkan_lvp.so"),
			}.and(libs("usr/lib", append(glvnd, "libvulkan_lvp.so", "libGLX_mesa.so.0")...), i386("usr/lib32", "libvulkan_lvp.so", "libGLX_mesa.so.0"),
				cached("/usr/lib/libGL.so.1", "/usr/lib/libGLX_mesa.so.0", "/usr/lib/libGLX.so.0")),
			want: map[string]string{
				"libGL.so.1":         "/usr/lib/libGL.so.1 ld.so.cache rule",
				"libGLX_mesa.so.0":   "/usr/lib/libGLX_mesa.so.0 ld.so.cache rule",
				"libGLdispatch.so.0": "/usr/lib/libGLdispatch.so.0 default directory DT_NEEDED", // newer than the cache
				"libvulkan_lvp.so":   "/usr/lib/libvulkan_lvp.so path manifest",
			},
			skipped: map[string]string{"lvp_icd.i686.json": "/usr/lib32/libvulkan_lvp.so is for another architecture"},
		},
		{
			name: "Flatpak: drivers in an extension",
			files: files{"etc/ld.so.conf": "include /run/flatpak/ld.so.conf.d/runtime-*.conf\n",
				"run/flatpak/ld.so.conf.d/runtime-001-org.freedesktop.Platform.GL.default.conf": "/usr/lib/x86_64-linux-gnu/GL/default/lib\n",
				"usr/lib/x86_64-linux-gnu/GL/glvnd/egl_vendor.d/50_mesa.json":                   "-> /usr/lib/x86_64-linux-gnu/GL/default/glvnd/egl_vendor.d/50_mesa.json",
				"usr/lib/x86_64-linux-gnu/GL/default/glvnd/egl_vendor.d/50_mesa.json":           icd("libEGL_mesa.so.0"),
				"usr/lib/x86_64-linux-gnu/GL/vulkan/icd.d/lvp_icd.x86_64.json":                  icd("/usr/lib/x86_64-linux-gnu/GL/default/lib/libvulkan_lvp.so"),
				"usr/lib/i386-linux-gnu/GL/vulkan/icd.d/lvp_icd.i686.json":                      icd("/usr/lib/i386-linux-gnu/GL/default/lib/libvulkan_lvp.so"),
				"usr/lib/extensions/vulkan/share/vulkan/implicit_layer.d/MangoHud.json":         layerJSON("VK_LAYER_MangoHud", "/usr/lib/extensions/vulkan/MangoHud/lib/libMangoHud.so"),
				"usr/lib/extensions/vulkan/MangoHud/lib/libMangoHud.so":                         lib("libMangoHud.so"),
				"usr/lib/x86_64-linux-gnu/GL/OpenCL/vendors/mesa.icd":                           "libMesaOpenCL.so.1\n",
				"usr/lib/x86_64-linux-gnu/GL/default/lib/dri/radeonsi_drv_video.so":             lib("radeonsi_drv_video.so"),
				"usr/lib/x86_64-linux-gnu/GL/default/lib/gbm/dri_gbm.so":                        lib("dri_gbm.so"),
				"usr/lib/x86_64-linux-gnu/GL/default/lib/vdpau/libvdpau_radeonsi.so.1":          lib("libvdpau_radeonsi.so.1"),
			}.and(libs("usr/lib/x86_64-linux-gnu", append(glvnd, "libOpenCL.so.1", "libgbm.so.1")...),
				libs("usr/lib/x86_64-linux-gnu/GL/default/lib", "libGLX_mesa.so.0", "libEGL_mesa.so.0", "libvulkan_lvp.so", "libMesaOpenCL.so.1"),
				i386("usr/lib/i386-linux-gnu/GL/default/lib", "libvulkan_lvp.so")),
			want: map[string]string{
				"libGLX_mesa.so.0":       "/usr/lib/x86_64-linux-gnu/GL/default/lib/libGLX_mesa.so.0 ld.so.conf rule",
				"libEGL_mesa.so.0":       "/usr/lib/x86_64-linux-gnu/GL/default/lib/libEGL_mesa.so.0 ld.so.conf manifest",
				"libvulkan_lvp.so":       "/usr/lib/x86_64-linux-gnu/GL/default/lib/libvulkan_lvp.so path manifest",
				"libMangoHud.so":         "/usr/lib/extensions/vulkan/MangoHud/lib/libMangoHud.so path manifest",
				"libMesaOpenCL.so.1":     "/usr/lib/x86_64-linux-gnu/GL/default/lib/libMesaOpenCL.so.1 ld.so.conf manifest",
				"radeonsi_drv_video.so":  "/usr/lib/x86_64-linux-gnu/GL/default/lib/dri/radeonsi_drv_video.so path rule",
				"dri_gbm.so":             "/usr/lib/x86_64-linux-gnu/GL/default/lib/gbm/dri_gbm.so path rule",
				"libvdpau_radeonsi.so.1": "/usr/lib/x86_64-linux-gnu/GL/default/lib/vdpau/libvdpau_radeonsi.so.1 path rule",
			},
			skipped: map[string]string{"lvp_icd.i686.json": "/usr/lib/i386-linux-gnu/GL/default/lib/libvulkan_lvp.so is for another architecture"},
		},
		{
			name: "openSUSE: drivers in a directory of ld.so.conf, manifests of the administrator",
			files: files{"etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n", "etc/ld.so.conf.d/graphics.conf": "/usr/X11R6/lib64 # NVIDIA\n",
				"etc/vulkan/icd.d/own.json":                          icd("libown_vulkan.so"),
				"etc/glvnd/egl_vendor.d/00_own.json":                 icd("libEGL_own.so.0"),
				"usr/share/vulkan/implicit_layer.d/VkLayer_own.json": layerJSON("VK_LAYER_own", "libVkLayer_own.so"),
			}.and(libs("usr/lib64", glvnd...), libs("usr/X11R6/lib64", "libGLX_nvidia.so.0", "libown_vulkan.so", "libEGL_own.so.0", "libVkLayer_own.so")),
			want: map[string]string{
				"libGLX_nvidia.so.0": "/usr/X11R6/lib64/libGLX_nvidia.so.0 ld.so.conf rule",
				"libown_vulkan.so":   "/usr/X11R6/lib64/libown_vulkan.so ld.so.conf manifest",
				"libEGL_own.so.0":    "/usr/X11R6/lib64/libEGL_own.so.0 ld.so.conf manifest",
				"libVkLayer_own.so":  "/usr/X11R6/lib64/libVkLayer_own.so ld.so.conf manifest",
			},
		},
		{
			name: "NixOS: no front ends, links into the store, libraries with RUNPATH, 32-bit beside",
			files: files{
				"run/opengl-driver":    "-> /nix/store/aaa-graphics-drivers",
				"run/opengl-driver-32": "-> /nix/store/bbb-graphics-drivers-32bit",
				"nix/store/aaa-graphics-drivers/lib/libGLX_mesa.so.0":                      "-> /nix/store/ccc-mesa/lib/libGLX_mesa.so.0.0.0",
				"nix/store/aaa-graphics-drivers/lib/libvulkan_radeon.so":                   "-> /nix/store/ccc-mesa/lib/libvulkan_radeon.so",
				"nix/store/aaa-graphics-drivers/lib/libEGL_mesa.so.0":                      "-> /nix/store/ccc-mesa/lib/libEGL_mesa.so.0",
				"nix/store/aaa-graphics-drivers/lib/dri/radeonsi_drv_video.so":             "-> /nix/store/ccc-mesa/lib/dri/radeonsi_drv_video.so",
				"nix/store/aaa-graphics-drivers/lib/gbm/dri_gbm.so":                        "-> /nix/store/ccc-mesa/lib/gbm/dri_gbm.so",
				"nix/store/aaa-graphics-drivers/share/vulkan/icd.d/radeon.x86_64.json":     icd("/nix/store/ccc-mesa/lib/libvulkan_radeon.so"),
				"nix/store/aaa-graphics-drivers/share/glvnd/egl_vendor.d/50_mesa.json":     icd("/nix/store/ccc-mesa/lib/libEGL_mesa.so.0"),
				"nix/store/aaa-graphics-drivers/etc/OpenCL/vendors/rusticl.icd":            "/nix/store/ccc-mesa/lib/libRusticlOpenCL.so.1\n",
				"nix/store/bbb-graphics-drivers-32bit/share/vulkan/icd.d/radeon.i686.json": icd("/nix/store/ddd-mesa32/lib/libvulkan_radeon.so"),
				"nix/store/ccc-mesa/lib/libGLX_mesa.so.0.0.0":                              string(elftest.Lib{Soname: "libGLX_mesa.so.0", Needed: []string{"libgallium.so", "libdrm.so.2"}, RunPath: "/nix/store/ccc-mesa/lib:/nix/store/eee-libdrm/lib"}.Bytes()),
			}.and(libs("nix/store/ccc-mesa/lib", "libgallium.so", "libvulkan_radeon.so", "libEGL_mesa.so.0", "libRusticlOpenCL.so.1"),
				libs("nix/store/ccc-mesa/lib/dri", "radeonsi_drv_video.so"), libs("nix/store/ccc-mesa/lib/gbm", "dri_gbm.so"),
				libs("nix/store/eee-libdrm/lib", "libdrm.so.2"), i386("nix/store/ddd-mesa32/lib", "libvulkan_radeon.so")),
			want: map[string]string{
				"libGLX_mesa.so.0":      "/nix/store/ccc-mesa/lib/libGLX_mesa.so.0.0.0 directory of the rules rule",
				"libgallium.so":         "/nix/store/ccc-mesa/lib/libgallium.so RUNPATH of libGLX_mesa.so.0 DT_NEEDED",
				"libdrm.so.2":           "/nix/store/eee-libdrm/lib/libdrm.so.2 RUNPATH of libGLX_mesa.so.0 DT_NEEDED",
				"libvulkan_radeon.so":   "/nix/store/ccc-mesa/lib/libvulkan_radeon.so path manifest",
				"libEGL_mesa.so.0":      "/nix/store/ccc-mesa/lib/libEGL_mesa.so.0 path manifest",
				"radeonsi_drv_video.so": "/nix/store/ccc-mesa/lib/dri/radeonsi_drv_video.so path rule",
				"dri_gbm.so":            "/nix/store/ccc-mesa/lib/gbm/dri_gbm.so path rule",
				"libRusticlOpenCL.so.1": "/nix/store/ccc-mesa/lib/libRusticlOpenCL.so.1 path manifest",
			},
			skipped: map[string]string{"radeon.i686.json": "/nix/store/ddd-mesa32/lib/libvulkan_radeon.so is for another architecture"},
		},
		{
			name: "Guix System and a user's profile",
			env:  map[string]string{"HOME": "/home/user"},
			files: files{
				"run/current-system/profile":                                     "-> /gnu/store/aaa-profile",
				"home/user/.guix-profile":                                        "-> /var/guix/profiles/per-user/user/guix-profile",
				"var/guix/profiles/per-user/user/guix-profile":                   "-> guix-profile-7-link",
				"var/guix/profiles/per-user/user/guix-profile-7-link":            "-> /gnu/store/bbb-profile",
				"gnu/store/aaa-profile/lib":                                      "-> /gnu/store/ccc-mesa/lib",
				"gnu/store/ccc-mesa/lib/libGL.so.1":                              string(elftest.Lib{Soname: "libGL.so.1", Needed: []string{"libX11.so.6"}, RunPath: "/gnu/store/ddd-libx11/lib"}.Bytes()),
				"gnu/store/ccc-mesa/lib/dri/iris_dri.so":                         lib("iris_dri.so"),
				"gnu/store/ddd-libx11/lib/libX11.so.6":                           lib("libX11.so.6"),
				"gnu/store/bbb-profile/share/vulkan/icd.d/intel_icd.x86_64.json": icd("/gnu/store/ccc-mesa/lib/libvulkan_intel.so"),
				"gnu/store/ccc-mesa/lib/libvulkan_intel.so":                      lib("libvulkan_intel.so"),
				"gnu/store/bbb-profile/lib/libvulkan.so.1":                       lib("libvulkan.so.1"),
			},
			want: map[string]string{
				"libGL.so.1":         "/gnu/store/ccc-mesa/lib/libGL.so.1 directory of the rules rule",
				"libX11.so.6":        "/gnu/store/ddd-libx11/lib/libX11.so.6 RUNPATH of libGL.so.1 DT_NEEDED",
				"iris_dri.so":        "/gnu/store/ccc-mesa/lib/dri/iris_dri.so path rule",
				"libvulkan_intel.so": "/gnu/store/ccc-mesa/lib/libvulkan_intel.so path manifest",
				"libvulkan.so.1":     "/gnu/store/bbb-profile/lib/libvulkan.so.1 directory of the rules rule",
			},
		},
		{
			name: "Void: lib, and lib32 with the same names",
			files: files{"lib": "-> usr/lib", "lib64": "-> usr/lib", "lib32": "-> usr/lib32"}.and(
				libs("usr/lib", append(glvnd, "libGLX_mesa.so.0")...), i386("usr/lib32", "libGL.so.1", "libGLX_mesa.so.0", "libvdpau.so.1"),
				libs("usr/lib/vdpau", "libvdpau_radeonsi.so.1"), i386("usr/lib32/vdpau", "libvdpau_nouveau.so.1")),
			want: map[string]string{
				"libGLX_mesa.so.0":       "/usr/lib/libGLX_mesa.so.0 default directory rule",
				"libvdpau_radeonsi.so.1": "/usr/lib/vdpau/libvdpau_radeonsi.so.1 path rule",
			},
			absent: []string{"libvdpau.so.1", "libvdpau_nouveau.so.1"},
		},
		{
			name: "WSL: Mesa on Windows' driver",
			files: libs("usr/lib/x86_64-linux-gnu", glvnd...).and(libs("usr/lib/wsl/lib", "libdxcore.so", "libd3d12core.so", "libcuda.so.1", "libnvidia-ml.so.1"), files{
				"usr/lib/x86_64-linux-gnu/dri/d3d12_dri.so": string(elftest.Lib{Soname: "libgallium_dri.so", ReadOnly: "\x00libd3d12.so\x00"}.Bytes()),
				"usr/lib/wsl/lib/libd3d12.so":               string(elftest.Lib{Soname: "libd3d12.so", Needed: []string{"libdxcore.so"}}.Bytes()),
				"usr/lib/wsl/drivers/nv_1/libnvwgf2umx.so":  "x",
			}),
			want: map[string]string{
				"libd3d12.so":       "/usr/lib/wsl/lib/libd3d12.so directory of the rules string constant",
				"libdxcore.so":      "/usr/lib/wsl/lib/libdxcore.so directory of the rules list",
				"libd3d12core.so":   "/usr/lib/wsl/lib/libd3d12core.so directory of the rules list",
				"libcuda.so.1":      "/usr/lib/wsl/lib/libcuda.so.1 directory of the rules rule",
				"libnvidia-ml.so.1": "/usr/lib/wsl/lib/libnvidia-ml.so.1 directory of the rules rule",
			},
		},
		{
			name: "drivers of four vendors at once",
			files: libs("usr/lib/x86_64-linux-gnu", append(glvnd, "libGLX_mesa.so.0", "libGLX_nvidia.so.0", "libvulkan_radeon.so", "libvulkan_intel.so",
				"libEGL_mesa.so.0", "libEGL_nvidia.so.0", "libOpenCL.so.1", "libnvidia-opencl.so.1", "libMesaOpenCL.so.1")...).and(
				libs("opt/amdgpu-pro/lib/x86_64-linux-gnu", "amdvlk64.so"), files{
					"etc/vulkan/icd.d/amd_icd64.json":             icd("/opt/amdgpu-pro/lib/x86_64-linux-gnu/amdvlk64.so"),
					"usr/share/vulkan/icd.d/radeon_icd.json":      icd("libvulkan_radeon.so"),
					"usr/share/vulkan/icd.d/intel_icd.json":       icd("libvulkan_intel.so"),
					"usr/share/vulkan/icd.d/nvidia_icd.json":      icd("libGLX_nvidia.so.0"),
					"usr/share/vulkan/icd.d/nouveau_icd.json":     icd("libvulkan_nouveau.so"),
					"usr/share/glvnd/egl_vendor.d/10_nvidia.json": icd("libEGL_nvidia.so.0"),
					"usr/share/glvnd/egl_vendor.d/50_mesa.json":   icd("libEGL_mesa.so.0"),
					"etc/OpenCL/vendors/nvidia.icd":               "libnvidia-opencl.so.1\n",
					"etc/OpenCL/vendors/mesa.icd":                 "libMesaOpenCL.so.1\n",
					"etc/OpenCL/vendors/intel.icd":                "/opt/intel/gone/libigdrcl.so\n",
				}),
			want: map[string]string{
				"libGLX_mesa.so.0": "/usr/lib/x86_64-linux-gnu/libGLX_mesa.so.0 default directory rule", "libGLX_nvidia.so.0": "/usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0 default directory rule",
				"libvulkan_radeon.so": "/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so default directory manifest", "libvulkan_intel.so": "/usr/lib/x86_64-linux-gnu/libvulkan_intel.so default directory manifest",
				"amdvlk64.so":           "/opt/amdgpu-pro/lib/x86_64-linux-gnu/amdvlk64.so path manifest",
				"libnvidia-opencl.so.1": "/usr/lib/x86_64-linux-gnu/libnvidia-opencl.so.1 default directory manifest",
				"libMesaOpenCL.so.1":    "/usr/lib/x86_64-linux-gnu/libMesaOpenCL.so.1 default directory manifest",
			},
			skipped: map[string]string{"nouveau_icd.json": "libvulkan_nouveau.so not found", "intel.icd": "/opt/intel/gone/libigdrcl.so not found"},
		},
		{
			name:  "a libGL that is the driver itself",
			files: libs("usr/lib/x86_64-linux-gnu", "libGL.so.1 libglapi.so.0", "libglapi.so.0").and(libs("usr/lib/x86_64-linux-gnu/dri", "i915_dri.so")),
			want: map[string]string{"libGL.so.1": "/usr/lib/x86_64-linux-gnu/libGL.so.1 default directory rule",
				"i915_dri.so": "/usr/lib/x86_64-linux-gnu/dri/i915_dri.so path rule"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := discover(t, c.files, Options{Getenv: func(k string) string { return c.env[k] }})
			for name, want := range c.want {
				l := s.library(name)
				if l == nil {
					t.Errorf("%s was not found", name)
				} else if got := fmt.Sprintf("%s %s %s", l.Path, l.How, l.Found); got != want {
					t.Errorf("%s: %s, not %s", name, got, want)
				}
			}
			for _, name := range c.absent {
				if l := s.library(name); l != nil {
					t.Errorf("%s: %s", name, l.Why)
				}
			}
			missing := map[string]string{}
			for _, l := range s.Libraries {
				for _, u := range l.Unresolved {
					missing[u] = l.Name
				}
			}
			if !maps.Equal(missing, c.missing) {
				t.Errorf("missing: %v", missing)
			}
			skipped := map[string]string{}
			for _, m := range s.Manifests {
				if m.Skipped != "" {
					skipped[path.Base(m.Path)] = m.Skipped
				}
			}
			if !maps.Equal(skipped, c.skipped) {
				t.Errorf("skipped: %q", skipped)
			}
			for _, l := range s.Libraries { // nothing leads out of the root, nothing is there twice
				if !strings.HasPrefix(s.Root.HostPath(l.Path), s.Root.Dir()+"/") {
					t.Errorf("%s is outside", l.Path)
				}
			}
			paths := map[string]bool{}
			for _, l := range s.Libraries {
				if paths[l.Path] {
					t.Errorf("%s twice", l.Path)
				}
				paths[l.Path] = true
			}
		})
	}
}

// A host with musl is refused by name, for what it is.
func TestMusl(t *testing.T) {
	for _, c := range []files{
		libs("usr/lib", "libGL.so.1 libX11.so.6 libc.musl-x86_64.so.1", "libX11.so.6 libc.musl-x86_64.so.1", "libc.musl-x86_64.so.1"), // Alpine
		libs("usr/lib", "libGL.so.1 libc.so"), // Void with musl
	} {
		s, err := Discover(makeHost(t, c), arch.X8664, Options{})
		if s != nil || !errors.Is(err, ErrLibc) || !strings.Contains(err.Error(), "libGL.so.1") || !strings.Contains(err.Error(), "musl") || fault.Hint(err) == "" {
			t.Errorf("%v", err)
		}
	}
	if s := discover(t, libs("usr/lib", append(glvnd, "libmusl-thing.so libc.so")...), Options{}); s.library("libmusl-thing.so") != nil {
		t.Error("what is no part of the stack")
	}
}
