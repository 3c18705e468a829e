package build_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
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
	"github.com/capsule-run/capsule-run/internal/trust"
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
	return build.NewStore(filepath.Join(t.TempDir(), "builds"))
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
	if err := os.WriteFile(filepath.Join(b.Dir, build.RecordFile), []byte(`{"inputs":[`), 0o644); err != nil {
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
			for _, f := range []string{build.PlanFile, build.RecordFile, build.LdSoCache, "x86_64-linux-gnu/lib/libcapsule.so", "x86_64-linux-gnu/proxy/libc.so.6"} {
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

// Whoever may open the cache's directories may lock them. Nobody waits for that: another build is made.
func TestNobodyWaitsForALock(t *testing.T) {
	s, p := store(t), plan(t)
	for range 3 {
		b, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		dir, err := os.Open(b.Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		found := make(chan *build.Built, 2)
		go func() {
			found <- s.Lookup("key")
			found <- s.LookupAny("key", func(*build.Built) bool { return true })
		}()
		for range 2 {
			select {
			case b := <-found:
				if b != nil {
					t.Errorf("%s is locked, and used", b.Dir)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("waited for the lock")
			}
		}
	}
}

// build makes an entry and makes it look as if it had last been used that long ago.
func used(t *testing.T, s *build.Store, key string, ago time.Duration) *build.Built {
	t.Helper()
	b, err := s.Build(key, plan(t), build.Record{Launch: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-ago)
	for _, name := range []string{b.Dir + "/" + build.RecordFile, b.Dir, filepath.Dir(b.Dir)} {
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestCollectRemovesWhatIsOldAndNotInUse(t *testing.T) {
	s := store(t)
	held := used(t, s, "held", 2*build.MaxAge)
	for key, ago := range map[string]time.Duration{"old": 2 * build.MaxAge, "recent": build.MaxAge / 2, "young": 0} {
		used(t, s, key, ago).Close()
	}
	again := used(t, s, "again", 2*build.MaxAge)
	again.Close()
	if b := s.Lookup("again"); b == nil { // which is a use
		t.Fatal("an old build is not found")
	} else {
		b.Close()
	}
	used(t, s, "new", 0).Close()
	for key, want := range map[string]bool{"held": true, "old": false, "recent": true, "young": true, "again": true, "new": true} {
		if _, err := os.Stat(filepath.Join(s.Dir(), key)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", key, err == nil, want)
		}
		b := s.Lookup(key)
		if (b != nil) != want {
			t.Errorf("%s is found: %v, want %v", key, b != nil, want)
		}
		if b != nil {
			b.Close()
		}
	}
	held.Close()
	left, err := os.ReadDir(s.Dir())
	if err != nil || len(left) != 5 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestCollectKeepsSoMany(t *testing.T) {
	s := store(t)
	s.MaxRequests = 3
	for i, key := range []string{"a", "b", "c", "d", "e"} {
		used(t, s, key, time.Duration(10-i)*time.Hour).Close()
	}
	for key, want := range map[string]bool{"a": false, "b": false, "c": true, "d": true, "e": true} {
		if _, err := os.Stat(filepath.Join(s.Dir(), key)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", key, err == nil, want)
		}
	}
}

// A container may outlive the launcher or the hook that made it, and so the lock.
func TestCollectKeepsWhatIsMounted(t *testing.T) {
	s := store(t)
	b := used(t, s, "mounted", 2*build.MaxAge)
	b.Close()
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" "$0" && echo ready && read x`,
		b.Dir+"/x86_64-linux-gnu/lib")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); err != nil {
		cmd.Wait()
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("no mount namespace: ", err)
		}
		t.Skip("no mount namespace: ", err)
	}
	used(t, s, "new", 0).Close()
	if _, err := os.Stat(b.Dir + "/x86_64-linux-gnu/lib/libcapsule.so"); err != nil {
		t.Errorf("it was removed under a container: %v", err)
	}
	in.Close()
	cmd.Wait()
	used(t, s, "newer", 0).Close()
	if _, err := os.Stat(b.Dir); err == nil {
		t.Error("it stays when the container has ended")
	}
}

func TestRacingCollectionsAndBuilds(t *testing.T) {
	s := store(t)
	s.MaxRequests = 2
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 5 {
				used(t, s, []string{"a", "b", "c"}[i%3], time.Hour).Close()
			}
		}()
	}
	wg.Wait()
}

// Whoever could once open the store's directory may hold a lock on it for ever: that stops nothing.
func TestLockOnTheStoreStopsNothing(t *testing.T) {
	s := store(t)
	used(t, s, "old", 2*build.MaxAge).Close()
	dir, err := os.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	used(t, s, "new", 0).Close()
	if _, err := os.Stat(filepath.Join(s.Dir(), "old")); err == nil {
		t.Error("an old entry is still there")
	}
	if info, err := os.Stat(s.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want a directory that nobody else can open", info, err)
	}
}

// Where files go one by one a build is made again in time.
func TestLasting(t *testing.T) {
	s := store(t)
	s.Lasting = time.Hour
	for ago, want := range map[time.Duration]bool{time.Minute: true, 2 * time.Hour: false} {
		key := ago.String()
		used(t, s, key, ago).Close()
		b := s.Lookup(key)
		if (b != nil) != want {
			t.Errorf("%v old: got %v, want found %v", ago, b, want)
		}
		if b != nil {
			b.Close()
		}
	}
}

// A store that was shared once may hold what others made. Only the user's own counts: no generation
// and no entry of another user's, and no record that is a link.
func TestForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("only root can give files away")
		}
		t.Skip("only root can give files away")
	}
	for name, spoil := range map[string]func(b *build.Built) error{
		"a generation":            func(b *build.Built) error { return os.Chown(b.Dir, 1234, 1234) },
		"a writable generation":   func(b *build.Built) error { return os.Chmod(b.Dir, 0o777) },
		"an entry":                func(b *build.Built) error { return os.Chown(filepath.Dir(b.Dir), 1234, 1234) },
		"an entry that is a link": func(b *build.Built) error { return swapForLink(filepath.Dir(b.Dir)) },
		"a record that is a link": func(b *build.Built) error { return swapForLink(b.Dir + "/" + build.RecordFile) },
	} {
		s, p := store(t), plan(t)
		b, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		if err := spoil(b); err != nil {
			t.Fatal(err)
		}
		if got := s.Lookup("key"); got != nil {
			t.Errorf("%s: used", name)
			got.Close()
		}
		again, err := s.Build("key", p, build.Record{Launch: []byte("{}")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if found := s.Lookup("key"); found == nil || found.Dir != again.Dir || trust.Owned(again.Dir) != nil {
			t.Errorf("%s: got %v, want %s", name, found, again.Dir)
		}
		again.Close()
	}
}

func swapForLink(name string) error {
	return errors.Join(os.Rename(name, name+".away"), os.Symlink(name+".away", name))
}
