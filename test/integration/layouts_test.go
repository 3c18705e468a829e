//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

func inode(i os.FileInfo) uint64 { return i.Sys().(*syscall.Stat_t).Ino }

// What a runtime's directory may look like; the plan's word for it is checked too, lest a test build another shape
// than it means to.
func TestLayouts(t *testing.T) {
	display := xvfb.Start(t)
	for _, c := range []struct {
		name, tree, layout string
		make               func(t *testing.T, dir string)
	}{
		{"without ld.so.cache", "runtime11", "sysroot", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/etc/ld.so.cache"))
		}},
		{"without ld.so.cache and ld.so.conf", "runtime12", "merged-usr", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/etc/ld.so.cache"))
			must(t, os.Remove(dir+"/etc/ld.so.conf"))
			must(t, os.RemoveAll(dir+"/etc/ld.so.conf.d"))
		}},
		{"usr and etc alone", "runtime12", "merged-usr", func(t *testing.T, dir string) {
			keepOnly(t, dir, "usr", "etc")
		}},
		{"usr, etc and links", "runtime12", "merged-usr", func(t *testing.T, dir string) {
			keepOnly(t, dir, "usr", "etc", "lib", "lib64", "bin", "sbin")
		}},
		{"Flatpak", "runtime12", "flatpak", func(t *testing.T, dir string) {
			keepOnly(t, dir, "usr", "etc")
			must(t, os.Rename(dir+"/usr", dir+"/files"))
			must(t, os.Rename(dir+"/etc", dir+"/files/etc"))
			must(t, os.WriteFile(dir+"/metadata", []byte("[Runtime]\nname=org.example.Platform\n"), 0o644))
		}},
		{"var is a file", "runtime12", "merged-usr", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir+"/var"))
			must(t, os.WriteFile(dir+"/var", nil, 0o644))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			unmounted(t)
			dir := copyOf(t, c.tree)
			c.make(t, dir)
			l := launch{runtime: dir, host: trees.Tree(t, "host13"), display: display, argv: []string{"glxinfo", "-B"},
				env: []string{"XDG_CACHE_HOME=" + t.TempDir()}}
			if p, _ := planOf(t, dir, l.host); p.Runtime.Layout != c.layout {
				t.Errorf("the layout is %s, not %s", p.Runtime.Layout, c.layout)
			}
			if out := l.ok(t).stdout; !strings.Contains(out, "Mesa "+mesaVersion(t, l.host)) {
				t.Errorf("not the host's Mesa:\n%s", tail(out))
			}
			l.argv = []string{"/bin/sh", "-c", "cat /etc/debian_version"}
			if out := l.ok(t).stdout; !strings.HasPrefix(out, strings.TrimPrefix(c.tree, "runtime")) {
				t.Errorf("Debian %s", out)
			}
		})
	}
}

// keepOnly removes all but some top-level names.
func keepOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+e.Name()+" ") {
			must(t, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
}
