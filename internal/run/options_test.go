package run

import (
	"fmt"
	"testing"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// Every variable that discovery honours must be part of the build cache's key, or a launch with another value would get
// the build of the first.
func TestKeyKnowsDiscoveryVariables(t *testing.T) {
	rules, err := configs.Default()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS"}
	for _, f := range rules.Families {
		for _, m := range f.Modules {
			names = append(names, m.Environment)
		}
		for _, m := range f.Manifests {
			names = append(append(names, m.FilesEnvironment...), m.DirectoriesEnvironment, m.AddEnvironment)
		}
	}
	for _, d := range rules.Data {
		names = append(names, d.Environment)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if !changesDiscovery(name+"=/somewhere", nil) {
			t.Errorf("%s is not part of the key", name)
		}
		with := Options{Runtime: "/r", Host: "/", Environ: []string{name + "=/somewhere"}}
		without := Options{Runtime: "/r", Host: "/"}
		a, err := with.key()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := without.key(); a == b {
			t.Errorf("%s does not change the key", name)
		}
	}
	if changesDiscovery("PATH=/bin", nil) {
		t.Error("PATH is part of the key")
	}
}

// Where the runtime has more than can be meant, the hint is about the runtime and not about the cache.
func TestHintTooLarge(t *testing.T) {
	for _, err := range []error{build.ErrTooLarge, dso.ErrTooLarge, manifest.ErrTooLarge} {
		if got := fault.Hint(cacheError(fmt.Errorf("generate x: %w", err), "/cache")); got != hintTooLarge {
			t.Errorf("%v: got %q, want %q", err, got, hintTooLarge)
		}
	}
}
