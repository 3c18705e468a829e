//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/test/trees"
)

// Debian's own Mesa of three releases, and NVIDIA's libraries: what is found, by which sign, and that nothing lacks.
func TestDiscoverRealTrees(t *testing.T) {
	for _, c := range []struct {
		tree    string
		drivers int               // of Vulkan, at least
		want    map[string]string // SONAME, or its beginning: API, role and sign
		opens   map[string][]string
	}{
		{tree: "full11", drivers: 3, want: map[string]string{"libGLX_mesa.so.0": "GL glx-vendor rule", "libEGL_mesa.so.0": "EGL egl-vendor manifest",
			"libvulkan_lvp.so": "Vulkan vulkan-icd manifest", "libLLVM-": " dependency DT_NEEDED", "libva.so.2": "VA-API front-end rule"}},
		{tree: "full12", drivers: 3, want: map[string]string{"libGLX_mesa.so.0": "GL glx-vendor rule", "libgallium_dri.so": "GL dri-driver rule",
			"libvulkan_lvp.so": "Vulkan vulkan-icd manifest", "libLLVM-": " dependency DT_NEEDED"}},
		{tree: "host13", drivers: 6, want: map[string]string{"libGLX_mesa.so.0": "GL glx-vendor rule", "libgallium-": " dependency DT_NEEDED",
			"dri_gbm.so": "GBM gbm-backend rule", "libdril_dri.so": "GL dri-driver rule", "libLLVM.so.": " dependency DT_NEEDED",
			"libGLESv1_CM.so.1": "GL front-end rule"}},
		{tree: "hostnvidia", drivers: 1, want: map[string]string{"libGLX_nvidia.so.0": "GL glx-vendor rule", "libEGL_nvidia.so.0": "EGL egl-vendor manifest",
			"libcuda.so.1": "CUDA front-end rule", "libnvidia-ml.so.1": "NVIDIA front-end rule", "libnvidia-opencl.so.1": "OpenCL opencl-icd manifest",
			"libvdpau_nvidia.so.1": "VDPAU vdpau-driver rule", "libnvidia-egl-gbm.so.1": "EGL egl-platform manifest",
			"libnvidia-glcore.so.": " dependency DT_NEEDED", "libnvidia-ptxjitcompiler.so.1": " opened list", "libnvidia-nvvm.so.4": " opened list",
			"libnvidia-glvkspirv.so.": " opened list", "libnvidia-rtcore.so.": " opened "},
			opens: map[string][]string{
				"libcuda.so.1":         {"libnvidia-ptxjitcompiler.so.1", "libnvidia-nvvm.so.4"},
				"libEGL_nvidia.so.0":   {"libnvidia-eglcore.so."},
				"libGLX_nvidia.so.0":   {"libnvidia-glvkspirv.so.", "libnvidia-rtcore.so."},
				"libvdpau_nvidia.so.1": {"libnvcuvid.so.1"},
				"libnvoptix.so.1":      {"libnvidia-rtcore.so."},
			}},
	} {
		t.Run(c.tree, func(t *testing.T) {
			root, err := rootfs.Open(trees.Tree(t, c.tree))
			must(t, err)
			defer root.Close()
			s, err := hostlibs.Discover(root, arch.X8664, hostlibs.Options{})
			must(t, err)
			find := func(name string) *hostlibs.Library {
				i := slices.IndexFunc(s.Libraries, func(l *hostlibs.Library) bool {
					return l.Name == name || !strings.Contains(path.Ext(name), ".so") && strings.HasPrefix(l.Name, name)
				})
				if i < 0 {
					t.Errorf("%s was not found", name)
					return nil
				}
				return s.Libraries[i]
			}
			for name, want := range c.want {
				if l := find(name); l != nil && !strings.HasPrefix(l.API+" "+string(l.Role)+" "+string(l.Found), want) {
					t.Errorf("%s: %s %s %s, not %s", name, l.API, l.Role, l.Found, want)
				}
			}
			for name, opens := range c.opens {
				l := find(name)
				for _, o := range opens {
					if l != nil && !slices.ContainsFunc(l.Opens, func(x *hostlibs.Library) bool { return strings.HasPrefix(x.Name, o) }) {
						t.Errorf("%s does not open %s", name, o)
					}
				}
			}
			drivers := 0
			for _, l := range s.Libraries {
				if len(l.Unresolved) > 0 {
					t.Errorf("%s lacks %q", l.Name, l.Unresolved)
				}
				if l.Why == "" || l.Found == "" && l.Role != hostlibs.RoleDependency {
					t.Errorf("%s: %q, %q", l.Name, l.Why, l.Found)
				}
				for _, absurd := range []string{"libpython", "libgtk", "libQt", "libnss_", "libnvidia-gtk"} {
					if strings.HasPrefix(l.Name, absurd) {
						t.Errorf("%s: %s", l.Name, l.Why)
					}
				}
			}
			for _, m := range s.Manifests {
				if m.Library == nil && !m.OnlyCombines() {
					t.Errorf("%s: %s", m.Path, m.Skipped)
				}
				if m.Kind == "vulkan-icd" {
					drivers++
				}
			}
			if drivers < c.drivers || len(s.Problems) > 0 {
				t.Errorf("%d drivers of Vulkan, problems %q", drivers, s.Problems)
			}
		})
	}
}

// A driver and a directory that this user may not read: the others serve, and the plan names both. Root reads them.
func TestUnreadableDrivers(t *testing.T) {
	host := copyOf(t, "host13")
	const lib = "/usr/lib/x86_64-linux-gnu/"
	driver := host + lib + "libvulkan_intel.so"
	copyFile(t, driver, driver+".own") // the mode of a hard link is the tree's, too
	must(t, os.Rename(driver+".own", driver))
	for _, p := range []string{"libvulkan_intel.so", "gbm"} {
		must(t, os.Chmod(host+lib+p, 0))
		defer os.Chmod(host+lib+p, 0o755)
	}
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		l := launch{runtime: trees.Tree(t, "runtime11"), host: host, argv: []string{"vulkaninfo", "--summary"}}
		r := finish(t, as(l))
		if r.status != 0 || !strings.Contains(r.stdout, "llvmpipe") {
			t.Errorf("status %d\n%s", r.status, tail(r.both()))
		}
		cmd := as(l)
		at := slices.Index(cmd.Args, "--runtime")
		cmd.Args = slices.Insert(cmd.Args[:slices.Index(cmd.Args, "--")], at, "plan")
		plan := finish(t, cmd).both()
		for _, p := range []string{"libvulkan_intel.so", "gbm"} {
			if got := strings.Contains(plan, host+lib+p+": permission denied"); got == (cmd.Args[0] == binary) {
				t.Errorf("the plan tells of %s: %v", p, got)
			}
		}
	})
}
