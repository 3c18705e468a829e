//go:build integration

package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/test/trees"
)

// What stubs, proxies, libcapsule and the capsule root hold of functions' addresses is read-only
// when a program's code runs.
func TestSealed(t *testing.T) {
	_, x8664 := probes(t)
	_, i386 := probesI386(t)
	launches := map[string]launch{}
	for _, r := range runtimes {
		launches["x86_64-linux-gnu/"+r] = launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), flags: x8664}
	}
	for _, r := range runtimesI386 {
		launches["i386-linux-gnu/"+r] = launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13i386"), flags: i386}
	}
	launches["aarch64-linux-gnu/runtime11arm64"] = onAArch64(t)
	for name, l := range launches {
		triplet, _, _ := strings.Cut(name, "/")
		t.Run(name, func(t *testing.T) {
			l.argv = []string{"/probes/bin/sealed", capsule.Dir + "/" + triplet, "libGL.so.1", "libEGL.so.1", "libvulkan.so.1"}
			out := l.emulated(t).ok(t).stdout
			var objects, tables, inVain int
			if n, _ := fmt.Sscanf(out, "%d objects, %d tables, %d written to in vain", &objects, &tables, &inVain); n != 3 ||
				objects < 8 || tables < objects || inVain != tables {
				t.Error(tail(out))
			}
		})
	}
}

// Functions that a signal handler may call fit on a small alternate stack in a capsule too: they
// take little more than natively, with every length of path.
func TestStackOfWrappers(t *testing.T) {
	const more = 768 // bytes
	for _, c := range []struct {
		port, host, probes string
		runtimes           []string
	}{
		{"x86-64", trees.HostWithTestLib(t), trees.Probes(t), runtimes},
		{"i386", trees.HostWithTestLibI386(t), trees.ProbesI386(t), runtimesI386},
	} {
		host := copyDir(t, c.host)
		put(t, host+"/usr/share/drirc.d/capsule-test.conf", "of the host\n", 0o644)
		put(t, host+"/usr/share/capsule-unmapped", "of the host\n", 0o644)
		out, err := trees.Enter(t.Context(), host, c.probes, nil, "/mnt/bin/paths", "libcapsuletest-paths.so", "ct_stack").CombinedOutput()
		native := stacks(t, string(out))
		if err != nil || len(native) < 50 {
			t.Fatalf("natively: %v\n%s", err, tail(string(out)))
		}
		for _, r := range c.runtimes {
			t.Run(c.port+"/"+r, func(t *testing.T) {
				runtime := copyOf(t, r)
				put(t, runtime+"/usr/share/capsule-unmapped", "of the runtime\n", 0o644)
				l := launch{runtime: runtime, host: host, argv: []string{"/probes/bin/paths", "libcapsuletest-paths.so", "ct_stack"},
					flags: []string{"--bind", c.probes + ":/probes:ro", "--library", "libcapsuletest-paths.so"}}
				out := l.ok(t).stdout
				got, most := stacks(t, out), 0
				for call, want := range native {
					if got[call].result != want.result || got[call].bytes > want.bytes+more {
						t.Errorf("%s: %+v, natively %+v", call, got[call], want)
					}
					most = max(most, got[call].bytes-want.bytes)
				}
				t.Logf("at most %d bytes more than natively", most)
			})
		}
	}
}

type stackUse struct {
	bytes  int
	result string
}

// stacks reads what ct_stack prints, by function and form of path.
func stacks(t *testing.T, out string) map[string]stackUse {
	t.Helper()
	use := map[string]stackUse{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+ [\w-]+): (\d+), (ok|failed)$`).FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[2])
		must(t, err)
		use[m[1]] = stackUse{n, m[3]}
	}
	return use
}
