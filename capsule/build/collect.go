package build

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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
)

// stamp notes the last use of a generation, in the time of its record's file: the directory's own is when it was made.
func stamp(dir string, info fs.FileInfo) {
	if now := time.Now(); now.Sub(info.ModTime()) > stampEvery {
		os.Chtimes(filepath.Join(dir, InputsFile), now, now) // of no consequence where it cannot be
	}
}

// collect removes the entries that are too old or too many, but for that of key. It is called when something is built: a
// launch that finds its build does not pay for it. One process at a time collects.
func (s *Store) collect(key string) {
	lock, err := os.Open(s.dir)
	if err != nil {
		return
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
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
	var mounts mounted
	for i, k := range keys {
		if i >= s.MaxRequests-1 || time.Since(used[k]) > s.MaxAge {
			s.discard(k, &mounts)
		}
	}
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
		later(filepath.Join(dir, name, InputsFile))
	}
	return last
}

// discard removes an entry, or as much of it as nobody uses.
func (s *Store) discard(key string, mounts *mounted) {
	dir := filepath.Join(s.dir, key)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	left := false
	for _, e := range entries {
		if e.IsDir() && !s.remove(filepath.Join(dir, e.Name()), mounts) {
			left = true
		}
	}
	if left {
		return
	}
	os.Remove(filepath.Join(dir, current))
	os.Remove(dir) // not if another process builds there
}

// remove deletes a directory of an entry unless it is in use: locked by a launch, just made, or mounted in a container that
// has outlived whoever started it. It disappears at once, so that nobody finds half of it.
func (s *Store) remove(dir string, mounts *mounted) bool {
	d, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil || time.Since(info.ModTime()) < grace || unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || mounts.have(dir) {
		return false
	}
	gone := filepath.Join(s.dir, trash+filepath.Base(filepath.Dir(dir))+"-"+filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil {
		return false
	}
	os.RemoveAll(gone)
	return true
}

// maxMounts is in bytes, of all mount tables together: anybody can have as many mount namespaces as they like.
const maxMounts = 64 << 20

// mounted is what the mount namespaces show that this process may look into, read when it is first asked for. Where they
// are too many to look at, everything may be mounted.
type mounted struct {
	read    bool
	tooMany bool
	text    [][]byte
}

// have says whether something of a generation is mounted anywhere. Names of entries and generations are unique, so that
// the place of the store, which has other names in other namespaces, does not matter.
func (m *mounted) have(generation string) bool {
	if !m.read {
		m.read = true
		m.look(maxMounts)
	}
	name := []byte("/" + filepath.Base(filepath.Dir(generation)) + "/" + filepath.Base(generation) + "/")
	return m.tooMany || slices.ContainsFunc(m.text, func(text []byte) bool { return bytes.Contains(text, name) })
}

// look reads proc(5)'s mountinfo of one process for each namespace, so many bytes in all.
func (m *mounted) look(most int64) {
	seen, left := map[string]bool{}, most
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		namespace, err := os.Readlink(p + "/ns/mnt")
		if err != nil || seen[namespace] {
			continue
		}
		text, err := readAtMost(p+"/mountinfo", left)
		if err != nil {
			continue
		}
		seen[namespace] = true
		m.text = append(m.text, text)
		if left -= int64(len(text)); left <= 0 {
			m.tooMany, m.text = true, nil
			return
		}
	}
}

func readAtMost(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
