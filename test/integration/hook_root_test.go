//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// movable is a container's root below a directory that can be exchanged with a link, while the runtime and the hook look for the
// root by its path: above/root is the container's, and behind the link other/root.
type movable struct {
	t            *testing.T
	above, other string
}

func newMovable(t *testing.T, tree string) *movable {
	t.Helper()
	dir := shared(t)
	m := &movable{t, dir + "/above", dir + "/other"}
	for _, d := range []string{m.above + "/root", m.other + "/root/run", m.other + "/root/etc"} {
		must(t, os.MkdirAll(d, 0o755))
	}
	must(t, os.Symlink(m.other, m.above+".link"))
	must(t, unix.Mount(writableRoot(t, tree), m.above+"/root", "", unix.MS_BIND, ""))
	t.Cleanup(func() {
		m.back()
		must(t, unix.Unmount(m.above+"/root", unix.MNT_DETACH))
	})
	return m
}

func (m *movable) swap() bool {
	return unix.Renameat2(unix.AT_FDCWD, m.above, unix.AT_FDCWD, m.above+".link", unix.RENAME_EXCHANGE) == nil
}

// back makes above the directory again.
func (m *movable) back() {
	m.t.Helper()
	if st, err := os.Lstat(m.above); err == nil && st.Mode()&os.ModeSymlink != 0 && !m.swap() {
		m.t.Error("the directories could not be exchanged again")
	}
}

// spared complains if the hook made or mounted something in the other root.
func (m *movable) spared() {
	m.t.Helper()
	for _, name := range []string{"/root/run/capsule", "/root/etc/ld.so.cache"} {
		if _, err := os.Lstat(m.other + name); err == nil {
			m.t.Errorf("%s was made outside of the container", name)
			os.RemoveAll(m.other + name)
		}
	}
	if mounted(m.t, m.other+"/root/run/capsule") {
		m.t.Error("something is mounted outside of the container")
	}
}

// A hook before ours has led the root's path elsewhere since the runtime followed it: to a directory, and to a file system of the
// host's.
func TestHookRootElsewhere(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	for _, engine := range engines {
		for _, stage := range []string{"createRuntime", "createContainer"} {
			for _, kind := range []string{"directory", "mount"} {
				t.Run(engine+"/"+stage+"/"+kind, func(t *testing.T) {
					uncapsuled(t)
					m := newMovable(t, tree)
					if kind == "mount" {
						must(t, unix.Mount("tmpfs", m.other+"/root", "tmpfs", 0, ""))
						t.Cleanup(func() { must(t, unix.Unmount(m.other+"/root", 0)) })
						must(t, os.MkdirAll(m.other+"/root/run", 0o755))
						must(t, os.MkdirAll(m.other+"/root/etc", 0o755))
					}
					b := newBundle(t, engine, m.above+"/root", "true")
					before := specs.Hook{Path: "/bin/sh", Env: []string{"PATH=/usr/bin:/bin"},
						Args: []string{"sh", "-c", "mv -T " + m.above + " " + m.above + ".real && mv -T " + m.above + ".link " + m.above}}
					b.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{before}}
					r := b.hook(stage, config, "--gpu=all").run()
					if _, err := os.Lstat(m.above + ".real"); err != nil {
						t.Fatalf("the hook before did not run: %v\n%s", err, r.both())
					}
					must(t, os.Rename(m.above, m.above+".link"))
					must(t, os.Rename(m.above+".real", m.above))
					if told := told(r, engine); r.status == 0 || !strings.Contains(told, "not what the runtime has mounted") ||
						!strings.Contains(told, "hint: ") {
						t.Errorf("exit status %d\n%s\n%s", r.status, r.both(), told)
					}
					m.spared()
				})
			}
		}
	}
}

// The same while the hook is at work: whoever wins, the other root is spared.
func TestHookRootRace(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	uncapsuled(t)
	m := newMovable(t, tree)
	untouched(t, host, tree, filepath.Dir(config))
	ready := m.above + ".ready"
	swaps, refused := 0, 0
	for i := range 12 {
		os.Remove(ready)
		b := newBundle(t, engines[i%2], m.above+"/root", "true")
		// Only once the runtime has what it needs of the path: it mounts and makes by name itself.
		b.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/touch", Args: []string{"touch", ready}}}}
		stop, done := make(chan struct{}), sync.WaitGroup{}
		done.Add(1)
		go func() {
			defer done.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := os.Lstat(ready); err == nil && m.swap() {
					swaps++
				}
			}
		}()
		r := b.hook([]string{"createRuntime", "createContainer"}[i/2%2], config, "--gpu=all").run()
		close(stop)
		done.Wait()
		m.back()
		m.spared()
		if strings.Contains(r.both(), "goroutine ") {
			t.Errorf("%s", tail(r.both()))
		}
		if r.status != 0 {
			refused++
		}
	}
	t.Logf("%d swaps, %d of 12 refused", swaps, refused)
	if swaps < 100 {
		t.Errorf("only %d swaps", swaps)
	}
}
