package build

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/inuse"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// Store is the build cache. Below its directory each request (host, runtime, options) has a directory named by its
// key, with one generation per build and a link "current" to the newest complete one:
//
//	<key>/current -> g-1a2b3c
//	<key>/g-1a2b3c/{<triplet>,ld.so.cache,plan.json,record}
//
// A generation is made under a temporary name and renamed when it is complete, so two launches that race each build
// one and the later link wins; both are whole. A launch holds a shared lock on the generation it uses, and only
// generations that nobody holds, and no container or process that goes on shows, are removed: older ones of a request when it
// is built again, all of a request that nobody has made for long (tidy).
type Store struct {
	dir string
	// Keep is how many generations of a key stay, for LookupAny.
	Keep int
	// MaxAge and MaxRequests bound what stays of requests that are not made any more.
	MaxAge      time.Duration
	MaxRequests int
	// Lasting is how long a build may be used after it was made, where files go one by one; 0: for
	// ever.
	Lasting time.Duration

	inUse func(directories []string, direct bool) map[string]inuse.Process // inuse.Of, but for tests
}

// NewStore is the store below dir.
func NewStore(dir string) *Store {
	return &Store{dir: dir, MaxAge: MaxAge, MaxRequests: MaxRequests, inUse: inuse.Of}
}

const current = "current"

// Dir is where the store keeps its builds.
func (s *Store) Dir() string { return s.dir }

// Key names a request: parts must hold all that the result depends on besides the files of Record.Inputs.
func Key(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// Built is a complete generation, held until Close.
type Built struct {
	Dir    string
	Record Record
	lock   *os.File
}

// Close lets go of the generation.
func (b *Built) Close() error { return b.lock.Close() }

// Lookup returns the current build for a key if all its inputs are unchanged, else nil. A damaged entry counts as
// none: it is built again.
func (s *Store) Lookup(key string) *Built {
	link := filepath.Join(s.dir, key, current)
	name, err := os.Readlink(link)
	if err != nil || strings.Contains(name, "/") {
		return nil
	}
	b, err := s.open(filepath.Join(s.dir, key, name))
	if err != nil {
		return nil
	}
	if !b.unchanged() {
		b.Close()
		return nil
	}
	return b
}

func (b *Built) unchanged() bool {
	return !slices.ContainsFunc(b.Record.Inputs, func(in rootfs.Access) bool { return !in.Unchanged() })
}

// LookupAny returns the generation of a key that suits and whose inputs are unchanged, of several the one used or made last,
// or nil: one key may have builds for several runtimes, which suits tells apart.
func (s *Store) LookupAny(key string, suits func(*Built) bool) *Built {
	for _, name := range s.generations(key) {
		b, err := s.open(filepath.Join(s.dir, key, name))
		if err != nil {
			continue
		}
		if suits(b) && b.unchanged() {
			now := time.Now()
			_ = os.Chtimes(b.Dir, now, now) // what is used stays longest; a cache that cannot be written keeps its order
			return b
		}
		b.Close()
	}
	return nil
}

// generations are the names of a key's complete builds, the one used or made last in front.
func (s *Store) generations(key string) []string {
	entries, err := os.ReadDir(filepath.Join(s.dir, key))
	if err != nil {
		return nil
	}
	made := map[string]time.Time{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && strings.HasPrefix(e.Name(), "g-") {
			made[e.Name()] = info.ModTime()
		}
	}
	return slices.SortedFunc(maps.Keys(made), func(a, b string) int {
		return cmp.Or(made[b].Compare(made[a]), strings.Compare(a, b))
	})
}

func (s *Store) open(dir string) (*Built, error) {
	lock, err := hold(dir)
	if err != nil {
		return nil, err
	}
	b := &Built{Dir: dir, lock: lock}
	err = s.sound(lock)
	if err == nil {
		err = b.read()
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return b, nil
}

// sound says whether a generation is one that this user has made, and not too long ago. The store's
// own directory is nobody else's by now, but may have been shared before.
func (s *Store) sound(generation *os.File) error {
	if err := trust.MineAt(filepath.Dir(generation.Name())); err != nil {
		return err
	}
	if err := trust.Mine(generation); err != nil {
		return err
	}
	info, err := generation.Stat()
	if err == nil && s.Lasting != 0 && time.Since(info.ModTime()) > s.Lasting {
		err = fmt.Errorf("%s is too old", generation.Name())
	}
	return err
}

// hold locks a generation against its removal. It does not wait: one that is being removed is none, and anybody who may open the
// directory could hold a lock on it for ever.
func hold(dir string) (*os.File, error) {
	lock, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return lock, nil
}

func (b *Built) read() error {
	name := filepath.Join(b.Dir, RecordFile)
	fd, err := unix.Openat(int(b.lock.Fd()), RecordFile, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	stamp(b.Dir, info)
	return b.Record.decode(text)
}

// Build writes the plan's artefacts as the current generation of key. On an error nothing of it stays.
func (s *Store) Build(key string, plan *capsule.Plan, record Record) (*Built, error) {
	return s.build(key, plan, record, false)
}

// BuildInPlace does the same for a process that has no capsule.Dir: Built.Dir stands for it.
func (s *Store) BuildInPlace(key string, plan *capsule.Plan, record Record) (*Built, error) {
	return s.build(key, plan, record, true)
}

func (s *Store) build(key string, plan *capsule.Plan, record Record, inPlace bool) (*Built, error) {
	// Others could lock what they may open: earlier releases let them.
	if err := trust.Own(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create build cache: %w", err)
	}
	parent := filepath.Join(s.dir, key)
	dir, err := newDir(parent)
	if err != nil {
		return nil, err
	}
	lock, err := hold(dir) // as long as it is nobody else's to open
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	s.tidy(key)
	generation := filepath.Join(parent, "g-"+strings.TrimPrefix(filepath.Base(dir), ".new-"))
	root := ""
	if inPlace {
		root = generation
	}
	if err := s.fill(dir, root, plan, record); err != nil {
		lock.Close()
		os.RemoveAll(dir)
		os.Remove(parent) // only if it is empty: nothing half done stays
		return nil, err
	}
	b := &Built{Dir: generation, lock: lock}
	if err = publish(dir, generation); err == nil {
		err = b.read()
	}
	if err != nil {
		lock.Close()
		os.RemoveAll(dir)
		os.RemoveAll(generation)
		return nil, err
	}
	return b, nil
}

// newDir makes a directory for a build. Another process may remove the empty entry in between.
func newDir(parent string) (string, error) {
	if err := trust.MineAt(parent); err != nil && !errors.Is(err, fs.ErrNotExist) {
		// From when others could write here. What is in it may be theirs, and not ours to remove.
		if os.Rename(parent, filepath.Join(filepath.Dir(parent), trash+"foreign-"+filepath.Base(parent))) != nil {
			return "", fmt.Errorf("create build cache: %w", err)
		}
	}
	for try := 0; ; try++ {
		// MkdirAll says that it exists where it has just been removed.
		err := os.MkdirAll(parent, 0o700)
		if err != nil && (try == 10 || !errors.Is(err, fs.ErrExist)) {
			return "", fmt.Errorf("create build cache: %w", err)
		}
		dir, err := os.MkdirTemp(parent, ".new-")
		if err == nil {
			return dir, nil
		}
		if try == 10 || !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("create build directory: %w", err)
		}
	}
}

func (s *Store) fill(dir, root string, plan *capsule.Plan, record Record) error {
	if err := os.Chmod(dir, 0o755); err != nil { // MkdirTemp's 0700 would show in the container
		return fmt.Errorf("create build directory: %w", err)
	}
	if err := Write(plan, dir, root); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, RecordFile), record.encode(), 0o644); err != nil {
		return fmt.Errorf("write artefact: %w", err)
	}
	if root != "" {
		if err := os.WriteFile(filepath.Join(dir, inPlaceFile), nil, 0o644); err != nil {
			return fmt.Errorf("write artefact: %w", err)
		}
	}
	return nil
}

func publish(dir, generation string) error {
	if err := os.Rename(dir, generation); err != nil {
		return fmt.Errorf("publish build: %w", err)
	}
	link := generation + ".link"
	if err := os.Symlink(filepath.Base(generation), link); err != nil {
		return fmt.Errorf("publish build: %w", err)
	}
	if err := os.Rename(link, filepath.Join(filepath.Dir(generation), current)); err != nil {
		os.Remove(link)
		return fmt.Errorf("publish build: %w", err)
	}
	return nil
}

// oldGenerations are, of one entry, those that later builds have replaced, and what a killed build
// left behind, the newest in front.
func (s *Store) oldGenerations(parent string) (stale []string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil
	}
	now, _ := os.Readlink(filepath.Join(parent, current))
	keep := s.generations(filepath.Base(parent))
	keep = append(keep[:min(s.Keep, len(keep))], current, now)
	made := map[string]time.Time{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || slices.Contains(keep, e.Name()) || time.Since(info.ModTime()) < grace {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			os.Remove(path)
			continue
		}
		stale = append(stale, path)
		made[path] = info.ModTime()
	}
	slices.SortStableFunc(stale, func(a, b string) int { return made[b].Compare(made[a]) })
	return stale
}
