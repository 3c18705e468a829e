//go:build integration

package integration

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Runtimes that have loaders (and Mesa) of their own: at the driver boundary their libGL, libEGL and libvulkan are used, and
// behind them the host's drivers.
func TestDriverBoundary(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	for _, boundary := range []string{"driver", "auto"} {
		for _, r := range []string{"full11", "full12", "full13"} {
			t.Run(boundary+"/"+r, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), display: display,
					flags: append([]string{"--boundary", boundary}, bind...)}
				mesa := "Mesa " + mesaVersion(t, l.host)
				for _, argv := range [][]string{{"glxinfo", "-B"}, {dir + "/bin/egl_small"}, {"vulkaninfo"}} {
					l.argv = argv
					if out := l.ok(t).stdout; !strings.Contains(out, mesa) {
						t.Errorf("%s does not say %s:\n%s", argv[0], mesa, tail(out))
					}
				}
				// What libGLX takes where the X server names no vendor, a link to one's library.
				l.argv, l.env = []string{"glxinfo", "-B"}, []string{"__GLX_VENDOR_LIBRARY_NAME=indirect"}
				if out := l.ok(t).stdout; !strings.Contains(out, mesa) {
					t.Errorf("libGLX_indirect is not of %s:\n%s", mesa, tail(out))
				}
				l.argv, l.env = []string{"vkcube", "--c", "50"}, nil
				l.ok(t)
				l.argv = []string{dir + "/bin/maps"}
				maps := l.ok(t).stdout
				checkOneLibc(t, maps)
				if !strings.Contains(maps, " /usr/lib/x86_64-linux-gnu/libGLX.so.0") {
					t.Errorf("the runtime's libGLX is not used:\n%s", files(maps, "libGL"))
				}
				if strings.Contains(maps, "/usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libGLX.so") ||
					!strings.Contains(maps, "/usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libGLX_mesa.so") {
					t.Errorf("the capsule should hold the vendor's library, not the loader:\n%s", files(maps, "libGL"))
				}
			})
		}
	}
	t.Run("without loaders", func(t *testing.T) {
		l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), display: display,
			flags: []string{"--boundary", "driver"}, argv: []string{"glxinfo"}}
		if r := l.run(t); r.status != 125 || !strings.Contains(r.stderr, "the runtime has no libGL.so.1") ||
			!strings.Contains(r.stderr, "hint: ") {
			t.Errorf("exit status %d\n%s", r.status, r.stderr)
		}
		l.flags = []string{"--boundary", "auto"}
		if r := l.run(t); r.status != 0 || !strings.Contains(r.stdout, "llvmpipe") {
			t.Errorf("auto: exit status %d\n%s", r.status, tail(r.both()))
		}
	})
}

// Which driver is used may be told by manifests' names, to a runtime's loader that knows of it and to one that does not.
func TestVulkanDriverSelection(t *testing.T) {
	for _, r := range []string{"full11", "full13"} {
		for _, c := range []struct{ env, want string }{
			{"VK_LOADER_DRIVERS_SELECT=lvp*", "llvmpipe"},
			{"VK_LOADER_DRIVERS_SELECT=lvp_icd.json", "llvmpipe"},
			{"VK_LOADER_DRIVERS_DISABLE=~all~", ""},
		} {
			l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), env: []string{c.env},
				flags: []string{"--boundary", "Vulkan=driver"}, argv: []string{"vulkaninfo", "--summary"}}
			mesa := "Mesa " + mesaVersion(t, l.host)
			if got := l.run(t); strings.Contains(got.stdout, mesa) != (c.want != "") {
				t.Errorf("%s, %s: exit status %d\n%s", r, c.env, got.status, tail(got.both()))
			}
		}
	}
}

// A host whose libEGL.so.1 is a link to a file with another DT_SONAME, as Arm's driver is installed.
func TestFrontEndOfAnotherName(t *testing.T) {
	host := copyOf(t, "host13")
	const dir = "/usr/lib/x86_64-linux-gnu/"
	lib, err := os.ReadFile(host + dir + "libEGL.so.1")
	must(t, err)
	lib = bytes.ReplaceAll(lib, []byte("libEGL.so.1\x00"), []byte("libMali.so1\x00"))
	must(t, os.Remove(host+dir+"libEGL.so.1"))
	must(t, os.WriteFile(host+dir+"libMali.so1", lib, 0o644))
	must(t, os.Symlink("libMali.so1", host+dir+"libEGL.so.1"))
	probeDir, bind := probes(t)
	for _, isolation := range []string{"userns", "none"} {
		flags := append([]string{"--isolation", isolation}, bind...)
		argv := []string{probeDir + "/bin/egl_small"}
		if isolation == "none" {
			flags, argv = flags[:2], []string{"eglinfo"}
		}
		l := launch{runtime: trees.Tree(t, "runtime11"), host: host, flags: flags, argv: argv}
		if r := l.run(t); !strings.Contains(r.both(), "EGL_EXT_platform_base") && !strings.Contains(r.stdout, "Mesa "+mesaVersion(t, host)) {
			t.Errorf("%s: exit status %d\n%s", isolation, r.status, tail(r.both()))
		}
	}
}
