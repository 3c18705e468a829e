package hostlibs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// asUser does something with the file permissions of nobody in particular.
func asUser(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	runtime.LockOSThread() // setfsuid(2) is of a thread, and takes CAP_DAC_OVERRIDE away with it
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setfsuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

// denying is a host of which some paths may not be read.
func denying(t *testing.T, files map[string]string, paths ...string) *rootfs.Root {
	t.Helper()
	root := makeHost(t, files)
	for dir := root.Dir(); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range paths {
		if err := os.Chmod(filepath.Join(root.Dir(), p), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(root.Dir(), p), 0o755) })
	}
	return root
}

// What this user may not read is left out, and named once; all else is there.
func TestUnreadable(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]string
		denied []string // of which each is named
		absent string
	}{
		{"front end", nil, []string{multiarch + "libEGL.so.1"}, "libEGL.so.1"},
		{"GLX vendor", nil, []string{multiarch + "libGLX_mesa.so.0"}, "libGLX_mesa.so.0"},
		{"dependency", nil, []string{"usr/lib/llvm-19/lib/libLLVM.so.19.1"}, "libLLVM.so.19.1"},
		{"directory of a dependency", nil, []string{"usr/lib/llvm-19/lib"}, "libLLVM.so.19.1"},
		{"directory above one", nil, []string{"usr/lib/llvm-19"}, "libLLVM.so.19.1"},
		{"modules", nil, []string{multiarch + "dri"}, "libdril_dri.so"},
		{"manifest", nil, []string{"usr/share/vulkan/icd.d/lvp.json"}, "libvulkan_lvp.so"},
		{"manifests", nil, []string{"usr/share/vulkan/icd.d"}, "libvulkan_lvp.so"},
		{"layer", map[string]string{"usr/share/vulkan/explicit_layer.d/l.json": layerJSON("L", "libz3.so.4")},
			[]string{"usr/share/vulkan/explicit_layer.d/l.json"}, ""},
		{"library of a layer", map[string]string{"usr/share/vulkan/explicit_layer.d/l.json": layerJSON("L", "/opt/liblayer.so"),
			"opt/liblayer.so": lib("liblayer.so")}, []string{"opt/liblayer.so"}, "liblayer.so"},
		{"directory of ld.so.conf", map[string]string{"etc/ld.so.conf": "/opt/secret\n/opt/gl\n", "opt/secret/x": " "},
			[]string{"opt/secret"}, ""},
		{"part of ld.so.conf", map[string]string{"etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
			"etc/ld.so.conf.d/a.conf": "/opt/a\n", "etc/ld.so.conf.d/b.conf": "/opt/b\n"}, []string{"etc/ld.so.conf.d/a.conf"}, ""},
		{"two", nil, []string{multiarch + "libEGL.so.1", multiarch + "dri"}, "libEGL.so.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := denying(t, edited(c.change), c.denied...)
			var s *Stack
			var err error
			asUser(t, func() { s, err = Discover(root, arch.X8664, Options{}) })
			if err != nil {
				t.Fatal(err)
			}
			problems := slices.Concat(leftOutBesides(s), s.Problems)
			for _, p := range c.denied {
				named := func(problem string) bool {
					return strings.Contains(problem, root.Dir()+"/"+p+": permission denied") && strings.HasSuffix(problem, "left out")
				}
				if !slices.ContainsFunc(problems, named) {
					t.Errorf("%s is not among the problems: %q", p, problems)
				}
				problems = slices.DeleteFunc(problems, named) // of a dependency, for each driver that needs it
			}
			if len(problems) != 0 {
				t.Errorf("more problems: %q", problems)
			}
			if c.absent != "" && s.library(c.absent) != nil {
				t.Errorf("%s is there", c.absent)
			}
			if s.library("libGL.so.1") == nil {
				t.Error("libGL.so.1 is not there")
			}
		})
	}
}

// What the user asks for by name is not left out.
func TestUnreadableRequest(t *testing.T) {
	for _, request := range []string{"libz3.so.4", "/usr/lib/llvm-19/lib/libz3.so.4"} {
		change := map[string]string{multiarch + "libz3.so.4": "-> ../llvm-19/lib/libz3.so.4"}
		root := denying(t, edited(change), "usr/lib/llvm-19/lib/libz3.so.4")
		var err error
		asUser(t, func() { _, err = Discover(root, arch.X8664, Options{Libraries: []string{request}}) })
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), root.Dir()+"/usr/lib/llvm-19/lib/libz3.so.4") || fault.Hint(err) == "" {
			t.Errorf("%s: %v (%s)", request, err, fault.Hint(err))
		}
	}
}

// A host without a stack for this user says what it may not read.
func TestUnreadableStack(t *testing.T) {
	root := denying(t, map[string]string{multiarch + "libGL.so.1": lib("libGL.so.1"), "lib": "-> usr/lib"}, "usr/lib/x86_64-linux-gnu")
	var err error
	asUser(t, func() { _, err = Discover(root, arch.X8664, Options{}) })
	if !errors.Is(err, ErrNoStack) || fault.Hint(err) == "" || !strings.Contains(err.Error(), root.Dir()+"/usr/lib/x86_64-linux-gnu") {
		t.Error(err)
	}
}

// When the directory may be read later, what was found before is out of date.
func TestUnreadableIsTraced(t *testing.T) {
	root := denying(t, host(), "usr/lib/llvm-19")
	asUser(t, func() {
		if _, err := Discover(root, arch.X8664, Options{}); err != nil {
			t.Error(err)
		}
	})
	changed := func() bool {
		return slices.ContainsFunc(root.Trace(), func(a rootfs.Access) bool { a.Racy = false; return !a.Unchanged() })
	}
	if changed() {
		t.Fatal("changed, and nothing was done")
	}
	if err := os.Chmod(root.Dir()+"/usr/lib/llvm-19", 0o755); err != nil {
		t.Fatal(err)
	}
	if !changed() {
		t.Error("unchanged")
	}
}
