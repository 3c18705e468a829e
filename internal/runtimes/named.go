package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/inuse"
	"github.com/capsule-run/capsule-run/internal/regular"
	"github.com/capsule-run/capsule-run/internal/untar"
)

// validName: a word that is no path and no flag.
func validName(name string) bool {
	return name != "" && len(name) <= 100 && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "-") &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return r == '/' || r == ':' || unicode.IsSpace(r) || fault.Printable(string(r)) != string(r)
		})
}

// Entry is one unpacked runtime.
type Entry struct {
	Names  []string  `json:"names"` // none: it was given by path
	Source string    `json:"source"`
	Dir    string    `json:"directory"`
	Size   int64     `json:"bytes"` // on disk
	Used   time.Time `json:"used"`
	id     string
}

// Add unpacks a source and gives it a name. A name that is taken stays what it is.
func (s *Store) Add(name, source string, progress Progress) (*Held, error) {
	if !validName(name) {
		return nil, fault.WithHint(fmt.Errorf("%w: %q cannot be one", ErrName, name), "use a word without slash, colon and spaces, that begins with a letter or a digit")
	}
	dir, src, err := find(source)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.WithHint(fmt.Errorf("runtime %s: %w", source, fs.ErrNotExist), hintSource)
	}
	if err != nil {
		return nil, err
	}
	if dir != "" {
		return nil, fault.WithHint(fmt.Errorf("runtime %s: a directory needs no adding", source), "use it as it is: --runtime "+source)
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	if target, err := os.Readlink(s.name(name)); err == nil && filepath.Base(target) != src.id && s.complete(filepath.Base(target)) {
		return nil, fault.WithHint(fmt.Errorf("%w: %s is taken", ErrName, name), "capsule-run runtime remove "+name+" frees it")
	}
	h, err := s.unpacked(src, progress)
	if err != nil {
		return nil, err
	}
	// The tree is held: nobody collects it before it has its name.
	if err := s.link(name, src.id); err != nil {
		h.Close()
		return nil, fmt.Errorf("name the runtime: %w", err)
	}
	return h, nil
}

func (s *Store) link(name, id string) error {
	if err := os.MkdirAll(filepath.Join(s.dir, "names"), 0o700); err != nil {
		return err
	}
	temporary := s.name("." + name + "-" + fmt.Sprint(os.Getpid()))
	os.Remove(temporary)
	if err := os.Symlink("../trees/"+id, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, s.name(name)); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}

// List returns what is unpacked: those with names first, by name, then the others, the last used first.
func (s *Store) List() ([]Entry, error) {
	entries, err := s.entries()
	if err != nil {
		return nil, err
	}
	for i := range entries {
		entries[i].Size = diskUsage(s.entry(entries[i].id))
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if (len(a.Names) > 0) != (len(b.Names) > 0) {
			return len(b.Names) - len(a.Names)
		}
		if c := slices.Compare(a.Names, b.Names); c != 0 {
			return c
		}
		return b.Used.Compare(a.Used)
	})
	return entries, nil
}

// Names returns the names that there are, sorted.
func (s *Store) Names() []string {
	links, _ := os.ReadDir(filepath.Join(s.dir, "names")) // none is as good as an empty one
	var names []string
	for _, l := range links {
		if validName(l.Name()) {
			names = append(names, l.Name())
		}
	}
	return names
}

func (s *Store) entries() ([]Entry, error) {
	names := map[string][]string{}
	links, err := os.ReadDir(filepath.Join(s.dir, "names"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, s.failed(err)
	}
	for _, l := range links { // sorted
		if target, err := os.Readlink(s.name(l.Name())); err == nil && validName(l.Name()) {
			names[filepath.Base(target)] = append(names[filepath.Base(target)], l.Name())
		}
	}
	all, err := os.ReadDir(filepath.Join(s.dir, "trees"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, s.failed(err)
	}
	var out []Entry
	for _, d := range all {
		text, err := regular.Read(filepath.Join(s.dir, "trees", d.Name(), "record.json"), maxJSON)
		if err != nil {
			continue // a lock, or one that is being unpacked
		}
		e := Entry{id: d.Name(), Names: names[d.Name()], Dir: filepath.Join(s.entry(d.Name()), "tree")}
		var r record
		if json.Unmarshal(text, &r) == nil {
			e.Source = r.Source
			if r.Tag != "" {
				e.Source += ":" + r.Tag
			}
		}
		if info, err := os.Stat(s.entry(d.Name()) + ".lock"); err == nil {
			e.Used = info.ModTime()
		}
		out = append(out, e)
	}
	return out, nil
}

// diskUsage is what du(1) says, in bytes.
func diskUsage(dir string) int64 {
	type file struct{ dev, ino uint64 }
	seen := map[file]bool{}
	var sum int64
	filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil && unix.Lstat(p, &st) == nil && !seen[file{st.Dev, st.Ino}] {
			seen[file{st.Dev, st.Ino}] = true
			sum += st.Blocks * 512
		}
		return nil
	})
	return sum
}

// Remove removes a name, and the tree too unless it has another name. A tree that is in use stays, with its name.
func (s *Store) Remove(name string) error {
	target, err := os.Readlink(s.name(name))
	if !validName(name) || err != nil {
		return fault.WithHint(fmt.Errorf("%w: %s is not known", ErrName, name), "capsule-run runtime list shows what is")
	}
	id := filepath.Base(target)
	entries, err := s.entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.id == id && len(e.Names) > 1 {
			return os.Remove(s.name(name))
		}
	}
	err = s.remove(id, func() error { return os.Remove(s.name(name)) })
	if errors.Is(err, ErrInUse) {
		return fault.WithHint(fmt.Errorf("runtime %s: %w", name, err), hintInUse(err))
	}
	return err
}

func hintInUse(err error) string {
	var in *inUseError
	if errors.As(err, &in) && in.by.ID != 0 {
		return fmt.Sprintf("end it first: kill %d", in.by.ID)
	}
	return "end the program first"
}

// RemoveUnused removes all trees that have no name and are not in use, and tells which.
func (s *Store) RemoveUnused() ([]Entry, error) { return s.removeOlder(0) }

// collect removes what has not been used for long. What goes wrong is no reason not to go on.
func (s *Store) collect() { s.removeOlder(keep) }

func (s *Store) removeOlder(age time.Duration) ([]Entry, error) {
	if err := s.removeAbandoned(); err != nil {
		return nil, err
	}
	entries, err := s.entries()
	if err != nil {
		return nil, err
	}
	var removed []Entry
	for _, e := range entries {
		if len(e.Names) > 0 || time.Since(e.Used) < age {
			continue
		}
		switch err := s.remove(e.id, nil); {
		case errors.Is(err, ErrInUse):
		case err != nil:
			return removed, err
		default:
			removed = append(removed, e)
		}
	}
	return removed, nil
}

// removeAbandoned removes what a process left that was killed while it unpacked: nobody may ask for the same source again.
func (s *Store) removeAbandoned() error {
	all, err := os.ReadDir(filepath.Join(s.dir, "trees"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed(err)
	}
	names, _ := os.ReadDir(filepath.Join(s.dir, "names"))
	for _, n := range names { // link's, which are there for no time
		if info, err := n.Info(); err == nil && strings.HasPrefix(n.Name(), ".") && time.Since(info.ModTime()) > time.Hour {
			os.Remove(s.name(n.Name()))
		}
	}
	for _, d := range all {
		id := strings.TrimSuffix(d.Name(), ".lock")
		if s.complete(id) {
			continue
		}
		// Whoever unpacks holds the lock, and may have just ended.
		done := func() error {
			if s.complete(id) {
				return ErrInUse
			}
			return nil
		}
		if err := s.remove(id, done); err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// user is a process that uses a tree.
func (s *Store) user(id string) (p inuse.Process, used bool) {
	name := "/trees/" + id + "/tree"
	p, used = inuse.Of([]string{name}, true)[name]
	return p, used
}

// inUseError is ErrInUse, by a process.
type inUseError struct{ by inuse.Process }

func (e *inUseError) Error() string { return fmt.Sprintf("%v by %v", ErrInUse, e.by) }
func (e *inUseError) Unwrap() error { return ErrInUse }

// remove deletes a tree that nobody uses; before it is gone, first does what else must go.
func (s *Store) remove(id string, first func() error) error {
	lock, err := s.lock(id, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, ErrInUse) {
		p, _ := s.user(id)
		return &inUseError{p}
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	// A program may have left processes that go on. Whoever comes now waits for the lock.
	if p, used := s.user(id); used {
		return &inUseError{p}
	}
	if first != nil {
		if err := first(); err != nil {
			return err
		}
	}
	os.Remove(filepath.Join(s.entry(id), "record.json")) // from here on it is not complete
	if err := untar.RemoveAll(s.entry(id)); err != nil {
		return err
	}
	return os.Remove(lock.Name())
}
