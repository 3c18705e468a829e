package runtimes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/trust"
)

func TestOneUnpacksOthersWait(t *testing.T) {
	s := Open(t.TempDir())
	file := write(t, "runtime.tar", archive(t, small...))
	var began atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			first := true
			h, err := s.Acquire(file, func(string, int64, int64) {
				if first {
					began.Add(1)
					first = false
				}
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			if _, err := os.Stat(h.Dir + "/usr/lib/libc.so.6"); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if began.Load() != 1 {
		t.Errorf("unpacked %d times", began.Load())
	}
}

func TestNames(t *testing.T) {
	s := Open(t.TempDir())
	file := write(t, "sniper.tar", archive(t, append(small, "ro:usr/closed")...))
	h, err := s.Add("sniper", file, nil)
	must(t, err)
	if _, err := s.Add("sniper", write(t, "other.tar", archive(t, "usr/")), nil); !errors.Is(err, ErrName) {
		t.Errorf("a taken name: %v", err)
	}
	if err := s.Remove("sniper"); !errors.Is(err, ErrInUse) {
		t.Errorf("a runtime in use: %v", err)
	}
	byName, err := s.Acquire("sniper", nil)
	must(t, err)
	if byName.Dir != h.Dir {
		t.Errorf("by name %s, when added %s", byName.Dir, h.Dir)
	}
	byName.Close()
	h.Close()
	second, err := s.Add("steam", file, nil)
	must(t, err)
	second.Close()
	list, err := s.List()
	must(t, err)
	if len(list) != 1 || fmt.Sprint(list[0].Names) != "[sniper steam]" || list[0].Source != file || list[0].Size <= 0 {
		t.Errorf("listed: %+v", list)
	}
	must(t, s.Remove("steam"))
	if _, err := s.Acquire("sniper", nil); err != nil {
		t.Errorf("its other name was removed: %v", err)
	}
	for _, name := range []string{"", "..", "a/b", "-x", "a b", "unknown", ".hidden"} {
		if err := s.Remove(name); !errors.Is(err, ErrName) {
			t.Errorf("remove %q: %v", name, err)
		}
	}
}

func TestCollect(t *testing.T) {
	s := Open(t.TempDir())
	age := func(h *Held, d time.Duration) {
		t.Helper()
		must(t, os.Chtimes(h.lock.Name(), time.Time{}, time.Now().Add(-d)))
	}
	acquire := func(name string) *Held {
		t.Helper()
		h, err := s.Acquire(write(t, name, archive(t, append(small, "usr/"+name)...)), nil)
		must(t, err)
		return h
	}
	old, held, recent := acquire("old"), acquire("held"), acquire("recent")
	named, err := s.Add("named", write(t, "named", archive(t, append(small, "usr/named")...)), nil)
	must(t, err)
	for _, h := range []*Held{old, held, named} {
		age(h, keep+time.Hour)
	}
	age(recent, keep-time.Hour)
	old.Close()
	recent.Close()
	named.Close()
	last := acquire("last") // which makes room
	defer last.Close()
	for h, want := range map[*Held]bool{old: false, held: true, recent: true, named: true} {
		if _, err := os.Stat(h.Dir); (err == nil) != want {
			t.Errorf("%s: there: %v, want %v", h.Dir, err == nil, want)
		}
	}
	removed, err := s.RemoveUnused()
	must(t, err)
	if len(removed) != 1 {
		t.Errorf("removed as unused: %+v", removed)
	}
	held.Close()
}

// What a killed process left goes with the next unpacking, unless somebody is at it.
func TestAbandoned(t *testing.T) {
	s := Open(t.TempDir())
	for _, id := range []string{"dead", "busy"} {
		must(t, os.MkdirAll(s.entry(id)+"/tree/usr", 0o755))
		must(t, os.WriteFile(s.entry(id)+".lock", nil, 0o600))
	}
	must(t, os.WriteFile(s.entry("early")+".lock", nil, 0o600)) // killed before it made the directory
	must(t, os.Chmod(s.entry("dead")+"/tree", 0o555))
	busy, err := s.lock("busy", unix.LOCK_EX)
	must(t, err)
	defer busy.Close()
	h, err := s.Acquire(write(t, "runtime.tar", archive(t, small...)), nil)
	must(t, err)
	defer h.Close()
	for name, want := range map[string]bool{"dead": false, "dead.lock": false, "early.lock": false, "busy/tree/usr": true, "busy.lock": true} {
		if _, err := os.Stat(s.entry(name)); (err == nil) != want {
			t.Errorf("%s: there: %v, want %v", name, err == nil, want)
		}
	}
}

// A lock file that others may open is none, for they could hold it for ever; so is one of another
// user's.
func TestLockOfOthers(t *testing.T) {
	s := Open(t.TempDir())
	file := write(t, "runtime.tar", archive(t, small...))
	h, err := s.Acquire(file, nil)
	must(t, err)
	name := h.lock.Name()
	h.Close()
	spoil := map[string]func() error{"open to all": func() error { return os.Chmod(name, 0o644) }}
	if os.Geteuid() == 0 {
		spoil["another user's"] = func() error { return os.Chown(name, 1234, 1234) }
	}
	for what, f := range spoil {
		must(t, f())
		other, err := os.Open(name)
		must(t, err)
		must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
		acquired := make(chan *Held)
		go func() {
			h, err := s.Acquire(file, nil)
			if err != nil {
				t.Error(err)
			}
			acquired <- h
		}()
		select {
		case h = <-acquired:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: waits for the lock of somebody else", what)
		}
		if info, err := h.lock.Stat(); err != nil || info.Mode().Perm() != 0o600 || trust.Mine(h.lock) != nil {
			t.Errorf("%s: got %v, %v", what, info.Mode(), err)
		}
		h.Close()
		other.Close()
	}
}

// What another user has put into a store that was shared once is not used.
func TestForeignTree(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("only root can give files away")
		}
		t.Skip("only root can give files away")
	}
	s := Open(t.TempDir())
	file := write(t, "runtime.tar", archive(t, small...))
	h, err := s.Add("sniper", file, nil)
	must(t, err)
	entry := filepath.Dir(h.Dir)
	h.Close()
	must(t, os.WriteFile(h.Dir+"/marker", nil, 0o644))
	must(t, os.Chown(entry, 1234, 1234))
	if h, err := s.Acquire("sniper", nil); err == nil {
		t.Errorf("got %s, want no tree of another user's", h.Dir)
	}
	h, err = s.Acquire(file, nil)
	must(t, err)
	defer h.Close()
	if _, err := os.Stat(h.Dir + "/marker"); err == nil {
		t.Error("another user's tree is used")
	}
	must(t, os.Chown(s.dir+"/names", 1234, 1234))
	if _, err := s.Acquire("sniper", nil); !errors.Is(err, trust.ErrShared) {
		t.Errorf("got %v, want %v", err, trust.ErrShared)
	}
}

// Where files go one by one a tree is made again in time, but not under a program that uses it.
func TestLasting(t *testing.T) {
	dir := t.TempDir()
	s := OpenWhere(func() (Place, error) { return Place{Dir: dir, Lasting: time.Hour}, nil })
	file := write(t, "runtime.tar", archive(t, small...))
	h, err := s.Acquire(file, nil)
	must(t, err)
	marker := h.Dir + "/marker"
	must(t, os.WriteFile(marker, nil, 0o644))
	then := time.Now().Add(-2 * time.Hour)
	must(t, os.Chtimes(filepath.Dir(h.Dir)+"/record.json", then, then))
	for _, c := range []struct{ held, kept bool }{{true, true}, {false, false}} {
		if !c.held {
			h.Close()
		}
		again, err := s.Acquire(file, nil)
		must(t, err)
		again.Close()
		if _, err := os.Stat(marker); (err == nil) != c.kept {
			t.Errorf("held %v: got %v, want kept %v", c.held, err, c.kept)
		}
	}
}
