//go:build integration

package integration

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// Somebody who shares the container's file tree swaps the places of the mounts for links while the hook is at work. Whoever
// wins, nothing is mounted or made outside, and nothing stays mounted.
func TestHookRace(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	outside := newOutside(t)
	gpu := hookConfig(t, gpuHost(t))
	untouched(t, host, tree, outside)
	for _, place := range []string{"/run", "/run/capsule", "/etc", "/etc/ld.so.cache", "/dev/dri"} {
		t.Run(place, func(t *testing.T) {
			unmounted(t)
			root := writableRoot(t, tree)
			// A directory of the lower layer cannot be renamed (overlayfs.rst, "Renaming directories"): a copy can.
			if place != "/etc/ld.so.cache" {
				must(t, os.MkdirAll(root+place, 0o755))
				must(t, exec.Command("cp", "-a", root+place, root+place+".copy").Run())
				must(t, os.RemoveAll(root+place))
				must(t, exec.Command("cp", "-a", root+place+".copy", root+place).Run())
			}
			target := outside
			if place == "/etc/ld.so.cache" {
				target += "/file"
			}
			must(t, os.Symlink(target, root+place+".link"))
			var done sync.WaitGroup
			stop := make(chan struct{})
			swaps := 0
			done.Add(1)
			go func() {
				defer done.Done()
				for {
					select {
					case <-stop:
						return
					default:
						if unix.Renameat2(unix.AT_FDCWD, root+place, unix.AT_FDCWD, root+place+".link", unix.RENAME_EXCHANGE) == nil {
							swaps++
						}
					}
				}
			}()
			started, refused := 0, 0
			for i := range 12 {
				b := newBundle(t, "runc", root, "sh", "-c", "grep -rl "+secret+" /run/capsule /etc/ld.so.cache; true")
				config := config
				if place == "/dev/dri" {
					config, b.spec.Mounts = gpu, withoutMounts(b.spec.Mounts, "/dev")
				}
				r := b.hook([]string{"createRuntime", "createContainer"}[i%2], config, "--gpu=all").run()
				if strings.TrimSpace(r.stdout) != "" || strings.Contains(r.both(), "goroutine ") {
					t.Errorf("%s", tail(r.both()))
				}
				if r.status == 0 {
					started++
				} else {
					refused++
				}
				for _, name := range []string{outside, outside + "/file", outside + "/capsule"} {
					if mounted(t, name) {
						t.Errorf("something is mounted on %s", name)
						unix.Unmount(name, unix.MNT_DETACH)
					}
				}
			}
			close(stop)
			done.Wait()
			t.Logf("%d swaps, %d started, %d refused", swaps, started, refused)
			if swaps < 100 {
				t.Errorf("only %d swaps", swaps)
			}
			if link, err := os.Lstat(root + place + ".link"); err == nil && link.Mode()&os.ModeSymlink == 0 {
				must(t, unix.Renameat2(unix.AT_FDCWD, root+place, unix.AT_FDCWD, root+place+".link", unix.RENAME_EXCHANGE))
			}
		})
	}
}
