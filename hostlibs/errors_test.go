package hostlibs

import (
	"debug/elf"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

func TestDiscoverErrors(t *testing.T) {
	whole := lib("libLLVM.so.19.1", "libz3.so.4")
	cache, err := ldcache.Write([]ldcache.Entry{{Name: "a", Path: "/a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  error
		names string
		o     Options
	}{
		{"no stack", map[string]string{multiarch + "libc.so.6": lib("libc.so.6")}, ErrNoStack, "", Options{}},
		{"empty", map[string]string{"etc/x": ""}, ErrNoStack, "", Options{}},
		{"stack of another architecture", map[string]string{multiarch + "libGL.so.1": string(elftest.Lib{Machine: elf.EM_AARCH64}.Bytes())}, ErrNoStack, "", Options{}},
		{"truncated front end", edited(map[string]string{multiarch + "libGL.so.1.7.0": whole[:len(whole)/2]}), dynelf.ErrTruncated, "libGL.so.1.7.0", Options{}},
		{"front end is text", edited(map[string]string{multiarch + "libGL.so.1.7.0": "INPUT(libGL.so.1)\n# a linker script"}), dynelf.ErrNotELF, "libGL.so.1.7.0", Options{}},
		{"truncated dependency of a front end", edited(map[string]string{multiarch + "libGLdispatch.so.0": whole[:200]}), dynelf.ErrTruncated, "libGLdispatch.so.0", Options{}},
		{"symbols of a front end", edited(map[string]string{multiarch + "libGLdispatch.so.0": damagedSymbols(t, "libGLdispatch.so.0")}), dynelf.ErrCorrupt, "libGLdispatch.so.0", Options{}},
		{"a request", edited(map[string]string{multiarch + "libunrelated.so.1": whole[:200]}), dynelf.ErrTruncated, "libunrelated.so.1", Options{Libraries: []string{"libunrelated.so.1"}}},
		{"what a request needs", edited(map[string]string{multiarch + "libasked.so.1": lib("libasked.so.1", "libtext.so"), multiarch + "libtext.so": "text"}), dynelf.ErrNotELF, "libtext.so", Options{Libraries: []string{"libasked.so.1"}}},
		{"a driver that is asked for, too", edited(map[string]string{"usr/lib/llvm-19/lib/libLLVM.so.19.1": whole[:200]}), dynelf.ErrTruncated, "libLLVM.so.19.1", Options{Libraries: []string{"libvulkan_lvp.so"}}},
		{"a file that VK_DRIVER_FILES names", edited(map[string]string{"opt/x.json": "{"}), ErrManifest, "opt/x.json", Options{Getenv: variable("VK_DRIVER_FILES", "/usr/share/vulkan/icd.d:/opt//x.json")}},
		{"a file that VK_ADD_DRIVER_FILES names", edited(map[string]string{"opt/x.json": aPipe}), rootfs.ErrNotRegular, "opt/x.json", Options{Getenv: variable("VK_ADD_DRIVER_FILES", "/opt/x.json")}},
		{"a file that __EGL_VENDOR_LIBRARY_FILENAMES names", edited(map[string]string{"opt/x.json": icd("libtext.so"), multiarch + "libtext.so": "text"}), dynelf.ErrNotELF, "libtext.so", Options{Getenv: variable("__EGL_VENDOR_LIBRARY_FILENAMES", "/opt/x.json")}},
		{"all there is", map[string]string{multiarch + "libc.so.6": lib("libc.so.6"), "etc/OpenCL/vendors/x.icd": "libnone.so"}, ErrNoStack, "x.icd: libnone.so not found", Options{}},
		{"truncated cache", edited(map[string]string{"etc/ld.so.cache": string(cache[:55])}), ldcache.ErrTruncated, "etc/ld.so.cache", Options{}},
		{"corrupt cache", edited(map[string]string{"etc/ld.so.cache": "surely not a loader's cache"}), ldcache.ErrCorrupt, "etc/ld.so.cache", Options{}},
		{"request", host(), ErrRequested, "libnothing.so.3", Options{Libraries: []string{"libnothing.so.3"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Discover(makeHost(t, c.files), arch.X8664, c.o)
			if s != nil || !errors.Is(err, c.want) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "\n") || fault.Hint(err) == "" {
				t.Errorf("error %q, hint %q", err, fault.Hint(err))
			}
		})
	}
}

func variable(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

// What the build cache relies on: whatever would change the stack makes the trace changed, and nothing else does.
func TestTraceShowsChanges(t *testing.T) {
	for _, c := range []struct {
		name    string
		do      func(dir string) error
		changed bool
	}{
		{"nothing", func(string) error { return nil }, false},
		{"unrelated", func(d string) error { return os.WriteFile(d+"/usr/share/x", nil, 0o644) }, false},
		{"an ICD more", func(d string) error { return os.WriteFile(d+"/usr/share/vulkan/icd.d/z.json", nil, 0o644) }, true},
		{"the first ICD in a directory that is not there", func(d string) error {
			return errors.Join(os.MkdirAll(d+"/usr/local/share/vulkan/icd.d", 0o755), os.WriteFile(d+"/usr/local/share/vulkan/icd.d/z.json", nil, 0o644))
		}, true},
		{"a GLX vendor more", func(d string) error { return os.WriteFile(d+"/"+multiarch+"libGLX_nvidia.so.0", nil, 0o644) }, true},
		{"a DRI driver more", func(d string) error { return os.Symlink("libdril_dri.so", d+"/"+multiarch+"dri/zink_dri.so") }, true},
		{"the missing library", func(d string) error { return os.WriteFile(d+"/"+multiarch+"libmissing.so.1", nil, 0o644) }, true},
		{"a front end replaced", func(d string) error {
			return errors.Join(os.WriteFile(d+"/new", []byte(lib("libGL.so.1")), 0o644), os.Rename(d+"/new", d+"/"+multiarch+"libGL.so.1.7.0"))
		}, true},
		{"a dependency overwritten", func(d string) error {
			return os.WriteFile(d+"/usr/lib/llvm-19/lib/libz3.so.4", []byte(lib("libz3.so.4", "libm.so.6")), 0o644)
		}, true},
		{"drirc overwritten", func(d string) error { return os.WriteFile(d+"/usr/share/drirc.d/00-mesa.conf", []byte("x"), 0o644) }, true},
		{"a cache", func(d string) error { return os.WriteFile(d+"/etc/ld.so.cache", nil, 0o644) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := makeHost(t, host())
			old := time.Now().Add(-time.Hour)
			err := filepath.WalkDir(r.Dir(), func(p string, e os.DirEntry, err error) error {
				if err == nil && e.Type()&os.ModeSymlink == 0 {
					err = os.Chtimes(p, old, old)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Millisecond) // let the change times be old enough for rootfs to trust them
			if _, err := Discover(r, arch.X8664, Options{}); err != nil {
				t.Fatal(err)
			}
			trace := r.Trace()
			if err := c.do(r.Dir()); err != nil {
				t.Fatal(err)
			}
			var changed []string
			for _, a := range trace {
				if !a.Unchanged() {
					changed = append(changed, a.Path)
				}
			}
			if (len(changed) > 0) != c.changed {
				t.Errorf("changed: %q", changed)
			}
		})
	}
}

// FuzzManifest: a manifest gives strings without NUL or an error, never both.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(icd("libEGL_mesa.so.0")))
	f.Add([]byte(`{"ICD": {"library_path": 3}}`))
	f.Add([]byte(`{"settings": {"layers": [{"path": "/a//b", "control": "on"}]}, "settings_array": [{"layers": [{"path": "/c"}]}]}`))
	f.Add([]byte(`{"layers": [{"name": "a", "library_path": "b", "override_paths": ["/c"]}, {"name": "d", "component_layers": ["a"]}]}`))
	f.Add([]byte(`{"ICD": {"library_arch": "64", "library_path": "a\u0000b"}}`))
	f.Add([]byte(`{"ICD": {"library_path": "a", "x": ` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}`))
	f.Add([]byte(`{"layer": {"library_path": "a", "name": "` + strings.Repeat("n", 9000) + `"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range settingsManifests(b) {
			if !path.IsAbs(m) || path.Clean(m) != m {
				t.Fatalf("settings name %q", m)
			}
		}
		for _, rule := range []*configs.Manifests{{Key: []string{"ICD", "library_path"}},
			{Key: []string{"layer", "library_path"}, NameKey: []string{"layer", "name"}, ListKey: "layers", DirectoriesKey: "override_paths"}} {
			parts, err := parseManifest(b, rule)
			if err != nil && (parts != nil || !errors.Is(err, ErrManifest)) {
				t.Fatalf("%v, %v", parts, err)
			}
			if len(parts) > maxLayers {
				t.Fatal(len(parts))
			}
			for _, p := range parts {
				if len(p.name) > maxLayerName || len(p.library) >= maxLine || strings.ContainsRune(p.library+p.arch+p.name, 0) || len(p.key) < 2 || len(p.directories) > maxDirectories {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}
