package runtimes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// Steam's runtimes, as the client installs them, are not whole: its depots have no symbolic links and no empty files, and
// hard links and some names are others. What is missing is described by usr-mtree.txt.gz beside files/, of which
// pressure-vessel makes a whole tree for each launch (populate-depot.py and pressure-vessel/mtree.c of steam-runtime-tools);
// the description is the part of mtree(5) that those two write and read. Here it becomes an entry of the store, once.

// mtreeFiles are the description's names, in the order in which they are looked for.
var mtreeFiles = []string{"usr-mtree.txt.gz", "usr-mtree.txt"}

// mtreeSource knows a directory with such a description.
func mtreeSource(dir string) (*source, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range mtreeFiles {
		p := filepath.Join(abs, name)
		if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() {
			return &source{path: p, size: info.Size(), id: archiveKey(p, "", info), mtree: true}, nil
		}
	}
	return nil, nil
}

// unpackMtree makes dir/files of a source.
func unpackMtree(s *source, dir string, progress Progress) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	depot, err := openDepot(filepath.Dir(s.path))
	if err != nil {
		return damagedMtree(s, err)
	}
	defer depot.Close()
	m := &mtreeWriter{depot: depot, top: filepath.Join(dir, "files"), dirs: map[string]bool{".": true}, stop: s.stop}
	if err := os.Mkdir(m.top, 0o755); err != nil {
		return err
	}
	err = m.writeAll(&counter{r: f, what: filepath.Dir(s.path), total: s.size, progress: progress})
	if errors.Is(err, errMtree) {
		return damagedMtree(s, err)
	}
	if errors.Is(err, errInterrupted) {
		return fmt.Errorf("%s %w: %w", filepath.Dir(s.path), ErrArchive, err)
	}
	return err
}

func damagedMtree(s *source, err error) error {
	return fault.WithHint(fmt.Errorf("%s %w: %w", s.path, ErrArchive, err),
		"let Steam look at the files: in its library, the runtime's properties, Installed Files, Verify integrity")
}

// openDepot opens files/ of a runtime. A link out of the runtime is none: what is there would be the
// program's to read.
func openDepot(dir string) (*os.Root, error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	depot, err := top.OpenRoot("files")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMtree, err)
	}
	return depot, nil
}

// errMtree says that a description is wrong, or that the files are not those that it describes.
var errMtree = errors.New("the runtime is damaged")

// mtreeWriter makes files in a tree that was empty and that nobody else writes to. An entry's parent is always a directory
// that it has made itself, so that no link of the description is ever followed.
type mtreeWriter struct {
	depot *os.Root
	top   string
	dirs  map[string]bool
	files int // and directories
	stop  interruptions
}

func (m *mtreeWriter) writeAll(compressed io.Reader) error {
	r, err := decompress(compressed)
	if err != nil {
		return fmt.Errorf("%w: %w", errMtree, err)
	}
	defer r.Close()
	limited := &io.LimitedReader{R: r, N: maxMtree}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxMtreeLine)
	for n := 1; lines.Scan(); n++ {
		e, err := parseMtree(lines.Text())
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", errMtree, n, err)
		}
		if e.name == "" {
			continue
		}
		if err := m.stop.pending(); err != nil { // here, for all of the description may have been read ahead
			return err
		}
		if err := m.write(&e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", errMtree, err)
	}
	if limited.N == 0 {
		return fmt.Errorf("%w: more than %d bytes of description", errMtree, maxMtree)
	}
	return nil
}

func (m *mtreeWriter) write(e *mtreeEntry) error {
	if err := m.mkdir(path.Dir(e.name)); err != nil {
		return err
	}
	to := filepath.Join(m.top, e.name)
	if e.kind != "dir" {
		if err := m.count(); err != nil {
			return err
		}
	}
	var err error
	switch e.kind {
	case "dir":
		return m.mkdir(e.name)
	case "link":
		err = os.Symlink(e.link, to)
	default:
		err = m.file(e, to)
	}
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %s is there twice", errMtree, e.name)
	}
	return err
}

func (m *mtreeWriter) count() error {
	if m.files++; m.files > maxMtreeFiles {
		return fmt.Errorf("%w: more than %d files", errMtree, maxMtreeFiles)
	}
	return nil
}

func (m *mtreeWriter) mkdir(name string) error {
	if m.dirs[name] {
		return nil
	}
	if err := m.mkdir(path.Dir(name)); err != nil {
		return err
	}
	if err := m.count(); err != nil {
		return err
	}
	err := os.Mkdir(filepath.Join(m.top, name), 0o755)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s is no directory", errMtree, name)
	}
	m.dirs[name] = err == nil
	return err
}

// file makes a file by a hard link to the depot's, as pressure-vessel does, where that has the right mode and file system;
// else it is a copy.
func (m *mtreeWriter) file(e *mtreeEntry, to string) error {
	mode := os.FileMode(0o644)
	if e.exec {
		mode = 0o755
	}
	if e.size == 0 {
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		return f.Close()
	}
	f, err := m.depot.OpenFile(e.contents, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && e.optional {
			return nil
		}
		return fmt.Errorf("%w: %w", errMtree, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || e.size > 0 && info.Size() != e.size {
		return fmt.Errorf("%w: %s is not the file of %d bytes that it was", errMtree, e.contents, e.size)
	}
	if (info.Mode()&0o111 != 0) == e.exec {
		err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW)
		if err == nil || err == unix.EEXIST {
			return err
		}
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, interruptible{f, m.stop})
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil && !e.time.IsZero() {
		err = os.Chtimes(to, e.time, e.time) // Python's caches name their source's time
	}
	return err
}
