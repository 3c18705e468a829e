//go:build integration

package integration

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// The whole way for aarch64, on a machine of any architecture: programs run in qemu-user, which the command names.

// inside is where the emulator is in a capsule.
const inside = "/qemu-aarch64"

// emulated runs a launch's command in qemu-user where the machine cannot run it by itself.
func (l launch) emulated(t *testing.T) launch {
	t.Helper()
	qemu, err := trees.LookEmulator(l.runtime)
	if err != nil {
		t.Fatal(err)
	}
	if qemu == "" {
		return l
	}
	l.flags = append(slices.Clone(l.flags), "--bind", qemu+":"+inside)
	l.argv = append([]string{inside}, l.argv...)
	if l.limit == 0 {
		l.limit = 5 * time.Minute
	}
	return l
}

func emulating(t *testing.T, tree string) bool {
	t.Helper()
	qemu, err := trees.LookEmulator(tree)
	if err != nil {
		t.Fatal(err)
	}
	return qemu != ""
}

// onAArch64 is a launch of a Debian 11 runtime on a Debian 13 host, with the probes bound to /probes.
func onAArch64(t *testing.T) launch {
	t.Helper()
	return launch{runtime: trees.Tree(t, "runtime11arm64"), host: trees.Tree(t, "host13arm64"), display: xvfb.Start(t),
		flags: []string{"--bind", trees.ProbesArm64(t) + ":/probes:ro"}}
}

// reference is what a program prints in the host's tree, without a capsule; errors are for the caller to compare.
func (l launch) reference(t *testing.T, command ...string) string {
	t.Helper()
	env := append(l.display.Env(), l.env...)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, _ := trees.Enter(ctx, l.host, trees.ProbesArm64(t), env, command...).Output()
	return string(out)
}

func TestAArch64GLX(t *testing.T) {
	l := onAArch64(t)
	l.argv = []string{"/usr/bin/glxinfo", "-B"}
	out, native := l.emulated(t).ok(t).stdout, l.reference(t, l.argv...)
	lines := regexp.MustCompile(`(?m)^(OpenGL .*(vendor|renderer|version) string|direct rendering): .*$`)
	want, got := lines.FindAllString(native, -1), lines.FindAllString(out, -1)
	if !slices.Equal(want, got) || len(want) < 6 || !strings.Contains(out, "OpenGL renderer string: llvmpipe") {
		t.Errorf("got\n%s\nwant, as natively,\n%s", tail(out), tail(native))
	}
}

// Pixels are drawn with code that LLVM has made in the capsule.
func TestAArch64EGLAndVulkan(t *testing.T) {
	l := onAArch64(t)
	l.argv = []string{"/probes/bin/egl_small"}
	got, want := l.emulated(t).ok(t).stdout, l.reference(t, "/mnt/bin/egl_small")
	if got != want || !strings.Contains(got, "renderer=llvmpipe") {
		t.Errorf("got\n%s\nwant, as natively,\n%s", tail(got), tail(want))
	}
	l.argv = []string{"/probes/bin/gl_dlopen"}
	if out := l.emulated(t).ok(t).stdout; !regexp.MustCompile(`(?m)^vulkan=llvmpipe.*\ndone$`).MatchString(out) {
		t.Errorf("GLX, EGL and Vulkan by dlopen:\n%s", out)
	}
	l.argv = []string{"/usr/bin/eglinfo"} // its exit status is that of the last platform, GPUs by number
	if out := l.emulated(t).run(t).stdout; !regexp.MustCompile(`(?s)X11 platform:.*EGL vendor string: Mesa Project`).MatchString(out) {
		t.Errorf("eglinfo:\n%s", tail(out))
	}
}

// The runtime's own loaders, under a glibc that lets branches end at landing pads only (since 2.32; qemu has BTI).
func TestAArch64DriverBoundary(t *testing.T) {
	l := onAArch64(t)
	l.runtime = l.host
	l.flags = append(l.flags, "--boundary", "driver")
	l.argv = []string{"/probes/bin/gl_dlopen"}
	if out := l.emulated(t).ok(t).stdout; !regexp.MustCompile(`(?m)^vulkan=llvmpipe.*\ndone$`).MatchString(out) {
		t.Errorf("GLX, EGL and Vulkan by dlopen:\n%s", out)
	}
}

// What the process has once, from malloc to exceptions, dlopen and static TLS. What fails in the host's own tree, without
// a capsule, is the emulator's: a shell is a program of its own.
func TestAArch64OneLibc(t *testing.T) {
	l := onAArch64(t)
	l.host = trees.HostWithTestLibArm64(t)
	native := l
	native.env = []string{"CT_STRAY=/mnt/stray/libcapsuletest-stray.so"}
	if emulating(t, l.runtime) {
		native.env, l.env = append(native.env, "CT_RUNNER="+trees.EmulatorInside), []string{"CT_RUNNER=" + inside}
	}
	want := checks(native.reference(t, "/mnt/bin/one_libc"))
	for _, lib := range hostlibraries.HostLibraries {
		l.flags = append(l.flags, "--library", lib)
	}
	l.argv = []string{"/probes/bin/one_libc"}
	l.env = append(l.env, "CT_STRAY=/probes/stray/libcapsuletest-stray.so")
	out := l.emulated(t).run(t)
	got := checks(out.stdout)
	for name, result := range want {
		if result == "ok" && got[name] != "ok" || result != "ok" && name != "system-popen" {
			t.Errorf("%s: %s, natively %s", name, got[name], result)
		}
	}
	if len(want) < 75 || len(got) != len(want) {
		t.Errorf("%d checks, natively %d\n%s", len(got), len(want), tail(out.both()))
	}
}

// checks reads one_libc's lines: "ok", "skip" or "FAIL: why" by the check's name.
func checks(out string) map[string]string {
	results := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(ok|skip|FAIL) ([^\s:]+)(.*)$`).FindAllStringSubmatch(out, -1) {
		results[m[2]] = m[1] + m[3]
	}
	return results
}

// Exceptions through both unwinders, the calling conventions through trampolines, and nothing that is unloaded too early.
func TestAArch64UnwindABIAndDlclose(t *testing.T) {
	l := onAArch64(t)
	l.host = trees.HostWithTestLibArm64(t)
	l.flags = append(l.flags, "--library", "libcapsuletest.so.1", "--library", "libcapsuletest-abi.so")
	l.argv = []string{"/probes/bin/unwind"}
	if out := l.emulated(t).ok(t).stdout; strings.Count(out, "ok ") != 6 || strings.Contains(out, "FAIL") {
		t.Errorf("%s", out)
	}
	l.argv = []string{"/probes/bin/dl_close", "libGL.so.1", "libEGL.so.1", "libvulkan.so.1"}
	l.emulated(t).ok(t)

	// Debian 12's qemu does not know epoll_pwait2, and Debian 13's rounds a socket's timeout.
	l.argv = []string{"/probes/bin/abi"}
	want, got := l.reference(t, "/mnt/bin/abi"), l.emulated(t).run(t)
	allowed := regexp.MustCompile(`^(FAIL .*(epoll_pwait2|SO_RCVTIMEO).*\n1|0) failures\n$`)
	if got.stdout != want || !allowed.MatchString(want) {
		t.Errorf("got\n%s\nwant, as natively,\n%s", got.both(), want)
	}
}

// Where the kernel knows the emulator, programs of the runtime start others: nothing of the emulator need be named. A user
// namespace has a binfmt_misc of its own since Linux 6.7, so that the machine's stays as it is.
func TestAArch64RegisteredEmulator(t *testing.T) {
	l := onAArch64(t)
	if !emulating(t, l.runtime) {
		return // it is the machine's own architecture
	}
	l.host = trees.HostWithTestLibArm64(t)
	l.flags = append(l.flags, "--library", "libcapsuletest.so.1")
	l.argv = []string{"sh", "-c", "glxinfo -B && /probes/bin/one_libc system-popen && exit 3"}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd, ok := trees.Registered(l.command(ctx))
	if !ok {
		t.Skip("this kernel has no binfmt_misc that a test may change")
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "renderer string: llvmpipe") ||
		!strings.Contains(string(out), "ok system-popen") {
		t.Errorf("%v\n%s", err, tail(string(out)))
	}
}

// Without ld.so.cache ld.so goes by its default directories, and still finds the stubs.
func TestAArch64WithoutCache(t *testing.T) {
	l := onAArch64(t)
	l.runtime = copyOf(t, "runtime11arm64")
	if err := os.Remove(filepath.Join(l.runtime, "etc/ld.so.cache")); err != nil {
		t.Fatal(err)
	}
	l.argv = []string{"/probes/bin/gl_first"}
	if out := l.emulated(t).ok(t).stdout; !strings.Contains(out, "llvmpipe") {
		t.Errorf("no renderer:\n%s", out)
	}
}

// Every symbol that the host's libraries ask of glibc, in the plan.
func TestAArch64NothingIsMissing(t *testing.T) {
	p, _ := planOf(t, trees.Tree(t, "runtime11arm64"), trees.Tree(t, "host13arm64"))
	if a := p.Architectures[0]; len(p.Architectures) != 1 || len(a.Symbols.Polyfills) < 10 || len(a.Symbols.Aliases) < 20 {
		t.Errorf("%d architectures, %d polyfills, %d aliases", len(p.Architectures), len(a.Symbols.Polyfills), len(a.Symbols.Aliases))
	}
	for _, s := range p.Architectures[0].Symbols.Missing {
		if strings.HasPrefix(s.Version, "GLIBC_") { // others are libwayland's
			t.Errorf("%s@%s of %s is missing, needed by %v", s.Symbol, s.Version, s.Library, s.NeededBy)
		}
	}
}

// Each newer symbol of glibc does what it does on the host, as TestSymbols has it.
func TestAArch64Symbols(t *testing.T) {
	never := func(string) bool { return false }
	compareSymbols(t, "host13arm64", never, "runtime11arm64")
}
