//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// copyOf makes a copy of a tree by hard links, which a test may change by replacing files. It lies beside the trees,
// because links do not cross file systems.
func copyOf(t *testing.T, tree string) string {
	t.Helper()
	return copyDir(t, trees.Tree(t, tree))
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	dir := beside(t)
	if err := trees.Copy(t.Context(), from, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// beside makes a directory on the file system of the trees.
func beside(t *testing.T) string {
	t.Helper()
	cache, err := trees.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(cache, ".test-")
	if err != nil {
		t.Fatal(err)
	}
	evict(t, dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Eight launches on an empty cache: all succeed, and what stays is one current build that the next launch uses.
func TestRacingLaunches(t *testing.T) {
	l := quick(t, "cat", "/etc/debian_version")
	cache := t.TempDir()
	l.env = []string{"XDG_CACHE_HOME=" + cache}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if r := finish(t, l.command(t.Context())); r.status != 0 || !strings.HasPrefix(r.stdout, "11") {
				t.Errorf("exit status %d\n%s", r.status, r.both())
			}
		}()
	}
	wg.Wait()
	links, _ := filepath.Glob(cache + "/capsule-run/builds/*/*")
	current := ""
	for _, f := range links {
		name := filepath.Base(f)
		info, err := os.Lstat(f)
		must(t, err)
		switch {
		case name == "current" && current == "":
			target, err := filepath.EvalSymlinks(f)
			must(t, err)
			current = target
		case strings.HasPrefix(name, "g-") && info.IsDir():
			_, err := os.Stat(f + "/plan.json")
			must(t, err)
		default:
			t.Errorf("left in the cache: %s", f)
		}
	}
	l.flags = []string{"--verbose"}
	if r := l.ok(t); !strings.Contains(r.stderr, "nothing has changed: using "+current) || current == "" {
		t.Errorf("not the current build %s:\n%s", current, r.stderr)
	}
}

// However its directory is named, the runtime is the same; and a link that leads elsewhere now is noticed.
func TestNamesOfTheRuntime(t *testing.T) {
	l := quick(t, "cat", "/etc/debian_version")
	real := l.runtime
	here, err := filepath.Rel(home, real)
	must(t, err)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(real, link))
	for _, name := range []string{real, here, "./" + here + "/.", real + "///", link, link + "/"} {
		l.runtime = name
		if out := l.ok(t).stdout; !strings.HasPrefix(out, "11") {
			t.Errorf("%s: Debian %s", name, out)
		}
	}
	must(t, os.Remove(link))
	must(t, os.Symlink(trees.Tree(t, "runtime12"), link))
	// near/through/../tree looks like near/tree, the first runtime, and is far/tree, the other one.
	near, far := t.TempDir(), t.TempDir()
	must(t, os.Mkdir(far+"/inside", 0o755))
	must(t, os.Symlink(far+"/inside", near+"/through"))
	must(t, os.Symlink(real, near+"/tree"))
	must(t, os.Symlink(trees.Tree(t, "runtime12"), far+"/tree"))
	for _, name := range []string{link, link + "/", near + "/through/../tree"} {
		l.runtime = name
		if out := l.ok(t).stdout; !strings.HasPrefix(out, "12") {
			t.Errorf("%s: Debian %s after the link was changed", name, out)
		}
	}
}

// What changes on the host between two launches counts.
func TestHostChanges(t *testing.T) {
	unmounted(t)
	host := copyOf(t, "host13")
	l := launch{runtime: trees.Tree(t, "runtime11"), host: host, argv: []string{"glxinfo", "-B"}, display: xvfb.Start(t),
		flags: []string{"--verbose"}, env: []string{"XDG_CACHE_HOME=" + t.TempDir()}}
	run := func(built bool, after string) {
		t.Helper()
		time.Sleep(50 * time.Millisecond) // what changed just before it was read is read again the next time
		r := l.ok(t)
		if !strings.Contains(r.stdout, "llvmpipe") {
			t.Errorf("after %s: no picture\n%s", after, tail(r.both()))
		}
		if got := strings.Contains(r.stderr, "capsule-run: built "); got != built {
			t.Errorf("after %s: built is %v\n%s", after, got, r.stderr)
		}
	}
	run(true, "nothing")
	run(false, "nothing")

	// An update: another file of the same name, size and time of modification.
	libs, _ := filepath.Glob(host + "/usr/lib/x86_64-linux-gnu/libgallium-*.so")
	if len(libs) != 1 {
		t.Fatalf("libgallium: %q", libs)
	}
	info, err := os.Stat(libs[0])
	must(t, err)
	text, err := os.ReadFile(libs[0])
	must(t, err)
	must(t, os.WriteFile(libs[0]+".new", text, 0o755))
	must(t, os.Chtimes(libs[0]+".new", info.ModTime(), info.ModTime()))
	must(t, os.Rename(libs[0]+".new", libs[0]))
	run(true, "the driver was replaced")
	run(false, "that")

	before, _ := planOf(t, l.runtime, host)
	icd := host + "/usr/share/vulkan/icd.d/more_icd.json"
	must(t, os.WriteFile(icd, []byte(`{"file_format_version": "1.0.0", "ICD": {"library_path": "libvulkan_lvp.so", "api_version": "1.4.0"}}`), 0o644))
	run(true, "an ICD was added")
	after, _ := planOf(t, l.runtime, host)
	if shows(before, icd) || !shows(after, icd) {
		t.Errorf("%s in the plan: before %v, after %v", icd, shows(before, icd), shows(after, icd))
	}
	must(t, os.Remove(icd))
	run(true, "the ICD was removed")

	// Damaged meanwhile: told, at each launch, though the second comes from the cache.
	must(t, os.WriteFile(icd, []byte(`{"ICD": `), 0o644))
	l.flags = nil
	for range 2 {
		if r := l.run(t); r.status != 0 || !warns(r, icd+": corrupt manifest") {
			t.Errorf("exit status %d\n%s", r.status, r.both())
		}
	}
}

func shows(p *capsule.Plan, source string) bool {
	for _, m := range p.Mounts {
		if m.Source == source {
			return true
		}
	}
	return false
}

// A tree is never written to, neither by a launch nor, although root tries, by the program.
func TestTreesStayAsTheyAre(t *testing.T) {
	l := quick(t, "glxinfo", "-B")
	l.runtime = copyOf(t, "runtime11")
	before := [2]map[string]string{listing(t, l.runtime), listing(t, l.host)}
	l.display = xvfb.Start(t)
	l.env = []string{"XDG_CACHE_HOME=" + t.TempDir()}
	l.ok(t)
	l.argv = []string{"sh", "-c", "cd /; touch usr/x etc/x etc/alternatives/x var/lib/x lib/x usr/lib/capsule/*/host/usr/x; " +
		"rm -f etc/issue etc/alternatives/awk usr/bin/env; mkdir opt/x; true"}
	l.ok(t)
	for i, dir := range []string{l.runtime, l.host} {
		after := listing(t, dir)
		for name := range after {
			if before[i][name] != after[name] {
				t.Errorf("%s%s: was %q, is %q", dir, name, before[i][name], after[name])
			}
			delete(before[i], name)
		}
		for name := range before[i] {
			t.Errorf("%s%s is gone", dir, name)
		}
	}
}

// listing is a tree's names with inode, size, mode and time of modification.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		out[strings.TrimPrefix(p, dir)] = fmt.Sprint(inode(i), i.Size(), i.Mode(), i.ModTime().UnixNano())
		return nil
	}))
	if len(out) < 1000 {
		t.Fatalf("%s has %d files", dir, len(out))
	}
	return out
}
