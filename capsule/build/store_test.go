package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// plan is the smallest one that has files.
func plan(t *testing.T) *capsule.Plan {
	t.Helper()
	if _, err := cshim.Object(arch.X8664, cshim.Libcapsule); err != nil {
		t.Skip("the C parts are not built: make build (make test does it first):", err)
	}
	p, err := capsule.Make(&capsule.Input{Version: "test", Rules: capsule.Rules{Libc: []string{"libc.so.6"}},
		Architectures: []*capsule.ArchInput{{Arch: arch.X8664, Runtime: capsule.Runtime{
			Libraries: map[string]*capsule.RuntimeLibrary{"libc.so.6": {Name: "libc.so.6", File: &dynelf.File{}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func store(t *testing.T) *build.Store {
	t.Helper()
	dir := t.TempDir()
	s, err := build.DefaultStore(func(name string) string {
		if name == "XDG_CACHE_HOME" {
			return dir
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// access is what rootfs would record of a file.
func access(t *testing.T, file string) rootfs.Access {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(file, &st); err != nil {
		t.Fatal(err)
	}
	return rootfs.Access{Path: file, Exists: true, Dev: st.Dev, Ino: st.Ino, Size: st.Size, MTimeNS: st.Mtim.Nano(),
		CTimeNS: st.Ctim.Nano(), Mode: st.Mode}
}

func TestLookupFindsWhatWasBuiltUntilAnInputChanges(t *testing.T) {
	s, p := store(t), plan(t)
	input := filepath.Join(t.TempDir(), "libGL.so.1")
	if err := os.WriteFile(input, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Lookup("key") != nil {
		t.Fatal("an empty store has something")
	}
	record := build.Record{Inputs: []rootfs.Access{access(t, input), {Path: input + ".absent"}}, Launch: []byte("{}")}
	b, err := s.Build("key", p, record)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	found := s.Lookup("key")
	if found == nil || found.Dir != b.Dir {
		t.Fatalf("found %v, built %s", found, b.Dir)
	}
	found.Close()
	if s.Lookup("other") != nil {
		t.Error("another key finds it")
	}
	if err := os.WriteFile(input+".absent", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Lookup("key") != nil {
		t.Error("a file that was absent is there, and the build still counts")
	}
	os.Remove(input + ".absent")
	if err := os.WriteFile(input, []byte("newer"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Lookup("key") != nil {
		t.Error("an input has changed, and the build still counts")
	}
}

func TestDamagedEntryIsBuiltAgain(t *testing.T) {
	s, p := store(t), plan(t)
	b, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := os.WriteFile(filepath.Join(b.Dir, build.InputsFile), []byte(`{"inputs":[`), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Lookup("key") != nil {
		t.Fatal("a truncated record was taken")
	}
}

func TestRacingBuildsAreEachWhole(t *testing.T) {
	s, p := store(t), plan(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Close()
			for _, f := range []string{build.PlanFile, build.InputsFile, build.LdSoCache, "x86_64-linux-gnu/lib/libcapsule.so", "x86_64-linux-gnu/proxy/libc.so.6"} {
				if _, err := os.Stat(filepath.Join(b.Dir, f)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	b := s.Lookup("key")
	if b == nil {
		t.Fatal("nothing is there after eight builds")
	}
	b.Close()
}

func TestBuildsAreByteIdentical(t *testing.T) {
	s, p := store(t), plan(t)
	var dirs []string
	for _, key := range []string{"a", "b"} {
		b, err := s.Build(key, p, build.Record{Launch: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		dirs = append(dirs, b.Dir)
	}
	files := 0
	err := filepath.WalkDir(dirs[0], func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dirs[0], path)
		one, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		other, err := os.ReadFile(filepath.Join(dirs[1], rel))
		if err != nil {
			return err
		}
		if !bytes.Equal(one, other) {
			t.Errorf("%s differs", rel)
		}
		files++
		return nil
	})
	if err != nil || files < 6 {
		t.Errorf("%d files compared: %v", files, err)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	s, p := store(t), plan(t)
	p.Architectures[0].Artefacts().Proxies = nil
	p.Architectures[0].Artefacts().Arch = &arch.Arch{Name: "nowhere"} // has no C parts
	if _, err := s.Build("key", p, build.Record{}); err == nil {
		t.Fatal("no error")
	}
	entries, err := os.ReadDir(s.Dir())
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestPruneKeepsWhatIsInUse(t *testing.T) {
	s, p := store(t), plan(t)
	var held []*build.Built
	for range 3 {
		b, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		os.Chtimes(b.Dir, old, old)
		held = append(held, b)
	}
	held[1].Close()
	b, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for i, want := range []bool{true, false, true} {
		_, err := os.Stat(held[i].Dir)
		if (err == nil) != want {
			t.Errorf("generation %d: %v", i, err)
		}
	}
	held[0].Close()
	held[2].Close()
}

// A key may have builds for several runtimes: each is found, and Keep of them stay when nobody uses them.
func TestLookupAny(t *testing.T) {
	s, p := store(t), plan(t)
	s.Keep = 2
	for i, text := range []string{`"first"`, `"second"`, `"third"`, `"fourth"`} {
		b, err := s.Build("key", p, build.Record{Launch: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(i-10) * time.Hour)
		os.Chtimes(b.Dir, old, old)
		b.Close()
	}
	for text, want := range map[string]bool{`"first"`: false, `"second"`: true, `"third"`: true, `"fourth"`: true} {
		b := s.LookupAny("key", func(b *build.Built) bool { return string(b.Record.Launch) == text })
		if (b != nil) != want {
			t.Errorf("%s: found %v", text, b)
		}
		if b != nil {
			b.Close()
		}
	}
	if s.LookupAny("other", func(*build.Built) bool { return true }) != nil {
		t.Error("another key finds them")
	}
}
