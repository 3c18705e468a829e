//go:build integration

package integration

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// The generated ld.so.cache is the runtime's own but for the stubs: entry by entry and in the same order as the runtime's own
// ldconfig lists it, and the runtime's own ld.so finds the same files by it.
func TestLoaderCache(t *testing.T) {
	for _, c := range []struct {
		name, runtime, host string
		change              func(t *testing.T, tree string)
		wants               string // what the runtime's cache must contain for the test to mean anything
	}{
		{"Debian 11, legacy hwcaps", "runtime11", "host13", func(t *testing.T, tree string) {
			variants(t, tree, "x86_64-linux-gnu", "haswell", "tls", "x86_64", "haswell/avx512_1", "tls/haswell", "tls/haswell/x86_64")
			ldconfig(t, tree)
		}, `hwcap: 0x`},
		{"Debian 12, glibc-hwcaps", "runtime12", "host13", levels, `hwcap: "x86-64-v3"`},
		{"Debian 13, glibc-hwcaps", "runtime13", "host13", levels, `hwcap: "x86-64-v3"`},
		{"Debian 11, two architectures", "runtime11both", "host13both", nil, "(libc6) => "},
		{"Debian 13, 32-bit", "runtime13i386", "host13i386", nil, "(libc6) => "},
		{"with an old table before the new one", "runtime11", "host13", func(t *testing.T, tree string) { ldconfig(t, tree, "-c", "compat") }, "libz.so.1"},
		{"with an old table alone", "runtime11", "host13", onlyOldTable, "libz.so.1"},
		{"without a cache", "runtime12", "host13", func(t *testing.T, tree string) { must(t, os.Remove(tree+"/etc/ld.so.cache")) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, c.runtime), host: trees.Tree(t, c.host)}
			if c.change != nil {
				l.runtime = copyOf(t, c.runtime)
				c.change(t, l.runtime)
			}
			l.argv = []string{"cat", "/etc/ld.so.cache"}
			dir := t.TempDir()
			must(t, os.WriteFile(dir+"/cache", []byte(l.ok(t).stdout), 0o644))
			var own []string
			if c.wants != "" {
				own = entriesOf(t, l.runtime, dir)
				if !strings.Contains(strings.Join(own, "\n"), c.wants) || len(own) < 100 {
					t.Fatalf("the runtime's cache has %d entries, or none with %s:\n%s", len(own), c.wants, strings.Join(own, "\n"))
				}
			}
			ours := entriesOf(t, l.runtime, dir, "-C", "/mnt/cache")
			compareEntries(t, own, ours)
			compareLoading(t, l)
		})
	}
}

// variants puts copies of libz into subdirectories for processors.
func variants(t *testing.T, tree, triplet string, dirs ...string) {
	t.Helper()
	found, err := filepath.Glob(tree + "/lib/" + triplet + "/libz.so.1.*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no libz in %s (%v)", tree, err)
	}
	text, err := os.ReadFile(found[0])
	must(t, err)
	for _, d := range dirs {
		put(t, tree+"/usr/lib/"+triplet+"/"+d+"/libz.so.1", string(text), 0o644)
	}
}

func levels(t *testing.T, tree string) {
	var dirs []string
	for _, level := range []string{"v3", "v2", "v4"} {
		dirs = append(dirs, "glibc-hwcaps/x86-64-"+level)
	}
	variants(t, tree, "x86_64-linux-gnu", dirs...)
	ldconfig(t, tree)
}

// onlyOldTable: where the table's length is no multiple of 8 bytes, ldconfig of glibc 2.31 writes offsets that are 4 too
// large, and no loader finds anything by it. A library less helps.
func onlyOldTable(t *testing.T, tree string) {
	ldconfig(t, tree, "-c", "old")
	cache, err := os.ReadFile(tree + "/etc/ld.so.cache")
	must(t, err)
	if cache[12]%2 == 0 {
		return
	}
	found, err := filepath.Glob(tree + "/usr/lib/x86_64-linux-gnu/libjemalloc.so*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no libjemalloc in %s (%v)", tree, err)
	}
	for _, f := range found {
		must(t, os.Remove(f))
	}
	ldconfig(t, tree, "-c", "old")
}

// ldconfig runs a tree's own ldconfig in it.
func ldconfig(t *testing.T, tree string, flags ...string) {
	t.Helper()
	args := append([]string{"--bind", tree, "/", "--dev", "/dev", "--", "/sbin/ldconfig", "-X"}, flags...)
	if out, err := exec.Command("bwrap", args...).CombinedOutput(); err != nil {
		t.Fatalf("ldconfig: %v\n%s", err, out)
	}
}

// entriesOf is what a tree's own ldconfig lists of a cache.
func entriesOf(t *testing.T, tree, dir string, flags ...string) []string {
	t.Helper()
	out, err := trees.Enter(t.Context(), tree, dir, nil, append([]string{"/sbin/ldconfig", "-p"}, flags...)...).Output()
	if err != nil {
		t.Fatalf("ldconfig -p: %v", err)
	}
	var entries []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, " => ") {
			entries = append(entries, strings.TrimSpace(line))
		}
	}
	return entries
}

// kind is an entry's name with the words in brackets, but for the processor.
func kind(entry string) string {
	before, _, _ := strings.Cut(entry, " => ")
	return regexp.MustCompile(`, (hwcap|OS ABI): [^)]*`).ReplaceAllString(before, "")
}

func compareEntries(t *testing.T, own, ours []string) {
	t.Helper()
	stubs := map[string]bool{}
	var rest []string
	for _, e := range ours {
		if strings.Contains(e, " => /usr/lib/capsule/") {
			if stubs[kind(e)] {
				t.Errorf("twice: %s", e)
			}
			stubs[kind(e)] = true
		} else {
			rest = append(rest, e)
		}
	}
	want := slices.DeleteFunc(slices.Clone(own), func(e string) bool { return stubs[kind(e)] })
	if !slices.Equal(rest, want) || len(stubs) < 5 {
		t.Errorf("%d stubs; the rest differs from the runtime's:\n%s", len(stubs),
			difference(t, strings.Join(want, "\n")+"\n", strings.Join(rest, "\n")+"\n"))
	}
}

// What ld.so finds for each program of the runtime.
const traceAll = `for p in /usr/bin/* /usr/games/* /usr/sbin/*; do
	[ "$(head -c 4 "$p" 2>/dev/null | tail -c 3)" = ELF ] || continue
	echo "$p"
	LD_TRACE_LOADED_OBJECTS=1 "$p" 2>&1 | sed 's/ (0x[0-9a-f]*)$//'
done`

func compareLoading(t *testing.T, l launch) {
	t.Helper()
	out, err := trees.Enter(t.Context(), l.runtime, "", nil, "bash", "-c", traceAll).Output()
	if err != nil {
		t.Fatalf("natively: %v", err)
	}
	l.argv = []string{"bash", "-c", traceAll}
	inside := programs(l.ok(t).stdout)
	native, stubbed := programs(string(out)), 0
	for name, want := range native {
		// Behind a stub are other libraries than behind what it stands for. All others must be the same, and without a stub
		// there must be no others.
		got, replaced := inside[name], 0
		for library, file := range got {
			if strings.HasPrefix(file, "/usr/lib/capsule/") {
				replaced++
			} else if w, ok := want[library]; ok && w != file {
				t.Errorf("%s: %s is %s, natively %s", name, library, file, w)
			}
		}
		if replaced > 0 {
			stubbed++
		} else if !maps.Equal(got, want) {
			t.Errorf("%s natively:\n%v\ninside:\n%v", name, want, got)
		}
	}
	if len(native) < 100 || len(inside) != len(native) || stubbed == 0 {
		t.Errorf("%d programs natively, %d inside, %d of them with a stub", len(native), len(inside), stubbed)
	}
}

// programs splits what traceAll prints into programs with their libraries.
func programs(out string) map[string]map[string]string {
	all := map[string]map[string]string{}
	name := ""
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if strings.HasPrefix(line, "/") {
			name = line
			all[name] = map[string]string{}
		} else {
			library, file, _ := strings.Cut(strings.TrimSpace(line), " => ")
			all[name][library] = file
		}
	}
	return all
}
