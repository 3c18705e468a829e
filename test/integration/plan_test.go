//go:build integration

package integration

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/test/trees"
)

func itoa(n int) string { return strconv.Itoa(n) }

// capsuleRun runs a subcommand with a cache directory of its own.
func capsuleRun(t *testing.T, cache string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, "XDG_CACHE_HOME=" + cache}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return out
}

func planOf(t *testing.T, runtime, host string, more ...string) (*capsule.Plan, []byte) {
	t.Helper()
	text := capsuleRun(t, t.TempDir(), append([]string{"plan", "--json", "--runtime", runtime, "--host", host}, more...)...)
	var p capsule.Plan
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return &p, text
}

// Planned and built twice, with nothing shared: byte-identical.
func TestDeterminism(t *testing.T) {
	for _, r := range runtimes {
		runtime, host := trees.Tree(t, r), trees.Tree(t, "host13")
		_, first := planOf(t, runtime, host)
		_, second := planOf(t, runtime, host)
		if !bytes.Equal(first, second) {
			t.Errorf("%s: two plans differ", r)
		}
		var builds []string
		for range 2 {
			out := capsuleRun(t, t.TempDir(), "build", "--runtime", runtime, "--host", host)
			builds = append(builds, strings.TrimSpace(string(out)))
		}
		n := 0
		err := filepath.WalkDir(builds[0], func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			n++
			rel, _ := filepath.Rel(builds[0], path)
			a, _ := os.ReadFile(path)
			b, err := os.ReadFile(filepath.Join(builds[1], rel))
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: %s differs (%v)", r, rel, err)
			}
			return nil
		})
		if err != nil || n < 20 {
			t.Errorf("%s: %d files compared: %v", r, n, err)
		}
	}
}

// Of the runtime's libraries only those that a stub stands for are found elsewhere than before.
func TestNothingOfTheRuntimeIsShadowed(t *testing.T) {
	allowed := map[string]bool{"libcapsule.so": true}
	for _, r := range runtimes {
		runtime := trees.Tree(t, r)
		p, _ := planOf(t, runtime, trees.Tree(t, "host13"))
		for _, l := range p.Architectures[0].Libraries {
			if l.Side == capsule.SideStub {
				allowed[l.Soname] = true
			}
		}
		l := launch{runtime: runtime, host: trees.Tree(t, "host13"), argv: []string{"/sbin/ldconfig", "-p"},
			flags: []string{"--bind", runtime + "/etc/ld.so.cache:/before:ro"}}
		inside := cacheEntries(l.ok(t).stdout)
		before := cacheEntries(l.with("-C", "/before").ok(t).stdout)
		if len(before) < 50 {
			t.Fatalf("%s: ldconfig lists %d libraries", r, len(before))
		}
		for name, path := range before {
			if inside[name] != path && !allowed[name] {
				t.Errorf("%s: %s is %s inside, %s in the runtime", r, name, inside[name], path)
			}
		}
		for name, path := range inside {
			if before[name] != path && (!allowed[name] || !strings.HasPrefix(path, capsule.Dir+"/")) {
				t.Errorf("%s: %s is %s inside and is not a stub", r, name, path)
			}
		}
		for _, m := range p.Mounts {
			if !strings.HasPrefix(m.Target, capsule.Dir+"/") || !m.ReadOnly {
				t.Errorf("%s: mount outside of %s or writable: %v", r, capsule.Dir, m)
			}
		}
	}
}

func (l launch) with(args ...string) launch {
	l.argv = append(append([]string(nil), l.argv...), args...)
	return l
}

func cacheEntries(ldconfig string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+) \([^)]*x86-64[^)]*\) => (\S+)$`).FindAllStringSubmatch(ldconfig, -1) {
		if out[m[1]] == "" {
			out[m[1]] = m[2]
		}
	}
	return out
}

// What the runtime is too old for is told by name, and nothing of the C library that the drivers want is missing.
func TestPlanTellsPolyfills(t *testing.T) {
	p, _ := planOf(t, trees.Tree(t, "runtime11"), trees.Tree(t, "host13"))
	found := map[string]string{}
	for _, s := range p.Architectures[0].Symbols.Polyfills {
		found[s.Symbol] = s.Answer
		if len(s.NeededBy) == 0 {
			t.Errorf("%s is needed by nobody", s.Symbol)
		}
	}
	for _, s := range []string{"__isoc23_strtol", "_dl_find_object", "arc4random", "fstat64", "mallinfo2"} {
		if found[s] != "polyfill" {
			t.Errorf("%s: %q", s, found[s])
		}
	}
	for _, s := range p.Architectures[0].Symbols.Missing {
		if strings.HasPrefix(s.Version, "GLIBC_") {
			t.Errorf("%s@%s of %s is missing, needed by %v", s.Symbol, s.Version, s.Library, s.NeededBy)
		}
	}
	p, _ = planOf(t, trees.Tree(t, "runtime13"), trees.Tree(t, "host13"))
	if s := p.Architectures[0].Symbols; len(s.Polyfills)+len(s.Missing) != 0 {
		t.Errorf("host and runtime of one release, and %d symbols are bridged", len(s.Polyfills)+len(s.Missing))
	}
}

// libcapsule.so and the capsule root must run on every glibc: no version above the architecture's base.
func TestBaseVersionsOnly(t *testing.T) {
	base := map[string]bool{"GLIBC_2.2.5": true, "GLIBC_2.3.3": true, "GLIBC_2.3.4": true}
	for _, name := range []string{"libcapsule.so", "libcapsule-root.so"} {
		f, err := elf.Open(filepath.Join("../../cshim/out/x86_64", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		imported, err := f.ImportedSymbols()
		if err != nil {
			t.Fatal(err)
		}
		if name == "libcapsule-root.so" && len(imported) != 0 {
			t.Errorf("the capsule root has undefined symbols: %v", imported)
		}
		if name == "libcapsule.so" && len(imported) < 10 {
			t.Errorf("only %d imports were read", len(imported))
		}
		for _, s := range imported {
			if !base[s.Version] {
				t.Errorf("%s refers to %s@%s", name, s.Name, s.Version)
			}
		}
	}
}
