//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/trees"
)

// checkedLauncher builds a launcher whose C parts look at AddressSanitizer's shadow memory before each access, in a
// directory of its own. (UBSan, which needs more time, is `make sanitize`.)
func checkedLauncher(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	run := func(cmd *exec.Cmd) {
		t.Helper()
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, tail(string(text)))
		}
	}
	run(exec.Command("make", "-s", "-C", "../../cshim", "ARCH=x86_64", "ASAN=1", "OUT="+out, "WORK="+filepath.Join(dir, "work")))
	replace := map[string]string{}
	for _, name := range []string{"libcapsule.so", "libcapsule-root.so"} {
		embedded, err := filepath.Abs(filepath.Join("../../cshim/out/x86_64", name))
		must(t, err)
		replace[embedded] = filepath.Join(out, name)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	overlay, launcher := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "capsule-run")
	must(t, os.WriteFile(overlay, text, 0o644))
	build := exec.Command("go", "build", "-overlay", overlay, "-o", launcher, "../../cmd/capsule-run")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	run(build)
	return launcher
}

// The C parts under AddressSanitizer: libasan is preloaded and lives in the base namespace. Its reports about what they
// do with a host library's memory show that it sees them; then it has nothing to report about anything else.
func TestAddressSanitizer(t *testing.T) {
	normal := binary
	binary = checkedLauncher(t)
	defer func() { binary = normal }()
	own, host, libasan := trees.Address(t)
	dir, bind := probes(t)
	for _, r := range []string{"runtime11", "runtime12"} {
		l := launch{runtime: trees.Tree(t, r), limit: 3 * time.Minute}
		with := append([]string{"--bind", libasan + ":/asan/libasan.so.6:ro", "--setenv", "LD_PRELOAD=/asan/libasan.so.6",
			// Leaks are memcheck's, and drivers' exit handlers run later than LeakSanitizer.
			"--setenv", "ASAN_OPTIONS=detect_leaks=0"}, bind...)
		l.host, l.flags = host, append([]string{"--library", hostlibraries.AddressLibrary, "--bind", own + ":/own:ro"}, with...)
		for function, report := range map[string]string{"asan_write": "heap-buffer-overflow", "asan_read": "heap-buffer-overflow",
			"asan_freed": "heap-use-after-free"} {
			l.argv = []string{"/own/bin/asan", function}
			if r := l.run(t); r.status == 0 || !strings.Contains(r.stderr, "ERROR: AddressSanitizer: "+report) {
				t.Errorf("%s: exit status %d, and no report of %s:\n%s", function, r.status, report, tail(r.both()))
			}
		}
		l.host, l.flags, l.env = trees.HostWithTestLib(t), with, []string{"CT_STRAY=/probes/stray/libcapsuletest-stray.so"}
		for _, lib := range hostlibraries.HostLibraries {
			l.flags = append(l.flags, "--library", lib)
		}
		for _, probe := range []string{"egl_small", "one_libc", "unwind", "gl_threads 8 5", "gl_forks 5", "abi", "paths libcapsuletest-paths.so ct_paths"} {
			t.Run(r+"/"+probe, func(t *testing.T) {
				l.argv = strings.Fields(dir + "/bin/" + probe)
				r := l.run(t)
				ended := r.status == 0
				if probe == "one_libc" { // libasan's own malloc, printf, dlopen: some addresses are not libc's
					ended = strings.Count(r.stdout, "\nok ") > 60 && strings.Count(r.stdout, "FAIL ") <= 2
				}
				if !ended || strings.Contains(r.stderr, "AddressSanitizer") || strings.Contains(r.stderr, "cannot be preloaded") {
					t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
				}
			})
		}
	}
}
