// Package private finds directories that are this process's user's alone (trust.Own): the cache, a
// place for what is soon gone, and in it one for this process. It exists because HOME,
// XDG_CACHE_HOME and TMPDIR may be everybody's, or another user's (service users in /tmp, clusters,
// sudo that keeps HOME), while what lies in the cache is run. It tells whoever asks what is wrong
// with the first choice, and prints nothing.
package private

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/trust"
)

// ErrNoCacheDir says that there is no place for the cache.
var ErrNoCacheDir = errors.New("no cache directory: neither XDG_CACHE_HOME nor HOME names one")

// errNoExec says that nothing can be run from a place.
var errNoExec = errors.New("no program can be executed there (mount option noexec)")

// What the cache has, each in a directory of its own.
const (
	builds   = "builds"
	runtimes = "runtimes"
)

// lasting is how long what is made in a temporary place is used: cleaners remove files one by one
// there, those that nobody has read for ten days (systemd-tmpfiles) or a week (tmpreaper).
const lasting = 3 * 24 * time.Hour

// Cache is where builds and unpacked runtimes are kept.
type Cache struct {
	Dir string
	// Instead is why it is not the user's own cache, an ErrShared of package trust; nil if it is.
	Instead error
	// Lasting is how long what is in it may be used; 0: for ever.
	Lasting time.Duration
}

// Builds and Runtimes are its directories.
func (c *Cache) Builds() string   { return filepath.Join(c.Dir, builds) }
func (c *Cache) Runtimes() string { return filepath.Join(c.Dir, runtimes) }

// CacheDir is capsule-run's directory below XDG_CACHE_HOME (XDG Base Directory Specification 0.8),
// ~/.cache by default.
func CacheDir(getenv func(string) string) (string, error) {
	base := getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(base) { // the specification: a relative path is to be ignored
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", ErrNoCacheDir
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "capsule-run"), nil
}

// Find returns the user's cache, or a place for it where it is shared with others. What is missing
// is made by whoever writes there (trust.Own), and what cannot be read is for whoever reads it.
func Find(getenv func(string) string) (*Cache, error) {
	c, err := Look(getenv)
	if !errors.Is(err, trust.ErrShared) {
		return c, err
	}
	instead := &Cache{Instead: err, Lasting: lasting}
	var wrong error
	instead.Dir, wrong = firstOf(places(getenv), func(dir string) error { return (&Cache{Dir: dir}).look() })
	if wrong != nil {
		return nil, fmt.Errorf("%w, and there is no other place for the cache: %w", err, wrong)
	}
	return instead, nil
}

// Look returns the user's own cache as it is, if nobody else can write to it.
func Look(getenv func(string) string) (*Cache, error) {
	dir, err := CacheDir(getenv)
	if err != nil {
		return nil, err
	}
	c := &Cache{Dir: dir}
	if err := c.look(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cache) look() error {
	for _, dir := range []string{c.Dir, c.Builds(), c.Runtimes()} {
		if err := trust.Owned(dir); errors.Is(err, trust.ErrShared) {
			return err
		}
	}
	return nil
}

// places are where else directories of the user's own may be. The one of the session is none of the
// first: what is in it is memory, and it may be small.
func places(getenv func(string) string) []string {
	name := "capsule-run-" + strconv.FormatUint(uint64(trust.RealUser()), 10)
	var out []string
	for _, p := range []struct{ dir, name string }{
		{getenv("TMPDIR"), name}, {"/tmp", name}, {"/var/tmp", name}, {getenv("XDG_RUNTIME_DIR"), "capsule-run"},
	} {
		if info, err := os.Stat(p.dir); filepath.IsAbs(p.dir) && err == nil && info.IsDir() {
			out = append(out, filepath.Join(p.dir, p.name))
		}
	}
	return out
}

// firstOf returns the first place that can be made the user's own, that suits and that programs can
// be executed in. Else it says what is wrong with the first.
func firstOf(dirs []string, suits func(string) error) (string, error) {
	var first error
	for _, dir := range dirs {
		err := trust.Own(dir, 0o700)
		if err == nil {
			if err = executable(dir); err == nil {
				err = suits(dir)
			}
			if err == nil {
				return dir, nil
			}
			_ = unix.Rmdir(dir) // if there is nothing in it; a link of the user's stays
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

func executable(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if fs.Flags&unix.ST_NOEXEC != 0 {
		return fmt.Errorf("%s: %w", dir, errNoExec)
	}
	return nil
}
