//go:build integration

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// put writes a file of a copied tree, whose files are shared with the tree it was copied from.
func put(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(file[:strings.LastIndexByte(file, '/')], 0o755))
	must(t, os.RemoveAll(file))
	must(t, os.WriteFile(file, []byte(text), mode))
}

// Every function that a driver reads files by, called by a library of the host with every form of path, prints on old
// runtimes what it prints on the host. Both sides have files of the same names there.
func TestPathMapping(t *testing.T) {
	for _, c := range []struct {
		port     string
		host     string
		probes   string
		runtimes []string
	}{
		{"x86-64", trees.HostWithTestLib(t), trees.Probes(t), runtimes},
		{"i386", trees.HostWithTestLibI386(t), trees.ProbesI386(t), runtimesI386},
	} {
		host := copyDir(t, c.host)
		put(t, host+"/usr/share/drirc.d/capsule-test.conf", "of the host\n", 0o644)
		put(t, host+"/usr/lib/.data/file", "of the host\n", 0o644)
		put(t, host+"/usr/share/drirc.d/capsule-program.conf", "#!/bin/sh\nexit $(($# + ${CAPSULE_TEST:-0}))\n", 0o755)
		put(t, host+"/usr/share/capsule-unmapped", "of the host\n", 0o644)
		must(t, os.RemoveAll(host+"/etc/drirc"))
		want := map[string]string{}
		for _, library := range []string{"libcapsuletest-paths.so", "libcapsuletest-paths64.so"} {
			out, err := trees.Enter(t.Context(), host, c.probes, nil, "/mnt/bin/paths", library, "ct_paths").CombinedOutput()
			if err != nil || strings.Count(string(out), "of the host") < 150 || strings.Count(string(out), "\n") < 600 {
				t.Fatalf("%s natively: %v\n%s", library, err, tail(string(out)))
			}
			want[library] = string(out)
		}
		for _, r := range c.runtimes {
			t.Run(r, func(t *testing.T) {
				runtime := copyOf(t, r)
				for _, file := range []string{"drirc.d/capsule-test.conf", "drirc.d/capsule-program.conf", "drirc.d/only-here.conf",
					"drirc.d/..data", "drirc.d/...", "drirc.d/.data/capsule-test.conf", "capsule-unmapped", "capsule-unmapped.d/a.conf"} {
					put(t, runtime+"/usr/share/"+file, "of the runtime\n", 0o755)
				}
				put(t, runtime+"/etc/drirc", "of the runtime\n", 0o644)
				l := launch{runtime: runtime, host: host, flags: []string{"--bind", c.probes + ":/probes:ro",
					"--library", "libcapsuletest-paths.so", "--library", "libcapsuletest-paths64.so"}}
				for library, want := range want {
					l.argv = []string{"/probes/bin/paths", library, "ct_paths"}
					if got := l.ok(t).stdout; got != want {
						t.Errorf("%s:\n%s", library, difference(t, want, got))
					}
				}
				// The game's own view, and what the plan does not map.
				l.argv = []string{"/probes/bin/paths", "-", "/usr/share/drirc.d/capsule-test.conf"}
				if got := l.ok(t).stdout; got != "of the runtime\n" {
					t.Errorf("the program reads %q", got)
				}
				l.argv = []string{"/probes/bin/paths", "libcapsuletest-paths.so", "ct_paths_of_runtime"}
				got := l.ok(t).stdout
				if strings.Contains(got, "of the host") || strings.Count(got, "of the runtime") < 20 ||
					!strings.Contains(got, fmt.Sprintf("glob64 %[1]s: %[1]s.d/a.conf", "/usr/share/capsule-unmapped")) &&
						!strings.Contains(got, "glob64 /usr/share/drirc.d/../capsule-unmapped: /usr/share/capsule-unmapped.d/a.conf") {
					t.Errorf("what is not mapped:\n%s", got)
				}
			})
		}
	}
}
