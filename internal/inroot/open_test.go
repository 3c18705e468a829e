package inroot

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// tree has one file that openat2 is asked for.
func tree(t *testing.T) (root int) {
	t.Helper()
	d := t.TempDir()
	must(t, os.WriteFile(d+"/file", nil, 0o644))
	root, err := unix.Open(d, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(root) })
	return root
}

// answer makes openat2 say something whenever it is called, or only where there is a file to say it.
func answer(t *testing.T, all bool, says error) {
	t.Helper()
	old := openat2
	openat2 = func(dir int, name string, how *unix.OpenHow) (int, error) {
		if all || dir >= 0 {
			return -1, says
		}
		return old(dir, name, how)
	}
	t.Cleanup(func() {
		openat2 = old
		NoOpenat2.Store(false)
	})
}

var ways = map[string]func(int, string, int) (int, error){"Open": Open, "OpenPlain": OpenPlain}

// What a file system's server answers for a file of its own is that file's error. It decides
// nothing for others.
func TestErrorOfAFile(t *testing.T) {
	for name, open := range ways {
		for _, says := range []error{unix.EPERM, unix.ENOSYS, unix.EACCES, unix.EIO} {
			t.Run(fmt.Sprint(name, "/", says), func(t *testing.T) {
				root := tree(t)
				answer(t, false, says)
				if fd, err := open(root, "file", unix.O_PATH); err != says {
					t.Errorf("got %d, %v, want %v", fd, err, says)
				}
				if NoOpenat2.Load() {
					t.Error("openat2 is not used any more")
				}
			})
		}
	}
}

// A kernel without the call, and a filter that does not know it, refuse it for the root directory
// too.
func TestWithoutOpenat2(t *testing.T) {
	for name, open := range ways {
		for _, says := range []error{unix.EPERM, unix.ENOSYS} {
			t.Run(fmt.Sprint(name, "/", says), func(t *testing.T) {
				root := tree(t)
				answer(t, true, says)
				fd, err := open(root, "file", unix.O_PATH)
				if err != nil || !NoOpenat2.Load() {
					t.Fatalf("got %v, openat2 given up %v", err, NoOpenat2.Load())
				}
				unix.Close(fd)
			})
		}
	}
}

// Neither who renames for ever keeps us for ever, nor who says so: the walk gives an answer.
func TestNeverAtRest(t *testing.T) {
	for _, c := range []struct {
		way  string
		says error
	}{{"Open", unix.EAGAIN}, {"Open", unix.EINTR}, {"OpenPlain", unix.EINTR}} {
		root := tree(t)
		answer(t, false, c.says)
		if fd, err := ways[c.way](root, "none", unix.O_PATH); err != unix.ENOENT {
			t.Errorf("%s, %v: got %d, %v, want %v", c.way, c.says, fd, err, unix.ENOENT)
		}
	}
}
