package trees

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Progress receives one line when a tree is begun and one when it is done.
var Progress io.Writer = os.Stderr

// maxBuilds bounds how many trees are made at a time, over all processes: the work is mostly dpkg's, and
// more of it at once only makes each slower.
const maxBuilds = 2

// CacheDir returns the directory that holds all trees, and makes it: $CAPSULE_TREES if set. For root it is
// below /var/cache, because tests that drop to an ordinary user must reach the trees and root's home
// directory is closed to them; for others it is the user's cache directory.
func CacheDir() (string, error) {
	dir := os.Getenv("CAPSULE_TREES")
	if dir == "" && os.Geteuid() == 0 {
		dir = "/var/cache/capsule-run/trees"
	}
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w", err)
		}
		dir = filepath.Join(base, "capsule-run", "trees")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache of trees: %w", err)
	}
	return dir, nil
}

// once returns the directory NAME-HASH of the cache, calling fill to make it if it is not there. fill gets an
// empty directory; if it fails, nothing is left. Several processes may ask for the same directory: one makes
// it, the others wait.
func once(ctx context.Context, name, hash string, fill func(ctx context.Context, dir string) error) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, name+"-"+hash)
	lockFile := filepath.Join(cache, ".lock-"+name+"-"+hash)
	if isDir(final) {
		now := time.Now()
		os.Chtimes(lockFile, now, now) // of its last use
		return final, nil
	}
	tidy(cache, name, hash)
	unlock, err := lock(ctx, lockFile)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(final) {
		return final, nil
	}
	temp := filepath.Join(cache, ".new-"+name+"-"+hash)
	// A process that was killed may have left one; the lock says that nobody is at work in it.
	if err := removeTree(temp); err != nil {
		return "", fmt.Errorf("remove what an interrupted run left: %w", err)
	}
	if err := os.Mkdir(temp, 0o755); err != nil {
		return "", fmt.Errorf("make tree %s: %w", name, err)
	}
	defer removeTree(temp)
	begin := time.Now()
	fmt.Fprintf(Progress, "trees: making %s\n", name)
	if err := fill(ctx, temp); err != nil {
		return "", fmt.Errorf("make tree %s: %w", name, err)
	}
	if err := os.Rename(temp, final); err != nil {
		return "", fmt.Errorf("make tree %s: %w", name, err)
	}
	fmt.Fprintf(Progress, "trees: made %s in %.0f s\n", name, time.Since(begin).Seconds())
	return final, nil
}

// keepUnused is how long a tree stays that another recipe of its name has replaced. Branches with different recipes may
// take turns.
const keepUnused = 7 * 24 * time.Hour

// tidy removes the trees of a name that nobody has asked for of late. When that was is in the time of the lock's file:
// that of the tree's root belongs to the tree.
func tidy(cache, name, hash string) {
	locks, _ := filepath.Glob(filepath.Join(cache, ".lock-"+name+"-*"))
	for _, file := range locks {
		other := strings.TrimPrefix(filepath.Base(file), ".lock-"+name+"-")
		info, err := os.Stat(file)
		if err != nil || other == hash || strings.Contains(other, "-") || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		unlock, err := tryLock(file)
		if err != nil {
			continue
		}
		temp := filepath.Join(cache, ".new-"+name+"-"+other)
		if os.Rename(filepath.Join(cache, name+"-"+other), temp) == nil {
			removeTree(temp)
		}
		unlock()
	}
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// removeTree deletes a tree even if some of its directories are not writable, as an ordinary user's copy of
// a release may have.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// lock waits for an exclusive flock(2) of the file, which stays behind: unlinking it would let two processes
// hold locks of two files of one name.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	for {
		unlock, err := tryLock(path)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
			return unlock, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// buildSlot waits until fewer than maxBuilds trees are being made.
func buildSlot(ctx context.Context) (release func(), err error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	for {
		for i := range maxBuilds {
			unlock, err := tryLock(filepath.Join(cache, fmt.Sprintf(".slot-%d", i)))
			if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
				return unlock, err
			}
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func tryLock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}
