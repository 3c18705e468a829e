package private

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/trust"
)

// Scratch is a directory for this process, until Close. It is locked as long as the process lives,
// so that whoever makes the next one knows what a killed process has left, and removes it.
type Scratch struct {
	Dir  string
	lock *os.File
	made string // the place, which goes if nothing else is in it; empty: it stays
}

// Temporary makes one, of a kind that sets it apart, in the first place that suits. suits may be
// nil.
func Temporary(getenv func(string) string, kind string, suits func(dir string) error) (*Scratch, error) {
	dirs := places(getenv)
	if cache, err := CacheDir(getenv); err == nil {
		dirs = append(dirs, cache)
	}
	prefix := kind + "-"
	for _, dir := range dirs {
		sweep(dir, prefix)
	}
	var made *Scratch
	_, err := firstOf(dirs, func(dir string) (err error) {
		if suits != nil {
			if err := suits(dir); err != nil {
				return err
			}
		}
		made, err = ScratchIn(dir, prefix)
		return err
	})
	if err != nil {
		return nil, err
	}
	made.made = filepath.Dir(made.Dir)
	return made, nil
}

// ScratchIn makes one in a directory that is the user's; prefix begins the names of such ones.
func ScratchIn(dir, prefix string) (*Scratch, error) {
	sweep(dir, prefix)
	for try := 0; ; try++ {
		name, err := os.MkdirTemp(dir, prefix)
		if err != nil {
			return nil, err
		}
		lock, err := free(name)
		if err == nil {
			return &Scratch{Dir: name, lock: lock}, nil
		}
		if try == 10 { // another process has taken it for one that was left
			os.Remove(name)
			return nil, err
		}
	}
}

// Close removes the directory.
func (s *Scratch) Close() error {
	err := os.RemoveAll(s.Dir)
	s.lock.Close()
	if s.made != "" {
		_ = unix.Rmdir(s.made) // not os.Remove: a link of the user's stays
	}
	return err
}

// sweep removes what killed processes have left. What goes wrong is no reason not to go on.
func sweep(dir, prefix string) {
	if trust.Owned(dir) != nil { // what has the right name there may be anything
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if lock, err := free(name); err == nil {
			os.RemoveAll(name)
			lock.Close()
		}
	}
}

// free locks a directory of the user's own that nobody has locked. Closed on execve, the lock ends
// with this process.
func free(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	err = trust.Mine(f)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		var opened, there unix.Stat_t
		if unix.Fstat(int(f.Fd()), &opened) != nil || unix.Lstat(name, &there) != nil || opened.Ino != there.Ino {
			err = fs.ErrNotExist // another process has removed it
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}
