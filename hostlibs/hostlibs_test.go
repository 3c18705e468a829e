package hostlibs

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// lib makes a library named as its file, which needs the given ones.
func lib(soname string, needed ...string) string {
	return string(elftest.Lib{Soname: soname, Needed: needed, Exports: []string{"f_" + soname}}.Bytes())
}

const multiarch = "usr/lib/x86_64-linux-gnu/"

func icd(path string) string {
	return fmt.Sprintf(`{"file_format_version": "1.0.0", "ICD": {"library_path": %q, "api_version": "1.3.0"}}`, path)
}

// host is a small Debian: files by path; "-> x" makes a link, "= x" a hard link, and there are more
// words for what is no file.
func host() map[string]string {
	f := map[string]string{
		"lib": "-> usr/lib", "lib64": "-> usr/lib64",
		multiarch + "libc.so.6":                         lib("libc.so.6", "ld-linux-x86-64.so.2"),
		multiarch + "ld-linux-x86-64.so.2":              lib("ld-linux-x86-64.so.2"),
		multiarch + "libm.so.6":                         lib("libm.so.6", "libc.so.6"),
		"usr/lib64/ld-linux-x86-64.so.2":                "-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
		multiarch + "libGL.so.1.7.0":                    lib("libGL.so.1", "libGLX.so.0", "libGLdispatch.so.0", "libc.so.6"),
		multiarch + "libGL.so.1":                        "-> libGL.so.1.7.0",
		multiarch + "libGLX.so.0":                       lib("libGLX.so.0", "libX11.so.6", "libGLdispatch.so.0"),
		multiarch + "libGLdispatch.so.0":                lib("libGLdispatch.so.0", "libc.so.6"),
		multiarch + "libX11.so.6":                       lib("libX11.so.6", "libmissing.so.1", "libc.so.6"),
		multiarch + "libEGL.so.1":                       lib("libEGL.so.1"),
		multiarch + "libvulkan.so.1":                    lib("libvulkan.so.1"),
		multiarch + "libGLX_mesa.so.0":                  lib("libGLX_mesa.so.0", "libgallium.so"),
		multiarch + "libGLX_indirect.so.0":              "-> libGLX_mesa.so.0",
		multiarch + "libgallium.so":                     lib("libgallium.so", "libLLVM.so.19.1"),
		multiarch + "libEGL_mesa.so.0":                  lib("libEGL_mesa.so.0", "libgallium.so"),
		multiarch + "libvulkan_lvp.so":                  lib("libvulkan_lvp.so", "libLLVM.so.19.1"),
		multiarch + "libLLVM.so.19.1":                   "-> ../llvm-19/lib/libLLVM.so.19.1",
		"usr/lib/llvm-19/lib/libLLVM.so.19.1":           string(elftest.Lib{Soname: "libLLVM.so.19.1", Needed: []string{"libz3.so.4"}, RunPath: "$ORIGIN/../llvm-19/lib"}.Bytes()),
		"usr/lib/llvm-19/lib/libz3.so.4":                lib("libz3.so.4"),
		multiarch + "dri/libdril_dri.so":                string(elftest.Lib{Exports: []string{"driver"}}.Bytes()),
		multiarch + "dri/iris_dri.so":                   "-> libdril_dri.so",
		multiarch + "dri/radeonsi_dri.so":               "= " + multiarch + "dri/libdril_dri.so",
		multiarch + "dri/gone_dri.so":                   "-> nowhere",
		multiarch + "dri/arm_dri.so":                    string(elftest.Lib{Machine: elf.EM_AARCH64}.Bytes()),
		multiarch + "dri/iris_notes.txt":                "not looked at",
		multiarch + "gbm/dri_gbm.so":                    string(elftest.Lib{Needed: []string{"libgallium.so"}}.Bytes()),
		"usr/lib/i386-linux-gnu/libvulkan_lvp.so":       string(elftest.Lib{Machine: elf.EM_386}.Bytes()),
		"usr/share/glvnd/egl_vendor.d/50_mesa.json":     icd("libEGL_mesa.so.0"),
		"usr/share/vulkan/icd.d/lvp.json":               icd("libvulkan_lvp.so"),
		"usr/share/vulkan/icd.d/lvp32.json":             icd("/usr/lib/i386-linux-gnu/libvulkan_lvp.so"),
		"usr/share/vulkan/icd.d/arch.json":              `{"file_format_version": "1.0.1", "ICD": {"library_path": "libvulkan_lvp.so", "api_version": "1.3", "library_arch": "32"}}`,
		"usr/share/vulkan/icd.d/none.json":              icd("libvulkan_none.so"),
		"usr/share/vulkan/icd.d/empty.json":             `{"file_format_version": "1.0.0", "ICD": {"api_version": "1"}}`,
		"usr/share/vulkan/icd.d/README":                 "not a manifest",
		"etc/vulkan/icd.d/vendor.json":                  icd("../../../opt/vendor/libvendor.so"),
		"opt/vendor/libvendor.so":                       string(elftest.Lib{Soname: "libvendor.so", RPath: "$ORIGIN/private", Needed: []string{"libv1.so"}}.Bytes()),
		"opt/vendor/private/libv1.so":                   lib("libv1.so", "libv2.so"),
		"opt/vendor/private/libv2.so":                   lib("libv2.so"),
		"usr/share/drirc.d/00-mesa.conf":                "<driconf/>",
		"usr/share/drirc.d/notes.txt":                   "",
		"etc/drirc":                                     "-> /usr/share/drirc.d/00-mesa.conf",
		"usr/share/libdrm/amdgpu.ids":                   "1002",
		multiarch + "libunrelated.so.1":                 lib("libunrelated.so.1"),
		"home/user/.local/share/vulkan/icd.d/home.json": icd("libvulkan_lvp.so"),
	}
	return f
}

func edited(change map[string]string) map[string]string {
	f := host()
	for k, v := range change {
		if f[k] = v; v == "" {
			delete(f, k)
		}
	}
	return f
}

const (
	aPipe, aDirectory, aSocket = "a pipe", "a directory", "a socket"
)

var specials = map[string]func(name string) error{
	aPipe:      func(name string) error { return unix.Mkfifo(name, 0o644) },
	aDirectory: func(name string) error { return os.Mkdir(name, 0o755) },
	aSocket:    func(name string) error { return unix.Mknod(name, unix.S_IFSOCK|0o644, 0) },
}

func makeHost(t testing.TB, files map[string]string) *rootfs.Root {
	t.Helper()
	dir := t.TempDir()
	var hard []string
	for p, content := range files {
		full := filepath.Join(dir, p)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if target, ok := strings.CutPrefix(content, "-> "); ok && err == nil {
			err = os.Symlink(target, full)
		} else if make := specials[content]; make != nil && err == nil {
			err = make(full)
		} else if strings.HasPrefix(content, "= ") && err == nil {
			hard = append(hard, p)
		} else if err == nil {
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range hard {
		if err := os.Link(filepath.Join(dir, files[p][2:]), filepath.Join(dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func discover(t testing.TB, files map[string]string, o Options) *Stack {
	t.Helper()
	s, err := Discover(makeHost(t, files), arch.X8664, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Stack) library(name string) *Library {
	for _, l := range s.Libraries {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func names(libs []*Library) (out []string) {
	for _, l := range libs {
		out = append(out, l.Name)
	}
	return out
}

func TestDiscover(t *testing.T) {
	s := discover(t, host(), Options{})
	for name, want := range map[string]struct {
		role Role
		api  string
		path string
		why  string
	}{
		"libGL.so.1":           {RoleFrontEnd, "GL", "/" + multiarch + "libGL.so.1.7.0", "front end of GL (configs/gl.toml)"},
		"libvulkan.so.1":       {RoleFrontEnd, "Vulkan", "/" + multiarch + "libvulkan.so.1", ""},
		"libGLX_mesa.so.0":     {"glx-vendor", "GL", "/" + multiarch + "libGLX_mesa.so.0", ""},
		"libEGL_mesa.so.0":     {"egl-vendor", "EGL", "", "library_path of /usr/share/glvnd/egl_vendor.d/50_mesa.json"},
		"libvulkan_lvp.so":     {"vulkan-icd", "Vulkan", "/" + multiarch + "libvulkan_lvp.so", "library_path of /usr/share/vulkan/icd.d/lvp.json"},
		"libvendor.so":         {"vulkan-icd", "Vulkan", "/opt/vendor/libvendor.so", "library_path of /etc/vulkan/icd.d/vendor.json"},
		"dri_gbm.so":           {"gbm-backend", "GBM", "", ""},
		"libGLdispatch.so.0":   {RoleDependency, "", "", "DT_NEEDED of libGL.so.1"},
		"libLLVM.so.19.1":      {RoleDependency, "", "/usr/lib/llvm-19/lib/libLLVM.so.19.1", ""},
		"libz3.so.4":           {RoleDependency, "", "/usr/lib/llvm-19/lib/libz3.so.4", "DT_NEEDED of libLLVM.so.19.1"},
		"libv2.so":             {RoleDependency, "", "/opt/vendor/private/libv2.so", "DT_NEEDED of libv1.so"},
		"libc.so.6":            {RoleDependency, "", "", ""},
		"libm.so.6":            {RoleDependency, "", "", ""},
		"ld-linux-x86-64.so.2": {RoleDependency, "", "/" + multiarch + "ld-linux-x86-64.so.2", ""},
	} {
		l := s.library(name)
		if l == nil {
			t.Errorf("%s was not found", name)
			continue
		}
		if l.Role != want.role || l.API != want.api || want.path != "" && l.Path != want.path || want.why != "" && l.Why != want.why {
			t.Errorf("%s: %s %s %s: %s", name, l.Role, l.API, l.Path, l.Why)
		}
	}
	if l := s.library("libunrelated.so.1"); l != nil {
		t.Errorf("%+v is no part of the stack", l)
	}
	if l := s.library("libX11.so.6"); !slices.Equal(l.Unresolved, []string{"libmissing.so.1"}) {
		t.Errorf("libX11.so.6: unresolved %q", l.Unresolved)
	}
	gl := s.library("libGL.so.1")
	if got := names(gl.Deps); !slices.Equal(got, []string{"libGLX.so.0", "libGLdispatch.so.0", "libc.so.6"}) {
		t.Errorf("libGL.so.1 needs %q", got)
	}
	if len(gl.Exports) != 1 || gl.Exports[0].Name != "f_libGL.so.1" {
		t.Errorf("libGL.so.1 exports %+v", gl.Exports)
	}
	if want := []string{"/lib/x86_64-linux-gnu/libGL.so.1", "/usr/lib/x86_64-linux-gnu/libGL.so.1"}; !slices.Equal(gl.Aliases, want) {
		t.Errorf("libGL.so.1 is also %q", gl.Aliases)
	}
	if l := s.library("libGLX_mesa.so.0"); !slices.Contains(l.Aliases, "/"+multiarch+"libGLX_indirect.so.0") {
		t.Errorf("libGLX_mesa.so.0 is also %q", l.Aliases)
	}
}

// The DRI drivers are links, symbolic and hard, to one library without a SONAME.
func TestDiscoverDRI(t *testing.T) {
	s := discover(t, host(), Options{})
	var dri []*Library
	for _, l := range s.Libraries {
		if l.Role == "dri-driver" {
			dri = append(dri, l)
		}
	}
	if len(dri) != 1 {
		t.Fatalf("%d DRI drivers", len(dri))
	}
	l := dri[0]
	all := append([]string{l.Path}, l.Aliases...)
	for _, n := range []string{"libdril_dri.so", "iris_dri.so", "radeonsi_dri.so"} {
		for _, dir := range []string{"/lib/x86_64-linux-gnu/dri/", "/usr/lib/x86_64-linux-gnu/dri/"} {
			if !slices.Contains(all, dir+n) {
				t.Errorf("%s%s is missing in %q", dir, n, all)
			}
		}
	}
	if l.Name != filepath.Base(l.Path) {
		t.Errorf("name %s, path %s", l.Name, l.Path)
	}
}

func TestDiscoverOrder(t *testing.T) {
	s := discover(t, host(), Options{})
	at := map[*Library]int{}
	for i, l := range s.Libraries {
		at[l] = i
	}
	for _, l := range s.Libraries {
		for _, dep := range l.Deps {
			if at[dep] >= at[l] {
				t.Errorf("%s comes before %s, which it needs", l.Name, dep.Name)
			}
		}
	}
	again := discover(t, host(), Options{})
	if a, b := names(s.Libraries), names(again.Libraries); !slices.Equal(a, b) {
		t.Errorf("two orders:\n%q\n%q", a, b)
	}
	for i, l := range s.Libraries {
		if o := again.Libraries[i]; l.Why != o.Why || !slices.Equal(l.Aliases, o.Aliases) || !reflect.DeepEqual(l.Exports, o.Exports) {
			t.Errorf("%s differs from one time to the next", l.Name)
		}
	}
}

func TestDiscoverCycle(t *testing.T) {
	s := discover(t, edited(map[string]string{multiarch + "libGLdispatch.so.0": lib("libGLdispatch.so.0", "libGL.so.1")}), Options{})
	if s.library("libGL.so.1") == nil || s.library("libGLdispatch.so.0") == nil {
		t.Errorf("%q", names(s.Libraries))
	}
}

func TestManifestsAndData(t *testing.T) {
	s := discover(t, host(), Options{})
	got := map[string]string{}
	for _, m := range s.Manifests {
		if (m.Library == nil) == (m.Skipped == "") {
			t.Errorf("%+v", m)
		}
		got[filepath.Base(m.Path)] = m.Skipped
	}
	want := map[string]string{"50_mesa.json": "", "lvp.json": "", "vendor.json": "", "empty.json": "names no library",
		"lvp32.json": "/usr/lib/i386-linux-gnu/libvulkan_lvp.so is for another architecture",
		"arch.json":  "for another architecture (library_arch 32)", "none.json": "libvulkan_none.so not found"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("manifests: %q", got)
	}
	var data []string
	for _, d := range s.Data {
		for _, f := range d.Files {
			data = append(data, d.Path+" "+f.Path+" "+strings.TrimPrefix(f.Source, s.Root.Dir()))
		}
	}
	wantData := []string{
		"/etc/drirc /etc/drirc /usr/share/drirc.d/00-mesa.conf",
		"/etc/vulkan/icd.d /etc/vulkan/icd.d/vendor.json /etc/vulkan/icd.d/vendor.json",
		"/usr/share/drirc.d /usr/share/drirc.d/00-mesa.conf /usr/share/drirc.d/00-mesa.conf",
		"/usr/share/glvnd/egl_vendor.d /usr/share/glvnd/egl_vendor.d/50_mesa.json /usr/share/glvnd/egl_vendor.d/50_mesa.json",
		"/usr/share/libdrm /usr/share/libdrm/amdgpu.ids /usr/share/libdrm/amdgpu.ids",
		"/usr/share/vulkan/icd.d /usr/share/vulkan/icd.d/lvp.json /usr/share/vulkan/icd.d/lvp.json",
	}
	if !slices.Equal(data, wantData) {
		t.Errorf("data:\n%s", strings.Join(data, "\n"))
	}
}

func TestOverrides(t *testing.T) {
	files := edited(map[string]string{
		"opt/icd/a.json":        icd("/opt/vendor/libvendor.so"),
		"opt/egl/x.json":        icd("libEGL_mesa.so.0"),
		"opt/dri/foo_dri.so":    lib("foo_dri.so"),
		"opt/gbm/bar_gbm.so":    lib("bar_gbm.so"),
		"opt/relative/rel.json": icd("sub/libx.so"),
	})
	for _, c := range []struct {
		env       map[string]string
		manifests []string // of the kind that the variable is about
		kind      string
	}{
		{map[string]string{"VK_DRIVER_FILES": "/opt/icd/a.json:/missing.json", "VK_ADD_DRIVER_FILES": "/opt/egl/x.json"}, []string{"/opt/icd/a.json", "/missing.json"}, "vulkan-icd"},
		{map[string]string{"VK_ICD_FILENAMES": "/opt/icd"}, []string{"/opt/icd/a.json"}, "vulkan-icd"},
		{map[string]string{"VK_ADD_DRIVER_FILES": "/opt/icd/a.json", "XDG_DATA_DIRS": "/nowhere"},
			[]string{"/opt/icd/a.json", "/etc/vulkan/icd.d/vendor.json", "/usr/share/vulkan/icd.d/arch.json", "/usr/share/vulkan/icd.d/empty.json",
				"/usr/share/vulkan/icd.d/lvp.json", "/usr/share/vulkan/icd.d/lvp32.json", "/usr/share/vulkan/icd.d/none.json"}, "vulkan-icd"},
		{map[string]string{"HOME": "/home/user", "VK_DRIVER_FILES": ""}, []string{"/etc/vulkan/icd.d/vendor.json",
			"/home/user/.local/share/vulkan/icd.d/home.json", "/usr/share/vulkan/icd.d/arch.json", "/usr/share/vulkan/icd.d/empty.json",
			"/usr/share/vulkan/icd.d/lvp.json", "/usr/share/vulkan/icd.d/lvp32.json", "/usr/share/vulkan/icd.d/none.json"}, "vulkan-icd"},
		{map[string]string{"__EGL_VENDOR_LIBRARY_DIRS": "/opt/egl"}, []string{"/opt/egl/x.json"}, "egl-vendor"},
		{map[string]string{"__EGL_VENDOR_LIBRARY_FILENAMES": "/opt/relative/rel.json", "__EGL_VENDOR_LIBRARY_DIRS": "/opt/egl"}, []string{"/opt/relative/rel.json"}, "egl-vendor"},
	} {
		s := discover(t, files, Options{Getenv: func(k string) string { return c.env[k] }})
		var got []string
		for _, m := range s.Manifests {
			if m.Kind == c.kind {
				got = append(got, m.Path)
			}
		}
		if !slices.Equal(got, c.manifests) {
			t.Errorf("%v: %q", c.env, got)
		}
	}
	// What a loader passes over by its name is known all the same, and is no driver.
	env := map[string]string{"VK_LOADER_DRIVERS_SELECT": "LVP.json", "VK_LOADER_DRIVERS_DISABLE": "*.json"}
	for _, m := range discover(t, files, Options{Getenv: func(k string) string { return env[k] }}).Manifests {
		chosen := m.Kind != "vulkan-icd" || strings.HasSuffix(m.Path, "/lvp.json")
		if m.Library != nil && !chosen || m.Library == nil && m.Path == "/usr/share/vulkan/icd.d/lvp.json" {
			t.Errorf("%s: %v, skipped: %s", m.Path, m.Library, m.Skipped)
		}
		if m.Path == "/etc/vulkan/icd.d/vendor.json" && m.Skipped != "left out by VK_LOADER_DRIVERS_DISABLE" {
			t.Errorf("%s skipped: %s", m.Path, m.Skipped)
		}
	}
	env = map[string]string{"LIBGL_DRIVERS_PATH": "/missing:/opt/dri", "GBM_BACKENDS_PATH": "/opt/gbm"}
	s := discover(t, files, Options{Getenv: func(k string) string { return env[k] }})
	for _, l := range s.Libraries {
		if l.Role == "dri-driver" && l.Name != "foo_dri.so" || l.Role == "gbm-backend" && l.Name != "bar_gbm.so" {
			t.Errorf("%s in spite of the override", l.Path)
		}
	}
	if s.library("foo_dri.so") == nil || s.library("bar_gbm.so") == nil {
		t.Errorf("%q", names(s.Libraries))
	}
}

func TestRequested(t *testing.T) {
	s := discover(t, host(), Options{Libraries: []string{"libunrelated.so.1", "/opt/vendor/private/libv1.so", "libGL.so.1", "libGLX_mesa.so.0"}})
	for name, want := range map[string]Role{"libunrelated.so.1": RoleRequested, "libv1.so": RoleRequested,
		"libGL.so.1": RoleFrontEnd, "libGLX_mesa.so.0": RoleRequested} {
		if l := s.library(name); l == nil || l.Role != want {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// NixOS has no ld.so.cache, no front ends in a default directory, and its drivers behind links into the store.
func TestDiscoverNixOS(t *testing.T) {
	const store = "nix/store/abc-mesa/"
	s := discover(t, map[string]string{
		"run/opengl-driver":                             "-> /nix/store/abc-mesa",
		store + "lib/libGLX_mesa.so.0":                  string(elftest.Lib{Soname: "libGLX_mesa.so.0", Needed: []string{"libdrm.so.2"}, RunPath: "/nix/store/def-libdrm/lib"}.Bytes()),
		store + "lib/libEGL_mesa.so.0":                  lib("libEGL_mesa.so.0"),
		store + "lib/dri/iris_dri.so":                   lib("iris_dri.so"),
		store + "share/glvnd/egl_vendor.d/50_mesa.json": icd("/run/opengl-driver/lib/libEGL_mesa.so.0"),
		"nix/store/def-libdrm/lib/libdrm.so.2":          lib("libdrm.so.2"),
	}, Options{})
	for name, want := range map[string]string{"libGLX_mesa.so.0": "directory of the rules", "libEGL_mesa.so.0": "path",
		"iris_dri.so": "path", "libdrm.so.2": "RUNPATH of libGLX_mesa.so.0"} {
		if l := s.library(name); l == nil || l.How != want || !strings.HasPrefix(l.Path, "/nix/store/") {
			t.Errorf("%s: %+v", name, l)
		}
	}
}
