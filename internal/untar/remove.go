package untar

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

var errMark = errors.New("a mark of no file")

// whiteout takes away what the layers below have at the end of a way under a name, or, by the mark
// for it, all of it.
func (t *Tree) whiteout(w *way, hidden string) error {
	switch hidden {
	case "", ".", "..":
		return errMark
	}
	at := w.last()
	if at.fd < 0 || t.layer == 1 {
		return nil
	}
	if hidden == ".wh..opq" {
		return t.hideAll(at)
	}
	return t.hide(at, hidden)
}

// hide removes what is under a name, but for what this layer has.
func (t *Tree) hide(at *step, name string) error {
	if !at.dir.has(name, t.layer) {
		return remove(at, name)
	}
	sub := at.dir.sub[name]
	if sub == nil {
		return nil
	}
	fd, err := openat(at.fd, name, openDir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return t.hideAll(&step{name, sub, fd})
}

func (t *Tree) hideAll(at *step) error {
	if at.dir.only == t.layer {
		return nil
	}
	names, err := list(at.fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.hide(at, name); err != nil {
			return err
		}
	}
	at.dir.only = t.layer
	return nil
}

// remove removes what is under a name in a directory of the tree, if something is.
func remove(at *step, name string) error {
	if err := removeAt(at.fd, name); err != nil {
		return err
	}
	delete(at.dir.sub, name)
	return nil
}

// RemoveAll removes a directory and all in it. Modes of directories, which are the owner's, do not
// matter: images have some that nobody may write to or read.
func RemoveAll(name string) error {
	parent, err := openat(unix.AT_FDCWD, filepath.Dir(name), unix.O_PATH|unix.O_DIRECTORY)
	if err == unix.ENOENT {
		return nil
	}
	if err == nil {
		defer unix.Close(parent)
		err = removeAt(parent, filepath.Base(name))
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func removeAt(at int, name string) error {
	err := unix.Unlinkat(at, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.EISDIR {
		return err
	}
	fd, err := openOwn(at, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := list(fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := removeAt(fd, n); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return unix.Unlinkat(at, name, unix.AT_REMOVEDIR)
}

// openOwn opens a directory in which its owner may do nothing, perhaps, and changes that.
func openOwn(at int, name string) (int, error) {
	path, err := openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return -1, err
	}
	defer unix.Close(path)
	var st unix.Stat_t
	if err := unix.Fstat(path, &st); err != nil {
		return -1, err
	}
	if st.Mode&0o700 != 0o700 { // by the descriptor; fchmod takes none of this kind
		if err := unix.Fchmodat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(path), 0o700, 0); err != nil {
			return -1, err
		}
	}
	return openat(path, ".", unix.O_RDONLY|unix.O_DIRECTORY)
}

// list returns the names in a directory.
func list(dir int) ([]string, error) {
	fd, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	return f.Readdirnames(-1)
}
