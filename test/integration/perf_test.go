//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// perf names the functions of both sides, by the recipe of docs/limits.md: the paths of a program's files mean nothing
// outside, their build-ids do.
func TestPerf(t *testing.T) {
	if _, err := exec.LookPath("perf"); err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs perf (test/setup.sh installs it):", err)
	}
	dir, bind := probes(t)
	l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), display: xvfb.Start(t), flags: bind,
		argv: []string{dir + "/bin/frames", "300"}, env: []string{"MESA_SHADER_CACHE_DISABLE=true"}} // LLVM has to work
	work := t.TempDir()
	data := filepath.Join(work, "perf.data")
	perf := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "perf", append([]string{"--buildid-dir", filepath.Join(work, "ids")}, args...)...)
		cmd.Env = append(l.command(t.Context()).Env, "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("perf %s: %v\n%s", args[0], err, tail(string(out)))
		}
		return string(out)
	}
	// The C library has one sample in a hundred of the named ones: at a thousand a second a run may have none. More than the
	// kernel allows, which lowers that by itself on a slow machine, is an error.
	most, err := strconv.Atoi(strings.TrimSpace(readFile(t, "/proc/sys/kernel/perf_event_max_sample_rate")))
	must(t, err)
	perf(append([]string{"record", "--buildid-mmap", "-e", "cpu-clock", "-F", itoa(min(9973, most)), "-o", data, "--", binary}, l.args()...)...)
	plan, _ := planOf(t, l.runtime, l.host)
	for _, lib := range plan.Architectures[0].Libraries {
		switch lib.Side {
		case capsule.SideHost:
			perf("buildid-cache", "--add", filepath.Join(l.host, lib.Path))
		case capsule.SideRuntime:
			perf("buildid-cache", "--add", filepath.Join(l.runtime, lib.Path))
		}
	}
	report := perf("report", "-i", data, "--stdio", "--sort", "dso,sym")
	for _, side := range []string{`libLLVM\.so\S+ +\[\.\] llvm::`, `libc-2\.31\.so +\[\.\] [a-z_]`} {
		if !regexp.MustCompile(side).MatchString(report) {
			var lines []string
			for line := range strings.Lines(report) {
				if strings.Contains(line, "[.]") {
					lines = append(lines, line)
				}
			}
			t.Errorf("no function matches %s:\n%s", side, strings.Join(lines[:min(40, len(lines))], ""))
		}
	}
}
