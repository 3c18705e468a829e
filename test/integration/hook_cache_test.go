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

// withCache gives the hook's calls another cache.
func (b *bundle) withCache(dir string) *bundle {
	for _, h := range append(b.spec.Hooks.CreateRuntime, b.spec.Hooks.CreateContainer...) {
		for i, a := range h.Args {
			if strings.HasPrefix(a, "--cache=") {
				h.Args[i] = "--cache=" + dir
			}
		}
	}
	return b
}

func builds(t *testing.T, cache string) int {
	t.Helper()
	all, err := filepath.Glob(cache + "/builds/*/g-*")
	must(t, err)
	return len(all)
}

// What was built for a container serves those that are the same, and no others: not even where all that could be read is
// the same, and the image has made sure that something could not.
func TestHookCacheTellsImagesApart(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, want := hookConfig(t, host), "Mesa "+mesaVersion(t, host)
	// The plain image has no ld.so.cache, so that the hook reads ld.so.conf.
	plain := func(root string) { must(t, os.Remove(root+"/etc/ld.so.cache")) }
	start := func(t *testing.T, cache string, change func(root string)) {
		t.Helper()
		root := writableRoot(t, tree)
		plain(root)
		change(root)
		b := newBundle(t, "runc", root, "sh", "-c", "vulkaninfo --summary 2>/dev/null")
		if out := b.hook("createRuntime", config, "--gpu=all").withCache(cache).ok().stdout; !strings.Contains(out, want) {
			t.Errorf("not the host's driver:\n%s", out)
		}
	}
	for name, change := range map[string]func(root string){
		"ld.so.conf.d is a file": func(root string) {
			must(t, os.RemoveAll(root+"/etc/ld.so.conf.d"))
			must(t, os.WriteFile(root+"/etc/ld.so.conf.d", nil, 0o644))
		},
		"a library directory is a file": func(root string) {
			must(t, os.RemoveAll(root+"/usr/local/lib"))
			must(t, os.WriteFile(root+"/usr/local/lib", nil, 0o644))
		},
		"another ld.so.conf": func(root string) {
			must(t, os.WriteFile(root+"/etc/ld.so.conf.d/a.conf", []byte("/opt\n"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			unmounted(t)
			cache := shared(t)
			start(t, cache, change)
			start(t, cache, func(string) {})
			if n := builds(t, cache); n != 2 {
				t.Errorf("%d builds for two images", n)
			}
			start(t, cache, func(string) {})
			if n := builds(t, cache); n != 2 {
				t.Errorf("%d builds after a start of a known image", n)
			}
		})
	}
}

// Containers that start at once with an empty cache all get their capsule, and leave whole builds alone.
func TestHookConcurrentStarts(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, want, cache := hookConfig(t, host), "Mesa "+mesaVersion(t, host), shared(t)
	var bundles []*bundle
	for i := range 4 {
		b := newBundle(t, engines[i%len(engines)], writableRoot(t, tree), "sh", "-c", "vulkaninfo --summary 2>/dev/null")
		bundles = append(bundles, b.hook("createRuntime", config, "--gpu=all").withCache(cache))
	}
	results := make([]result, len(bundles))
	var all sync.WaitGroup
	for i, b := range bundles {
		all.Add(1)
		go func() {
			defer all.Done()
			results[i] = b.run()
		}()
	}
	all.Wait()
	for _, r := range results {
		if r.status != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
		}
	}
	if left, _ := filepath.Glob(cache + "/builds/*/.new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if n := builds(t, cache); n < 1 || n > len(bundles) {
		t.Errorf("%d builds", n)
	}
}

// Without room for what is generated the container is not started, or without GPU, and nothing half made stays.
func TestHookDiskFull(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, cache := hookConfig(t, host), shared(t)
	must(t, unix.Mount("tmpfs", cache, "tmpfs", 0, "size=128k,mode=755"))
	t.Cleanup(func() { must(t, unix.Unmount(cache, 0)) })
	for _, engine := range engines {
		b := newBundle(t, engine, writableRoot(t, tree), "true").hook("createRuntime", config, "--gpu=all").withCache(cache)
		if r := b.run(); r.status == 0 {
			t.Errorf("%s: the container started", engine)
		} else if engine == "runc" && (!strings.Contains(r.stderr, "no space left") || !strings.Contains(r.stderr, "hint: ")) {
			t.Errorf("%s", r.stderr)
		}
		b = newBundle(t, engine, writableRoot(t, tree), "sh", "-c", "echo started; grep -c /run/capsule /proc/self/mountinfo")
		r := b.hook("createRuntime", config, "--gpu=all", "--mode=optional").withCache(cache).run()
		if !strings.HasPrefix(r.stdout, "started\n0\n") {
			t.Errorf("%s: %s", engine, r.both())
		}
	}
	if left, _ := filepath.Glob(cache + "/builds/*/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// At createContainer the hook has the container's limits. What it could not find out for want of descriptors is no reason
// for anything in the next container.
func TestHookShortOfDescriptors(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, want := hookConfig(t, host), "Mesa "+mesaVersion(t, host)
	for _, limit := range []uint64{16, 24} {
		cache := shared(t)
		// runc sets the limits later.
		short := newBundle(t, "crun", writableRoot(t, tree), "true").hook("createContainer", config, "--gpu=all").withCache(cache)
		short.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: limit, Soft: limit}}
		r := short.run()
		if told := readFile(t, cache+"/hook.log"); r.status == 0 || !strings.Contains(told, "hint: ") || strings.Contains(told, "goroutine") {
			t.Errorf("%d descriptors: exit status %d\n%s", limit, r.status, told)
		}
		b := newBundle(t, "runc", writableRoot(t, tree), "sh", "-c", "vulkaninfo --summary 2>/dev/null")
		out := b.hook("createRuntime", config, "--gpu=all").withCache(cache).ok().stdout
		if !strings.Contains(out, want) {
			t.Errorf("after a container with %d descriptors not the host's driver:\n%s", limit, out)
		}
	}
}
