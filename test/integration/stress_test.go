//go:build integration

package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// Much of everything, on the three releases of glibc: what leaks, races or runs out would show. None needs a display.
func TestStress(t *testing.T) {
	dir, bind := probes(t)
	for _, r := range runtimes {
		l := launch{runtime: trees.Tree(t, r), host: trees.HostWithTestLib(t), flags: bind}
		run := func(name, command string, more ...string) {
			t.Run(r+"/"+name, func(t *testing.T) {
				l := l
				l.flags = append(append([]string{}, bind...), more...)
				l.argv = strings.Fields(dir + "/bin/" + command)
				out := l.ok(t).stdout
				if got := numbers(out)["wrong"]; got != 0 || !strings.Contains(out, "wrong=") {
					t.Errorf("%d things went wrong:\n%s", got, tail(out))
				}
				steady(t, out)
				if name == "forks" {
					oncePerChild(t, out, 200)
				}
			})
		}
		run("threads with contexts", "gl_threads 64 40")
		run("frames", "gl_loop 100000")
		run("forks", "gl_forks 200")
		run("dlopen and dlclose", "dl_rounds 20000")
		run("short-lived threads that draw", "gl_churn 16000")
		run("threads of the host's library", "thread_storm 2000", "--library", "libcapsuletest.so.1")
	}
}

func numbers(out string) map[string]int {
	all := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=(-?\d+)$`).FindAllStringSubmatch(out, -1) {
		all[m[1]], _ = strconv.Atoi(m[2])
	}
	return all
}

// steady: what a program has of memory to itself at the end is what it had after a tenth of its way, when glibc's arenas
// and Mesa's caches have settled. A leak of 150 bytes in each round of the shortest loop would be seen.
func steady(t *testing.T, out string) {
	t.Helper()
	n := numbers(out)
	if _, measured := n["before_kib"]; !measured {
		return
	}
	t.Logf("private memory %d KiB, then %d; mappings %d, then %d", n["before_kib"], n["after_kib"], n["before_mappings"], n["after_mappings"])
	if n["before_kib"] <= 0 || n["after_kib"]-n["before_kib"] > 2048 {
		t.Errorf("private memory went from %d to %d KiB", n["before_kib"], n["after_kib"])
	}
	if n["before_mappings"] <= 0 || n["after_mappings"]-n["before_mappings"] > 16 {
		t.Errorf("mappings went from %d to %d", n["before_mappings"], n["after_mappings"])
	}
}

// oncePerChild: no child printed what another had buffered.
func oncePerChild(t *testing.T, out string, children int) {
	t.Helper()
	for i := range children {
		if n := strings.Count(out, fmt.Sprintf("child %d\n", i)); n != 1 {
			t.Errorf("child %d spoke %d times", i, n)
		}
	}
}
