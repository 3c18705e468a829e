//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/test/trees"
)

// TestHookBudgetAmongOthers: images that differ in nothing but what is looked at last, as many as builds are kept, do not make
// the hook compare without an end.
func TestHookBudgetAmongOthers(t *testing.T) {
	needsRoot(t, "runc")
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, cache := hookConfig(t, host), shared(t)
	for i := range 17 {
		b := newBundle(t, "runc", writableRoot(t, tree), "true").hook("createRuntime", config, "--gpu=all").withCache(cache)
		h := &hostileRun{t: t, b: b, root: b.spec.Root.Path}
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Distinct: true, Symbols: 60_000}.Bytes())
		h.layers(400, fmt.Sprintf(layerText, "0"))
		h.write(layersDir+"/z.json", fmt.Appendf(nil, layerText, fmt.Sprint(i)))
		m := measure(t, b)
		b.ok()
		if i == 0 || i == 16 {
			m.judge(t)
		}
		if m.group != nil {
			must(t, os.Remove(m.group.dir)) // the next has the same name
		}
	}
	if n := builds(t, cache); n < 16 {
		t.Errorf("%d builds", n)
	}
}

// TestHookBudgetAmongMany: builds that are in use stay, however many they are; their records, each as
// long as may be, are not all read for a container that none of them fits.
func TestHookBudgetAmongMany(t *testing.T) {
	needsRoot(t, "runc")
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, cache := hookConfig(t, host), shared(t)
	for i := range 2 {
		b := newBundle(t, "runc", writableRoot(t, tree), "true").hook("createRuntime", config, "--gpu=all").withCache(cache)
		h := &hostileRun{t: t, b: b, root: b.spec.Root.Path}
		h.remove("/etc/ld.so.cache")
		var text strings.Builder
		for j := range 2900 {
			fmt.Fprintf(&text, "/%s%d\n", strings.Repeat("x", 250), j)
		}
		h.write("/etc/ld.so.conf.d/z.conf", []byte(text.String()))
		h.layers(1, fmt.Sprintf(layerText, fmt.Sprint(i)))
		m := measure(t, b)
		b.ok()
		m.judge(t)
		if m.group != nil {
			must(t, os.Remove(m.group.dir))
		}
		made, err := filepath.Glob(cache + "/builds/*/g-*")
		must(t, err)
		if want := 1 + 401*i; len(made) != want {
			t.Fatalf("got %d builds, want %d", len(made), want)
		}
		for j := range 400 * (1 - i) {
			must(t, exec.Command("cp", "-rl", made[0], fmt.Sprintf("%s%d", made[0], j)).Run())
		}
	}
}
