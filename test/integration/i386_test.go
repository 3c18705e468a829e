//go:build integration

package integration

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Runtimes of 32-bit x86 alone, and a host that has nothing else either; the launcher is the 64-bit one.
var runtimesI386 = []string{"runtime11i386", "runtime12i386", "runtime13i386"}

// bits ends the name of the host that belongs to a runtime.
func bits(runtime string) string {
	if slices.Contains(runtimesI386, runtime) {
		return "i386"
	}
	return ""
}

func eachI386(t *testing.T, f func(t *testing.T, l launch)) {
	display := xvfb.Start(t)
	for _, r := range runtimesI386 {
		t.Run(r, func(t *testing.T) {
			f(t, launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13i386"), display: display})
		})
	}
}

func probesI386(t *testing.T) (dir string, bind []string) {
	return "/probes", []string{"--bind", trees.ProbesI386(t) + ":/probes:ro"}
}

func TestI386GLX(t *testing.T) {
	eachI386(t, func(t *testing.T, l launch) {
		l.argv = []string{"glxinfo", "-B"}
		out := l.ok(t).stdout
		files, err := filepath.Glob(filepath.Join(l.host, "usr/lib/i386-linux-gnu/libgallium-*.so"))
		if err != nil || len(files) != 1 {
			t.Fatalf("the host's Mesa: %q (%v)", files, err)
		}
		version := regexp.MustCompile(`libgallium-(\d+\.\d+\.\d+)`).FindStringSubmatch(files[0])[1]
		if !strings.Contains(out, "OpenGL renderer string: llvmpipe") || !strings.Contains(out, "Mesa "+version) {
			t.Errorf("not the host's Mesa %s:\n%s", version, tail(out))
		}
		gears(t, l)
	})
}

func TestI386EGLAndVulkan(t *testing.T) {
	dir, bind := probesI386(t)
	eachI386(t, func(t *testing.T, l launch) {
		l.argv = []string{"vulkaninfo"}
		if out := l.ok(t).stdout; !regexp.MustCompile(`deviceName +=.*llvmpipe`).MatchString(out) {
			t.Errorf("vulkaninfo has no llvmpipe:\n%s", tail(out))
		}
		l.argv = []string{"vkcube", "--c", "50"}
		l.ok(t)
		l.flags = bind
		for _, probe := range []string{"egl_small", "gl_dlopen", "own_malloc", "frames 20"} {
			l.argv = strings.Fields(dir + "/bin/" + probe)
			if out := l.ok(t).stdout; !strings.Contains(out, "llvmpipe") {
				t.Errorf("%s: not the host's llvmpipe:\n%s", probe, out)
			}
		}
	})
}

// The trampolines of a stub are used by programs that are bound before it is filled.
func TestI386BoundEarlyAndLate(t *testing.T) {
	dir, bind := probesI386(t)
	eachI386(t, func(t *testing.T, l launch) {
		l.flags = bind
		for _, probe := range []string{"gl_calls_now", "gl_calls_lazy"} {
			l.argv = []string{dir + "/bin/" + probe}
			l.ok(t)
		}
		l.argv = []string{dir + "/bin/dl_close", "libGL.so.1", "libEGL.so.1", "libvulkan.so.1"}
		l.ok(t)
		count := filepath.Join(t.TempDir(), "count")
		l.argv = []string{dir + "/bin/frames", "20"}
		l.env = []string{"LD_PRELOAD=" + dir + "/bin/hook_swap.so", "HOOK_SWAP_FILE=" + count}
		l.ok(t)
		if b, err := os.ReadFile(count); err != nil || !strings.Contains(string(b), ": 20 frames") {
			t.Errorf("the hook saw %q frames of 20 (%v)", b, err)
		}
	})
}

func TestI386OneLibc(t *testing.T) {
	dir, bind := probesI386(t)
	eachI386(t, func(t *testing.T, l launch) {
		l.host = trees.HostWithTestLibI386(t)
		l.flags, l.argv = bind, []string{dir + "/bin/one_libc"}
		l.env = []string{"CT_STRAY=/probes/stray/libcapsuletest-stray.so"}
		for _, lib := range hostlibraries.HostLibraries {
			l.flags = append(l.flags, "--library", lib)
		}
		checkAll(t, l)
		l.env = append(l.env, "LD_PRELOAD=libjemalloc.so.2")
		checkAll(t, l)
	})
}

// Every calling convention through a stub's trampolines, and glibc's functions for 64-bit time: the same answers as
// natively on Debian 13.
func TestI386ABI(t *testing.T) {
	dir, bind := probesI386(t)
	host := trees.HostWithTestLibI386(t)
	out, err := trees.Enter(t.Context(), host, trees.ProbesI386(t), nil, "/mnt/bin/abi").CombinedOutput()
	if err != nil || string(out) != "0 failures\n" {
		t.Fatalf("natively: %v\n%s", err, out)
	}
	eachI386(t, func(t *testing.T, l launch) {
		l.host, l.flags = host, append([]string{"--library", "libcapsuletest-abi.so"}, bind...)
		l.argv = []string{dir + "/bin/abi"}
		if r := l.run(t); r.status != 0 || r.stdout != "0 failures\n" {
			t.Errorf("exit status %d\n%s", r.status, r.both())
		}
	})
}

// Debian 13 builds some libraries for i386 with 64-bit time: what they ask of glibc 2.34 is there too.
func TestI386NothingIsMissing(t *testing.T) {
	_, text := planOf(t, trees.Tree(t, "runtime11i386"), trees.Tree(t, "host13i386"))
	if !strings.Contains(string(text), `"__fstat64_time64"`) {
		t.Error("no library of the host wants __fstat64_time64: this test has lost its object")
	}
	p, _ := planOf(t, trees.Tree(t, "runtime11i386"), trees.Tree(t, "host13i386"))
	for _, port := range p.Architectures {
		for _, s := range port.Symbols.Missing {
			t.Errorf("%s@%s of %s is missing, needed by %v", s.Symbol, s.Version, s.Library, s.NeededBy)
		}
	}
}

// Nothing newer than what the port's first glibc versions had, and no address that ld.so would have to write into code.
func TestI386BaseVersionsOnly(t *testing.T) {
	base := []string{"GLIBC_2.0", "GLIBC_2.1", "GLIBC_2.2.4", "GLIBC_2.3.3", "GLIBC_2.3.4"}
	for _, name := range []string{"libcapsule.so", "libcapsule-root.so"} {
		f, err := elf.Open(filepath.Join("../../cshim/out/i386", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		imported, err := f.ImportedSymbols()
		if err != nil {
			t.Fatal(err)
		}
		if (name == "libcapsule.so") != (len(imported) >= 10) {
			t.Errorf("%s has %d imports: %v", name, len(imported), imported)
		}
		for _, s := range imported {
			if !slices.Contains(base, s.Version) {
				t.Errorf("%s refers to %s@%s", name, s.Name, s.Version)
			}
		}
		if textrel, _ := f.DynValue(elf.DT_TEXTREL); textrel != nil {
			t.Errorf("%s has text relocations", name)
		}
	}
}
