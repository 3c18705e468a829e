//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// What would break with two libcs: test/probes/onelibc has a check for each property, the host library is C++ built on
// Debian 13. The reference run without a capsule, and one with two libcs that must fail, are in package trees.
func TestOneLibc(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	for _, r := range runtimes {
		l := launch{runtime: trees.Tree(t, r), host: trees.HostWithTestLib(t), display: display,
			flags: bind, env: []string{"CT_STRAY=/probes/stray/libcapsuletest-stray.so"}}
		for _, lib := range hostlibraries.HostLibraries {
			l.flags = append(l.flags, "--library", lib)
		}
		t.Run(r, func(t *testing.T) {
			l.argv = []string{dir + "/bin/one_libc"}
			checkAll(t, l)
		})
		t.Run(r+"/LD_PRELOAD=libjemalloc.so.2", func(t *testing.T) {
			l.argv = []string{dir + "/bin/one_libc"}
			l.env = append(l.env, "LD_PRELOAD=libjemalloc.so.2")
			checkAll(t, l)
		})
	}
}

func checkAll(t *testing.T, l launch) {
	t.Helper()
	r := l.run(t)
	ok := strings.Count(r.stdout, "\nok ")
	if r.status != 0 || ok < 60 || strings.Contains(r.stdout, "FAIL") {
		var bad []string
		for _, line := range strings.Split(r.both(), "\n") {
			if !strings.HasPrefix(line, "ok ") {
				bad = append(bad, line)
			}
		}
		t.Errorf("exit status %d, %d ok\n%s", r.status, ok, strings.Join(bad, "\n"))
	}
	// An LD_PRELOAD that ld.so cannot find is only a warning.
	if strings.Contains(r.stderr, "cannot be preloaded") {
		t.Error(r.stderr)
	}
}

// Exceptions of the game through frames of the host's C++, and backtrace, on either side of glibc 2.35.
func TestUnwind(t *testing.T) {
	dir, bind := probes(t)
	for _, r := range runtimes {
		l := launch{runtime: trees.Tree(t, r), host: trees.HostWithTestLib(t), argv: []string{dir + "/bin/unwind"},
			flags: append([]string{"--library", "libcapsuletest.so.1"}, bind...)}
		t.Run(r, func(t *testing.T) {
			if out := l.ok(t).stdout; strings.Count(out, "ok ") != 6 || strings.Contains(out, "FAIL") {
				t.Errorf("%s", out)
			}
		})
	}
}

// A game with malloc and its family linked in: the allocator aborts on a foreign pointer.
func TestOwnMalloc(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/own_malloc"}
		if out := l.ok(t).stdout; !strings.Contains(out, "llvmpipe") {
			t.Errorf("no renderer:\n%s", out)
		}
	})
}

// A hook in LD_PRELOAD interposes glXSwapBuffers and goes on with RTLD_NEXT, as overlays do.
func TestHookInPreload(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		count := filepath.Join(t.TempDir(), "count")
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/frames", "20"}
		l.env = []string{"LD_PRELOAD=" + dir + "/bin/hook_swap.so", "HOOK_SWAP_FILE=" + count}
		l.ok(t)
		if b, err := os.ReadFile(count); err != nil || !strings.Contains(string(b), ": 20 frames") {
			t.Errorf("the hook saw %q frames of 20 (%v)", b, err)
		}
	})
}

// An auditor is told of each object and each binding, also in the capsule. glibc before 2.35 looks for a namespace's first
// object in an empty one.
func TestAuditor(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/frames", "2"}
		l.env = []string{"LD_AUDIT=" + dir + "/bin/audit.so"}
		if r := l.ok(t); strings.Count(r.stderr, "the auditor has seen the capsule\n") != 1 {
			t.Errorf("what the auditor said: %q", r.stderr)
		}
	})
}

// dlclose of every stub, then a clean exit: drivers' exit handlers still need what was closed.
func TestDlclose(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/dl_close"}
		l.ok(t)
	})
}

// A runtime newer than the host keeps its newer libgcc_s, libX11 and libxcb: the program needs GCC_14.0.0.
func TestRuntimeNewerThanHost(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	l := launch{runtime: trees.Tree(t, "runtime13"), host: machine, display: display, flags: bind, argv: []string{dir + "/bin/gcc14"}}
	l.ok(t)
	l.argv = []string{dir + "/bin/maps"}
	maps := l.ok(t).stdout
	for _, lib := range []string{"libX11.so.6", "libxcb.so.1"} {
		for _, line := range strings.Split(files(maps, lib), "\n") {
			f := strings.Fields(line)
			if len(f) == 6 && strings.Contains(f[1], "x") && strings.HasPrefix(f[5], "/usr/lib/capsule/x86_64-linux-gnu/host/") {
				t.Errorf("a second %s, the host's: %s", lib, line)
			}
		}
	}
}
