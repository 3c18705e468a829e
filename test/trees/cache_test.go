package trees

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many askers get one directory, made once; what fails leaves nothing and can be tried again.
func TestOnce(t *testing.T) {
	t.Setenv("CAPSULE_TREES", t.TempDir())
	Progress = io.Discard
	defer func() { Progress = os.Stderr }()
	ctx := context.Background()

	broken := errors.New("broken")
	_, err := once(ctx, "x", "1", func(_ context.Context, dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), nil, 0o644); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("once = %v, want %v", err, broken)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("CAPSULE_TREES"), "*x-1*"))
	if err != nil || len(left) > 1 { // the lock file stays
		t.Fatalf("left behind: %q (%v)", left, err)
	}

	var made atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			dir, err := once(ctx, "x", "1", func(_ context.Context, dir string) error {
				made.Add(1)
				return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "whole")); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times, want once", made.Load())
	}
}

// A recipe that starts from another changes its name when that one changes.
func TestHashFollowsParent(t *testing.T) {
	names := map[string]string{}
	for _, name := range Names() {
		r, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := r.hash()
		if err != nil {
			t.Fatal(err)
		}
		if other := names[h]; other != "" {
			t.Errorf("%s and %s have one hash", name, other)
		}
		names[h] = name
	}
	old := recipes
	defer func() { recipes = old }()
	before, _ := Recipe{Name: "child", From: "full11"}.hash()
	recipes = append([]Recipe{}, old...)
	for i := range recipes {
		if recipes[i].Name == "full11" {
			recipes[i].Include = append([]string{"more"}, recipes[i].Include...)
		}
	}
	if after, _ := (Recipe{Name: "child", From: "full11"}).hash(); after == before {
		t.Error("the child's hash does not follow its parent's recipe")
	}
}

// A new tree of a name replaces those that have not been used for long, and nothing else.
func TestTidy(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("CAPSULE_TREES", cache)
	Progress = io.Discard
	defer func() { Progress = os.Stderr }()
	make := func(name, hash string) {
		t.Helper()
		_, err := once(context.Background(), name, hash, func(_ context.Context, dir string) error {
			return os.WriteFile(filepath.Join(dir, "file"), nil, 0o444)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	age := func(name string) {
		t.Helper()
		then := time.Now().Add(-2 * keepUnused)
		if err := os.Chtimes(filepath.Join(cache, ".lock-"+name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	for _, hash := range []string{"1", "2", "3"} {
		make("x", hash)
	}
	make("x-y", "1")
	for _, name := range []string{"x-1", "x-2", "x-y-1"} {
		age(name)
	}
	make("x", "2") // is there, and used now
	make("x", "4")
	for name, want := range map[string]bool{"x-1": false, "x-2": true, "x-3": true, "x-4": true, "x-y-1": true} {
		if got := isDir(filepath.Join(cache, name)); got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
}
