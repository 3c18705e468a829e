package build_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule/build"
)

// A daemon that was started in place may outlive the launcher, and so the lock; no mount tells of it.
func TestCollectKeepsWhatIsMapped(t *testing.T) {
	s := store(t)
	b, err := s.BuildInPlace("mapped", plan(t), build.Record{Launch: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	f, err := os.Open(b.Dir + "/x86_64-linux-gnu/lib/libcapsule.so")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * build.MaxAge)
	for _, name := range []string{b.Dir + "/" + build.RecordFile, b.Dir, s.Dir() + "/mapped"} {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	used(t, s, "new", 0).Close()
	if b := s.Lookup("mapped"); b == nil {
		t.Error("it was removed under a process")
	} else {
		b.Close()
	}
	for _, name := range []string{b.Dir + "/" + build.RecordFile, b.Dir, s.Dir() + "/mapped"} { // Lookup is a use
		os.Chtimes(name, old, old)
	}
	if err := unix.Munmap(text); err != nil {
		t.Fatal(err)
	}
	used(t, s, "newer", 0).Close()
	if _, err := os.Stat(s.Dir() + "/mapped"); err == nil {
		t.Error("it stays when the process has no use for it any more")
	}
}
