package runtimes

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// Whenever a signal comes while something is unpacked, it ends that, with one message, and nothing is left.
func TestInterrupted(t *testing.T) {
	runtime.LockOSThread() // a signal to the thread itself is there when the call returns
	defer runtime.UnlockOSThread()
	steam := minimal(t, described)
	tarball := write(t, "a.tar.gz", compressed(t, "gz", archive(t, "usr/", "usr/lib/", "usr/lib/file")))
	for name, source := range map[string]string{"Steam": steam, "archive": tarball} {
		reads := 0
		h, err := Open(t.TempDir()).Acquire(source, func(string, int64, int64) { reads++ })
		must(t, err)
		must(t, h.Close())
		if reads < 2 {
			t.Fatalf("%s: %d reads", name, reads)
		}
		for at := range reads { // in the last one, too, after which nothing is read any more
			s, n := Open(t.TempDir()), 0
			_, err := s.Acquire(source, func(string, int64, int64) {
				if n == at {
					must(t, unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGHUP))
				}
				n++
			})
			src := source
			if name == "Steam" {
				src = filepath.Join(source, "sniper_platform_3.0.20250101.1")
			}
			if err == nil || err.Error() != "runtime "+src+" cannot be unpacked: interrupted" || fault.ExitCode(err) != 129 ||
				fault.Hint(err) != "nothing is left of it: start again when you like" {
				t.Errorf("%s, read %d of %d: %v", name, at+1, reads, err)
			}
			empty(t, s)
		}
	}
}
