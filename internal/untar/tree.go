package untar

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of what archives make; no image that was ever seen comes near.
const (
	// maxFiles bounds the entries of all layers together, and the directories that are made for
	// them: inodes of the disk, and names in memory.
	maxFiles = 2 << 20
	// maxSparse bounds what all files with holes have together, in bytes: a few bytes of an
	// archive are as many zeros to read.
	maxSparse = 1 << 40
	// maxDepth bounds directories in directories: each is an open descriptor while something is
	// done in the last of them.
	maxDepth = 256
	// maxSteps bounds the names of an entry's path, with those of the links on the way.
	maxSteps = 1024
	// maxWalked bounds the names of the paths of all entries, with those of the links: a thousand
	// each would take hours.
	maxWalked = 32 * maxFiles
	// maxLinks is how many links one path may lead over, as in Linux (MAXSYMLINKS,
	// include/linux/namei.h).
	maxLinks = 40
	// maxPath is PATH_MAX, with the byte for the end.
	maxPath = 4096
)

// Tree is a directory that archives are unpacked to.
type Tree struct {
	root   step
	layer  int // which one is unpacked, from 1
	files  int
	walked int // names
	sparse int64
	piece  [hole]byte
}

// directory is what must be known of a directory until all is unpacked. Every directory of the tree
// has one: nobody else makes any.
type directory struct {
	sub map[string]*directory
	// meta is what an archive says of it, which is applied at the end: it may be closed against
	// what is yet to come.
	meta *meta
	// upper are the names that the layer has made, but for directories, of which each knows its
	// layer: the last that has made it or leads through it. So chains of them take less memory.
	upper   map[string]struct{}
	layer   int // of upper
	through int // the layer
	// only is the layer whose marks have taken away all that is of another: there is nothing more
	// to look for, however many marks follow.
	only int
}

// meta is what is kept of a header, which may be of a megabyte.
type meta struct {
	mode uint32
	time time.Time
}

func metaOf(h *tar.Header) *meta { return &meta{uint32(h.Mode) & 0o7777, h.ModTime} }

// mark notes that the layer has a name. In the first one nobody asks.
func (d *directory) mark(name string, layer int) {
	if layer == 1 {
		return
	}
	if sub := d.sub[name]; sub != nil {
		sub.through = layer
		return
	}
	if d.layer != layer {
		d.layer, d.upper = layer, map[string]struct{}{}
	}
	d.upper[strings.Clone(name)] = struct{}{} // a part of a longer one, which need not be kept
}

func (d *directory) has(name string, layer int) bool {
	if sub := d.sub[name]; sub != nil {
		return sub.through == layer
	}
	if d.layer != layer {
		return false
	}
	_, ok := d.upper[name]
	return ok
}

// Open opens a directory, which must be empty.
func Open(name string) (*Tree, error) {
	fd, err := openat(unix.AT_FDCWD, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return &Tree{root: step{dir: &directory{}, fd: fd}}, nil
}

// Layer unpacks an archive over what is there. The content of its entries is read from data, which
// is the archive or wraps it.
func (t *Tree) Layer(archive *tar.Reader, data io.Reader) error {
	t.layer++
	for {
		h, err := archive.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeXGlobalHeader: // of git archive: a comment
			continue
		}
		if err := t.next(h, data); err != nil {
			return err
		}
	}
}

func (t *Tree) next(h *tar.Header, data io.Reader) error {
	err := t.count()
	if err == nil {
		err = t.entry(h, data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

func (t *Tree) count() error {
	if t.files++; t.files > maxFiles {
		return fmt.Errorf("more than %d files", maxFiles)
	}
	return nil
}

// Finish gives the directories their modes and times, when all layers are unpacked.
func (t *Tree) Finish() error { return finish(t.root) }

// Close lets go of the directory.
func (t *Tree) Close() error { return unix.Close(t.root.fd) }

func finish(s step) error {
	for name, sub := range s.dir.sub {
		fd, err := openat(s.fd, name, openDir)
		if err == nil {
			err = finish(step{name, sub, fd})
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if s.dir.meta == nil {
		return nil
	}
	// The time comes first: by the name "." a directory without its x bit is not found.
	if err := setTime(s.fd, ".", s.dir.meta.time); err != nil {
		return err
	}
	return unix.Fchmod(s.fd, s.dir.meta.mode)
}

var errRoot = errors.New("the top of an archive must be a directory")

// entry makes what an entry says.
func (t *Tree) entry(h *tar.Header, data io.Reader) error {
	name := path.Clean("/" + h.Name)[1:]
	if name == "" {
		if h.Typeflag != tar.TypeDir {
			return errRoot
		}
		t.root.dir.meta = metaOf(h)
		return setAttributes(t.root.fd, h, false)
	}
	w, err := t.resolve(path.Dir(name))
	if err != nil {
		return err
	}
	defer w.close()
	base := path.Base(name)
	if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
		return t.whiteout(w, hidden)
	}
	if err := w.make(); err != nil {
		return err
	}
	at := w.last()
	switch h.Typeflag {
	case tar.TypeDir:
		err = t.makeDir(at, base, h)
	case tar.TypeLink:
		err = t.link(at, base, h.Linkname)
	case tar.TypeSymlink:
		if err = remove(at, base); err == nil {
			err = unix.Symlinkat(h.Linkname, at.fd, base)
		}
		if err == nil {
			err = setTime(at.fd, base, h.ModTime)
		}
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if err = remove(at, base); err == nil {
			err = t.file(at, base, h, data)
		}
	default:
		err = fmt.Errorf("entry of the unknown type %q", h.Typeflag)
	}
	if err != nil {
		return err
	}
	w.mark(base)
	return nil
}

// makeDir makes a directory, or keeps the one that is there, with what is in it.
func (t *Tree) makeDir(at *step, base string, h *tar.Header) error {
	sub, fresh := at.dir.sub[base], false
	if sub == nil {
		var err error
		if sub, err = at.mkdir(base); err != nil {
			return err
		}
		fresh = true
	}
	sub.meta = metaOf(h)
	fd, err := openat(at.fd, base, openDir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return setAttributes(fd, h, fresh)
}

// link makes a hard link, to a symbolic link too. What it is to lead to is found below the top, as
// the parent was.
func (t *Tree) link(at *step, base, target string) error {
	target = path.Clean("/" + target)[1:]
	if target == "" {
		return fmt.Errorf("link to the top: %w", unix.EPERM)
	}
	w, err := t.resolve(path.Dir(target))
	if err != nil {
		return fmt.Errorf("link to %s: %w", target, err)
	}
	defer w.close()
	from, last := w.last(), path.Base(target)
	if from.fd < 0 {
		return fmt.Errorf("link to %s: %w", target, unix.ENOENT)
	}
	var old, there unix.Stat_t
	if err := unix.Fstatat(from.fd, last, &old, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("link to %s: %w", target, err)
	}
	if old.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("link to %s: %w", target, unix.EISDIR)
	}
	err = unix.Fstatat(at.fd, base, &there, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && old.Dev == there.Dev && old.Ino == there.Ino {
		return nil // to itself, or said twice: to remove it first would lose it
	}
	if err := remove(at, base); err != nil {
		return err
	}
	if err := unix.Linkat(from.fd, last, at.fd, base, 0); err != nil {
		return fmt.Errorf("link to %s: %w", target, err)
	}
	return nil
}
