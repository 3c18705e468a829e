package build

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/trust"
)

// What the store keeps of requests that nobody makes any more.
const (
	// MaxAge is how long an entry stays that is not used.
	MaxAge = 30 * 24 * time.Hour
	// MaxRequests is how many entries stay, those that were used last.
	MaxRequests = 64
)

const (
	// grace is for what has just been made and is not yet locked.
	grace = time.Minute
	// stampEvery bounds how often a launch notes that it used a build.
	stampEvery = 24 * time.Hour
	trash      = ".trash-"
	// lockFile is locked by who collects. It is no directory: those of earlier releases anybody
	// could open, and may have open.
	lockFile = ".lock"
	// maxUnsure is how many directories stay of which it cannot be told whether they are in use,
	// the newest: any process can have more in its mount table than is looked at (package inuse),
	// for ever.
	maxUnsure = 64
)

// stamp notes the last use of a generation, in the time of its record's file: the directory's own is when it was made.
func stamp(dir string, info fs.FileInfo) {
	if now := time.Now(); now.Sub(info.ModTime()) > stampEvery {
		os.Chtimes(filepath.Join(dir, RecordFile), now, now) // of no consequence where it cannot be
	}
}

// tidy removes what nobody uses: of an entry old generations and what a killed build left behind,
// and others that are too old or too many. It is called when something is built: a launch that
// finds its build does not pay for it. Who uses what is asked once.
func (s *Store) tidy(key string) {
	dirs := s.oldGenerations(filepath.Join(s.dir, key))
	keys, done := s.oldEntries(key)
	defer done()
	for _, k := range keys {
		entries, _ := os.ReadDir(filepath.Join(s.dir, k))
		for _, e := range entries {
			if e.IsDir() {
				dirs = append(dirs, filepath.Join(s.dir, k, e.Name()))
			}
		}
	}
	left := s.remove(dirs)
	for _, k := range keys {
		dir := filepath.Join(s.dir, k)
		if !slices.ContainsFunc(left, func(d string) bool { return filepath.Dir(d) == dir }) {
			os.Remove(filepath.Join(dir, current))
			os.Remove(dir) // not if another process builds there
		}
	}
}

// oldEntries are those that are too old or too many, but for that of key, the one used last in
// front. One process at a time collects, until it has called done.
func (s *Store) oldEntries(key string) (stale []string, done func()) {
	done = func() {}
	lock, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, done
	}
	done = func() { lock.Close() }
	if trust.Mine(lock) != nil {
		os.Remove(lock.Name()) // for the next one
		return nil, done
	}
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil, done
	}
	done = func() {
		os.Remove(lock.Name()) // two that collect at a time would not hurt each other
		lock.Close()
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, done
	}
	used := map[string]time.Time{}
	var keys []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), trash):
			os.RemoveAll(filepath.Join(s.dir, e.Name())) // of a process that was killed
		case e.IsDir() && e.Name() != key:
			keys = append(keys, e.Name())
			used[e.Name()] = s.lastUse(e.Name())
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return used[b].Compare(used[a]) })
	for i, k := range keys {
		if i >= s.MaxRequests-1 || time.Since(used[k]) > s.MaxAge {
			stale = append(stale, k)
		}
	}
	return stale, done
}

// lastUse is the latest of an entry's generations.
func (s *Store) lastUse(key string) time.Time {
	var last time.Time
	later := func(name string) {
		if info, err := os.Lstat(name); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	dir := filepath.Join(s.dir, key)
	later(dir)
	for _, name := range s.generations(key) {
		later(filepath.Join(dir, name, RecordFile))
	}
	return last
}

// remove deletes directories of entries that are not in use, and returns those that are: locked by a launch, just made, or
// of a container or a process that has outlived whoever started it. All are locked before anybody looks for such: what is
// used later will be used under a lock. Each disappears at once, so that nobody finds half of it.
//
// The last of dirs are those that go first where it cannot be told.
func (s *Store) remove(dirs []string) (left []string) {
	var locked, names []string
	inPlace := false
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if err != nil {
			left = append(left, dir)
			continue
		}
		defer d.Close()
		info, err := d.Stat()
		if err != nil || time.Since(info.ModTime()) < grace || unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			left = append(left, dir)
			continue
		}
		locked, names = append(locked, dir), append(names, unique(dir))
		inPlace = inPlace || isInPlace(dir)
	}
	if len(locked) == 0 {
		return left
	}
	used := s.inUse(names, inPlace)
	unsure := 0
	for i, dir := range locked {
		by, inUse := used[names[i]]
		if inUse && !by.Known() {
			unsure++
			inUse = unsure <= maxUnsure
		}
		gone := filepath.Join(s.dir, trash+filepath.Base(filepath.Dir(dir))+"-"+filepath.Base(dir))
		if inUse || os.Rename(dir, gone) != nil {
			left = append(left, dir)
			continue
		}
		os.RemoveAll(gone)
	}
	return left
}

// unique is the end of a generation's path, by which it is known wherever the store is seen.
func unique(dir string) string {
	return "/" + filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
}
