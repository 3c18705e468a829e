package trees

import (
	"bytes"
	"debug/elf"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/xvfb"
)

// runIn runs a command natively in a tree on a display of its own and returns its standard output.
func runIn(t *testing.T, root string, env []string, command ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs file trees")
	}
	env = append(env, xvfb.Start(t).Env()...)
	cmd := Enter(t.Context(), root, Probes(t), env, command...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(command, " "), err, out, stderr.String())
	}
	return string(out)
}

// Linked in the ordinary way on one release, the program finds one libc: this proves that one_libc asks only for
// what is true there, so that a failure in a capsule is the capsule's.
func TestOneLibcReference(t *testing.T) {
	root := use(t, BuildFullWithTestLib)
	out := runIn(t, root, []string{"CT_STRAY=/mnt/stray/libcapsuletest-stray.so"}, "/mnt/bin/one_libc")
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "ok ") {
			t.Errorf("%s", line)
		}
	}
	if n := strings.Count(out, "\n"); n < 70 {
		t.Errorf("only %d checks ran:\n%s", n, out)
	}
}

// The same for exceptions through frames of a library.
func TestUnwindReference(t *testing.T) {
	out := runIn(t, use(t, BuildFullWithTestLib), nil, "/mnt/bin/unwind")
	if strings.Count(out, "ok ") != 6 || strings.Contains(out, "FAIL") {
		t.Error(out)
	}
}

// With a second libc the same program fails: each check named here is one that would catch it.
func TestOneLibcNoticesTwo(t *testing.T) {
	root := use(t, BuildFullWithTestLib)
	cmd := Enter(t.Context(), root, Probes(t), []string{"LD_LIBRARY_PATH=/mnt/twolibcs"}, "/mnt/bin/one_libc")
	out, err := cmd.Output()
	if err == nil {
		t.Error("one_libc succeeds with two libcs")
	}
	for _, check := range []string{"malloc-host-free-game", "malloc-game-free-host", "realloc", "getline", "pthread-keys",
		"stdio-order", "stdio-streams", "stdio-reassigned", "environ", "environ-replaced", "errno", "timezone", "fork",
		"atexit-order", "getpwuid", "locale-process", "locale-thread", "symbol-addresses"} {
		if !strings.Contains(string(out), "FAIL "+check+":") {
			t.Errorf("%s does not notice", check)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// The GL probes work natively on each release's own Mesa.
func TestGLProbesReference(t *testing.T) {
	for _, root := range []string{"full11", "full12", "full13"} {
		t.Run(root, func(t *testing.T) {
			tree := Tree(t, root)
			for _, probe := range []struct{ command, want string }{
				{"exec_at /mnt/bin/gl_first", `(?m)^renderer=.*llvmpipe[^\n]*\n[^\n]*\nmain_ns=\d+\nfirst_ns=\d+$`},
				{"egl_small", `(?m)^lit=\d+\nchecksum=[0-9a-f]{8}$`},
				{"gl_dlopen", `(?m)^vulkan=.*llvmpipe.*\ndone$`},
				{"frames 20", `(?m)^frames=20$`},
				{"own_malloc", `(?m)^freed=\d{3,}$`},
				{"dl_close libGL.so.1 libEGL.so.1 libvulkan.so.1", `(?m)^closed$`},
				{"maps", `(?m)^.* r-xp .*/libc[-.].*$`},
			} {
				command := strings.Fields("/mnt/bin/" + probe.command)
				if out := runIn(t, tree, nil, command...); !regexp.MustCompile(probe.want).MatchString(out) {
					t.Errorf("%s printed\n%swhich does not match %s", probe.command, out, probe.want)
				}
			}
		})
	}
}

// LD_PRELOAD of the hook library counts the frames.
func TestHookReference(t *testing.T) {
	out := runIn(t, Tree(t, "full11"), []string{"LD_PRELOAD=/mnt/bin/hook_swap.so", "HOOK_SWAP_FILE=/dev/stdout"},
		"/mnt/bin/frames", "20")
	if !strings.Contains(out, "hook_swap: 20 frames") {
		t.Errorf("got\n%s", out)
	}
}

// gcc14 runs on Debian 13, and nowhere without that release's libgcc_s.
func TestGCC14(t *testing.T) {
	if out := runIn(t, Tree(t, "full13"), nil, "/mnt/bin/gcc14"); !strings.HasPrefix(out, "renderer=") {
		t.Errorf("on Debian 13: %s", out)
	}
	out, err := Enter(t.Context(), Tree(t, "full12"), Probes(t), nil, "/mnt/bin/gcc14").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "GCC_14.0.0") {
		t.Errorf("on Debian 12: %v\n%s", err, out)
	}
	symbols, err := openELF(t, filepath.Join(Probes(t), "bin/gcc14")).ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(symbols, func(s elf.ImportedSymbol) bool { return s.Name == "__mulbitint3" && s.Version == "GCC_14.0.0" }) {
		t.Error("no reference to __mulbitint3@GCC_14.0.0")
	}
}

// The host's test library really needs what Debian 11 does not have.
func TestHostLibraryIsNewer(t *testing.T) {
	symbols, err := openELF(t, filepath.Join(Probes(t), "host/libcapsuletest.so.1")).ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"__isoc23_strtol@GLIBC_2.38", "stat@GLIBC_2.33", "pthread_create@GLIBC_2.34",
		"arc4random_buf@GLIBC_2.36", "strlcpy@GLIBC_2.38", "pthread_cond_clockwait@GLIBC_2.34", "pidfd_open@GLIBC_2.36",
		"mallinfo2@GLIBC_2.33", "__libc_single_threaded@GLIBC_2.32", "fmod@GLIBC_2.38", "dlopen@GLIBC_2.34"} {
		found := slices.ContainsFunc(symbols, func(s elf.ImportedSymbol) bool { return s.Name+"@"+s.Version == want })
		if !found {
			t.Errorf("libcapsuletest.so.1 does not need %s", want)
		}
	}
}

func openELF(t *testing.T, name string) *elf.File {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// What a pruned runtime's programs lack is the GPU stack and nothing else.
func TestRuntimesLackOnlyTheGPUStack(t *testing.T) {
	gpu := regexp.MustCompile(`^lib(GL|EGL|GLX|OpenGL|GLESv1_CM|GLESv2|vulkan)\.so\.[0-9]+$`)
	for _, name := range []string{"runtime11", "runtime12", "runtime13"} {
		t.Run(name, func(t *testing.T) {
			root := Tree(t, name)
			missing := map[string]bool{}
			for _, program := range []string{"/usr/games/neverball", "/usr/bin/glxinfo", "/usr/bin/glxgears",
				"/usr/bin/eglinfo", "/usr/bin/vulkaninfo", "/usr/bin/vkcube"} {
				// ld.so lists what a program would load, without running it.
				cmd := Enter(t.Context(), root, "", []string{"LD_TRACE_LOADED_OBJECTS=1"}, program)
				out, err := cmd.CombinedOutput()
				if _, exited := err.(*exec.ExitError); err != nil && !exited {
					t.Fatal(err)
				}
				lines := regexp.MustCompile(`(?m)^\s*(\S+) => (.*)$`).FindAllStringSubmatch(string(out), -1)
				if len(lines) < 2 {
					t.Errorf("%s: ld.so says\n%s", program, out)
				}
				for _, m := range lines {
					if strings.HasPrefix(m[2], "not found") {
						missing[m[1]] = true
						if !gpu.MatchString(m[1]) {
							t.Errorf("%s lacks %s", program, m[1])
						}
					}
				}
			}
			if !missing["libGL.so.1"] || !missing["libEGL.so.1"] {
				t.Errorf("libGL or libEGL is still there; missing are %v", missing)
			}
			for _, pattern := range []string{"libGL.so*", "libGLX*", "libEGL*", "libvulkan*", "libLLVM*", "libgallium*", "dri"} {
				if left, _ := filepath.Glob(filepath.Join(root, "usr/lib/x86_64-linux-gnu", pattern)); len(left) > 0 {
					t.Errorf("left in the runtime: %q", left)
				}
			}
		})
	}
}

// The trees that no capsule can run are what they claim to be.
func TestUnfitTrees(t *testing.T) {
	musl, foreign := Tree(t, "musl"), Tree(t, "foreign")
	openELF(t, filepath.Join(musl, "lib/ld-musl-x86_64.so.1"))
	if libc, _ := filepath.Glob(filepath.Join(musl, "usr/lib/*/libc.so.6")); len(libc) > 0 {
		t.Errorf("the musl tree has %q", libc)
	}
	if f := openELF(t, filepath.Join(foreign, "lib/ld-linux-riscv64-lp64d.so.1")); f.Machine != elf.EM_RISCV {
		t.Errorf("the foreign tree's loader is for %v", f.Machine)
	}
}
