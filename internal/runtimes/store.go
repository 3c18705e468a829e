package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/trust"
	"github.com/capsule-run/capsule-run/internal/untar"
)

// Store is where archives and images are unpacked to:
//
//	trees/<id>/tree         the file tree
//	trees/<id>/record.json  where it came from, and that it is complete: written last
//	trees/<id>.lock         held shared while a launcher uses the tree, exclusively while it is made or removed; the time of
//	                        its last change is that of the tree's last use
//	names/<name>            a link to ../trees/<id>
//
// A tree without a name that nobody has used for keep is removed when another one is unpacked.
type Store struct {
	dir string
	// place names the directory when it is first needed: to look for one may mean to make it.
	place   func() (Place, error)
	shared  error         // why it is not where names are kept
	lasting time.Duration // how long a tree may be used; 0: for ever
	used    func()        // told before a tree of it is used; may be nil
}

// Place is where a store is.
type Place struct {
	Dir string
	// Shared is why this is not the user's own store, where the names are; nil if it is.
	Shared error
	// Lasting is how long a tree may be used after it was made, where files go one by one; 0: for
	// ever.
	Lasting time.Duration
	// Used is told when a tree of it is about to be used.
	Used func()
}

const keep = 30 * 24 * time.Hour

// Open names a store's directory, which is made when it is needed.
func Open(dir string) *Store { return &Store{dir: dir} }

// OpenWhere asks for the place when something is unpacked, or a name is looked up.
func OpenWhere(place func() (Place, error)) *Store { return &Store{place: place} }

// settle sees to it that the store has a place, and that nobody else's are the directories in it.
func (s *Store) settle() error {
	if s.dir == "" {
		p, err := s.place()
		if err != nil {
			return err
		}
		s.dir, s.shared, s.lasting, s.used = p.Dir, p.Shared, p.Lasting, p.Used
	}
	for _, d := range []string{"trees", "names"} {
		if err := trust.MineAt(filepath.Join(s.dir, d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.WithHint(fmt.Errorf("cache of runtimes: %w", err), "remove it: rm -r "+filepath.Join(s.dir, d))
		}
	}
	return nil
}

// Held is a runtime's file tree, which stays until Close.
type Held struct {
	Dir  string
	lock *os.File // nil for a directory of the user's own
}

// Close lets go of the tree.
func (h *Held) Close() error {
	if h.lock == nil {
		return nil
	}
	return h.lock.Close()
}

// record is the text of record.json.
type record struct {
	Source string `json:"source"`
	Tag    string `json:"tag,omitempty"`
}

// Acquire returns the file tree of a runtime: a directory, an archive or an image's layout by its path, or one that has
// been added under a name. A directory is used as it is, unless it is one of Steam's runtimes, which are not whole. What must
// be unpacked is, once; others that want the same meanwhile wait.
func (s *Store) Acquire(name string, progress Progress) (*Held, error) {
	dir, src, err := find(name)
	if errors.Is(err, fs.ErrNotExist) && validName(name) {
		if err := s.settle(); err != nil {
			return nil, err
		}
		if s.shared != nil {
			return nil, fault.WithHint(fmt.Errorf("%w %s: names count in a cache of this user's own alone: %w", ErrName, name, s.shared), hintShared)
		}
		h, known, err := s.named(name)
		if known || err != nil {
			return h, err
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.WithHint(fmt.Errorf("runtime %s: %w", name, fs.ErrNotExist),
			"give --runtime a directory, an archive or an OCI image layout, or a name that `capsule-run runtime list` shows")
	case err != nil:
		return nil, err
	case src == nil:
		dir = locate(dir)
		if src, err = mtreeSource(dir); src == nil || err != nil {
			return &Held{Dir: dir}, err
		}
	}
	return s.unpacked(src, progress)
}

const hintShared = "give --runtime the archive or a directory, or set XDG_CACHE_HOME to a directory of your own"

// named returns the tree of a name; known says that there is such a name.
func (s *Store) named(name string) (h *Held, known bool, err error) {
	target, err := os.Readlink(s.name(name))
	if err != nil {
		return nil, false, nil
	}
	h, err = s.hold(filepath.Base(target))
	if err == nil && h == nil {
		err = fault.WithHint(fmt.Errorf("%w %s: its file tree is gone from %s", ErrName, name, s.dir),
			"add it again: capsule-run runtime add "+name+" SOURCE")
	}
	return h, true, err
}

func (s *Store) name(name string) string { return filepath.Join(s.dir, "names", name) }
func (s *Store) entry(id string) string  { return filepath.Join(s.dir, "trees", id) }

// hold takes a tree that is there and complete; nil if it is not.
func (s *Store) hold(id string) (*Held, error) {
	if s.worn(id) {
		if err := s.remove(id, nil); err != nil && !errors.Is(err, ErrInUse) { // then it has to do
			return nil, err
		}
	}
	if !s.complete(id) {
		return nil, nil
	}
	lock, err := s.lock(id, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	if !s.complete(id) { // removed while we waited
		lock.Close()
		return nil, nil
	}
	now := time.Now()
	os.Chtimes(lock.Name(), now, now) // the last use; a cache that cannot be written to is used all the same
	return &Held{Dir: locate(filepath.Join(s.entry(id), "tree")), lock: lock}, nil
}

func (s *Store) complete(id string) bool {
	_, err := os.Lstat(filepath.Join(s.entry(id), "record.json"))
	return err == nil && trust.MineAt(s.entry(id)) == nil
}

// worn says whether a tree is too old to be used, so that it is made again.
func (s *Store) worn(id string) bool {
	info, err := os.Lstat(filepath.Join(s.entry(id), "record.json"))
	return s.lasting != 0 && err == nil && time.Since(info.ModTime()) > s.lasting
}

// lock opens and locks an entry's lock file. A file that was removed before we had the lock is no lock: then again.
func (s *Store) lock(id string, how int) (*os.File, error) {
	if err := trust.Own(filepath.Join(s.dir, "trees"), 0o700); err != nil {
		return nil, s.failed(err)
	}
	for try := 0; ; try++ {
		// NFS gives exclusive locks to writers alone (flock(2)).
		const flags = os.O_CREATE | unix.O_NOFOLLOW | unix.O_NONBLOCK
		f, err := os.OpenFile(s.entry(id)+".lock", os.O_RDWR|flags, 0o600)
		if errors.Is(err, unix.EROFS) {
			f, err = os.OpenFile(s.entry(id)+".lock", os.O_RDONLY|flags, 0o600)
		}
		if err != nil {
			return nil, s.failed(err)
		}
		// One that others may open is one that they may hold for ever. Some file systems give all
		// files one mode.
		if info, err := f.Stat(); try == 0 && (err != nil || info.Mode().Perm()&0o077 != 0 || trust.Mine(f) != nil) {
			f.Close()
			if err := os.Remove(s.entry(id) + ".lock"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, s.failed(err)
			}
			continue
		}
		if err := flock(f, how); err != nil {
			f.Close()
			return nil, err
		}
		var mine, there unix.Stat_t
		if unix.Fstat(int(f.Fd()), &mine) == nil && unix.Lstat(f.Name(), &there) == nil && mine.Ino == there.Ino {
			return f, nil
		}
		f.Close()
	}
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return ErrInUse
		default:
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// unpacked returns the tree of a source, and makes it first if need be.
func (s *Store) unpacked(src *source, progress Progress) (*Held, error) {
	if err := s.settle(); err != nil {
		return nil, err
	}
	if s.used != nil {
		s.used()
	}
	for {
		if h, err := s.hold(src.id); h != nil || err != nil {
			return h, err
		}
		if err := s.unpack(src, progress); err != nil {
			return nil, err
		}
	}
}

// unpack makes an entry, unless another process has just done so. What fails leaves nothing.
func (s *Store) unpack(src *source, progress Progress) error {
	lock, err := s.lock(src.id, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	if s.complete(src.id) {
		return nil
	}
	s.collect()
	untar.RemoveAll(s.entry(src.id)) // what a killed process left
	stop := catchInterruptions()
	src.stop = stop
	err = s.fill(src, progress)
	asked := stop.end()
	if errors.Is(err, errInterrupted) { // who was reading when it came means nothing to a person
		asked = interrupted(fault.ExitCode(err))
	}
	if asked != nil {
		err = fmt.Errorf("%s %w: %w", src.known(), ErrArchive, asked)
	}
	if err != nil {
		untar.RemoveAll(s.entry(src.id))
		os.Remove(lock.Name())
		return fault.WithHint(fmt.Errorf("runtime %w", err), hintUnpack(err, s.dir))
	}
	return nil
}

func hintUnpack(err error, dir string) string {
	switch {
	case fault.Hint(err) != "":
		return fault.Hint(err)
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return "free some space below " + dir + ", or set XDG_CACHE_HOME to a directory on another file system"
	case errors.Is(err, ErrArchive):
		return hintArchive(err)
	}
	return "runtimes are unpacked below " + dir + "; XDG_CACHE_HOME names another place"
}

// failed says that the store itself cannot be used.
func (s *Store) failed(err error) error {
	return fault.WithHint(fmt.Errorf("cache of runtimes: %w", err), hintUnpack(err, s.dir))
}

func (s *Store) fill(src *source, progress Progress) error {
	tree := filepath.Join(s.entry(src.id), "tree")
	for _, dir := range []string{s.entry(src.id), tree} { // one that is there still is somebody else's
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	switch {
	case src.oci:
		if err := unpackImage(src, tree, progress); err != nil {
			return err
		}
	case src.mtree:
		if err := unpackMtree(src, tree, progress); err != nil {
			return err
		}
	default:
		if err := unpackTar(src, tree, progress); err != nil {
			return err
		}
		if isLayout(tree) { // an archive of a layout: skopeo's and podman's oci-archive
			if err := s.unpackInner(src, tree, progress); err != nil {
				return err
			}
		} else if isDockerArchive(tree) {
			return fault.WithHint(fmt.Errorf("%s %w: it is an image in Docker's own format", src.path, ErrArchive), hintDocker)
		} else if src.tag != "" {
			return errNoTags(src.path + ":" + src.tag)
		}
	}
	if err := flush(tree); err != nil {
		return err
	}
	text, err := json.Marshal(record{Source: src.known(), Tag: src.tag})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.entry(src.id), "record.json"), text, 0o600)
}

// syncfs is replaced by tests.
var syncfs = unix.Syncfs

// flush writes a tree to the disk: after a power cut there may be the record, written later, and of
// files nothing but their names.
func flush(tree string) error {
	fd, err := unix.Open(filepath.Dir(tree), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(tree), Err: err}
	}
	defer unix.Close(fd)
	if err := syncfs(fd); err != nil {
		return &os.PathError{Op: "syncfs", Path: tree, Err: err}
	}
	return nil
}

// unpackInner replaces a layout in tree by the image in it.
func (s *Store) unpackInner(src *source, tree string, progress Progress) error {
	packed := filepath.Join(s.entry(src.id), "layout")
	if err := os.Rename(tree, packed); err != nil {
		return err
	}
	defer untar.RemoveAll(packed)
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	inner, err := layoutSource(packed, src.tag, true)
	if err == nil {
		inner.stop = src.stop
		err = unpackImage(inner, tree, progress)
	}
	if err != nil {
		// The person knows the archive, not where we have unpacked it.
		return fault.WithHint(&renamed{err, packed, src.path},
			strings.ReplaceAll(fault.Hint(err), packed, src.path))
	}
	return nil
}

// renamed is an error whose text names another path.
type renamed struct {
	error
	from, to string
}

func (r *renamed) Error() string { return strings.ReplaceAll(r.error.Error(), r.from, r.to) }
func (r *renamed) Unwrap() error { return r.error }
