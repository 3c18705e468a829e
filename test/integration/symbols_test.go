//go:build integration

package integration

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/symbols"
	"github.com/capsule-run/capsule-run/test/trees"
)

// Every public symbol of glibc 2.29 to 2.43 is called on a new host and, in a capsule, on the oldest runtimes, and does the
// same; or docs/bridging.md names it. Debian 13 has glibc 2.41 and does not change; `make symbols` takes sid for the
// rest, which at times cannot be installed.
func TestSymbols(t *testing.T) {
	name := "host13"
	if os.Getenv("CAPSULE_SYMBOLS_HOST") != "" {
		name = os.Getenv("CAPSULE_SYMBOLS_HOST")
	}
	compareSymbols(t, name, func(string) bool { return false }, "runtime11", "runtime12")
}

// The same for 32-bit programs, whose functions of _Float128 are slots where the runtime has none.
func TestI386Symbols(t *testing.T) {
	slot := func(name string) bool { return strings.Contains(name, "f128") }
	compareSymbols(t, "host13i386", slot, "runtime11i386", "runtime12i386")
}

// x86Symbols are those of the list that aarch64 does not have.
var x86Symbols = []string{"__isnanf128", "__x86_get_cpuid_feature_leaf"}

func compareSymbols(t *testing.T, name string, slot func(name string) bool, runtimes ...string) {
	dir, host := trees.Symbols(t, name)
	foreign := func(symbol string) bool {
		return strings.HasSuffix(name, "arm64") && slices.Contains(x86Symbols, symbol)
	}
	reference, err := trees.Enter(t.Context(), host, dir, nil, "/mnt/bin/symbols").Output()
	if err != nil {
		t.Fatalf("the reference: %v", err)
	}
	want := linesOf(t, string(reference))
	excused := excusedSymbols(t)
	newer := newerSymbols(t, runtimes[0], host) // than the host's glibc
	// Fortified functions are called once too often, which ends the process; nothing else may.
	for name, line := range want {
		ended := strings.Contains(line, "ended with wait status")
		if line == " absent" {
			delete(want, name)
			excused[name] = excused[name] || newer[name]
			continue
		}
		if ended != strings.HasSuffix(name, "_chk") {
			t.Errorf("the reference's result for %s: %s", name, line)
		}
	}
	for _, r := range runtimes {
		t.Run(r, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, r), host: host, argv: []string{"/symbols/bin/symbols"},
				flags: []string{"--library", hostlibraries.SymbolLibrary, "--bind", dir + ":/symbols:ro"}}
			out := l.emulated(t).ok(t)
			got := linesOf(t, out.stdout)
			compared, slots := 0, 0
			for _, s := range symbols.All() {
				line, called := want[s.Name]
				switch {
				case called && got[s.Name] == line:
					compared++
				case slot(s.Name) && strings.HasSuffix(got[s.Name], "ended with wait status 6"): // SIGABRT
					slots++
				case excused[s.Name] || foreign(s.Name):
				case called:
					t.Errorf("%s %s %s\n%s", s.Library, s.Version, s.Name, firstDifference(line, got[s.Name]))
				default:
					t.Errorf("%s %s %s is neither compared nor named in docs/bridging.md", s.Library, s.Version, s.Name)
				}
			}
			t.Logf("%d of %d symbols do the same, %d are slots", compared, len(symbols.All()), slots)
			if t.Failed() {
				t.Log(tail(out.stderr))
			}
		})
	}
}

// newerSymbols are those that a host's glibc does not have yet.
func newerSymbols(t *testing.T, runtime, host string) map[string]bool {
	t.Helper()
	p, _ := planOf(t, trees.Tree(t, runtime), host)
	has, err := strconv.Atoi(strings.TrimPrefix(p.Architectures[0].HostLibc, "2."))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range symbols.All() {
		minor, err := strconv.Atoi(strings.TrimPrefix(s.Version, "GLIBC_2."))
		if err != nil {
			t.Fatalf("version of %s: %v", s.Name, err)
		}
		if minor > has {
			names[s.Name] = true
		}
	}
	return names
}

// linesOf maps the symbols' names to what was printed of them.
func linesOf(t *testing.T, out string) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for line := range strings.Lines(out) {
		name, result, ok := strings.Cut(strings.TrimSpace(line), ":")
		if _, twice := lines[name]; !ok || twice {
			t.Fatalf("unexpected output %q", line)
		}
		lines[name] = result
	}
	return lines
}

// firstDifference shows where two lines begin to differ.
func firstDifference(want, got string) string {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	cut := func(s string) string { return s[max(0, i-60):min(len(s), i+60)] }
	return "  want …" + cut(want) + "\n  got  …" + cut(got)
}

// excusedSymbols reads the table of docs/bridging.md that lists what is not compared: names in the first column.
func excusedSymbols(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/bridging.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Not compared\n")
	if !ok {
		t.Fatal("docs/bridging.md has no section of what is not compared")
	}
	excused := map[string]bool{}
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				excused[m[1]] = true
			}
		}
	}
	return excused
}
