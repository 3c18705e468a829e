package mount

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// A room is a directory of the runtime in which later operations need a place: a directory or file
// that a mount can be put on, or a link. Nobody writes to a runtime, so the directory that programs
// see is made of two: one of ours on the base tmpfs, which has the places and is complete before
// anything is mounted, and the runtime's.
//
// overlayfs does that with one mount (in a user namespace since Linux 5.11, the new mount API needs
// 5.12 anyway). It shows nothing of what is mounted below the runtime's directory, some file
// systems cannot be a layer, and layers nest only so deep. Where any of this is in the way, the
// room is a tmpfs with a mount for each entry of the runtime's directory, which looks the same and
// costs some 15 µs an entry.

func (b *builder) room(op Op, later []Op, from int) error {
	dir, err := b.dir(op.Target, op.mode())
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if own, err := b.isOurs(dir); err != nil || own {
		return fail("stat the target", err)
	}
	target := path.Clean(op.Target)
	top := b.places(target, later, from)
	if len(top.below) == 0 {
		return nil
	}
	b.parent.forget()
	if b.overlay(dir, target, top) == nil {
		return nil
	}
	return b.compose(dir, target, top)
}

// layer makes a directory on the base tmpfs, which is the process's root now.
func (b *builder) layer(kind string) (string, int, error) {
	b.layers++
	name := fmt.Sprintf("/%s%d", kind, b.layers) // without a colon or a backslash, which are separators in an overlay's list
	if err := unix.Mkdir(name, 0o755); err != nil {
		return "", -1, err
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return name, fd, err
}

// overlay mounts two layers on the directory: a new one with the places, and below it the directory
// itself.
func (b *builder) overlay(dir int, target string, top *place) error {
	if below, err := b.mountsBelow(dir); err != nil || below {
		return errors.Join(err, unix.EBUSY)
	}
	runtime, fd, err := b.layer("runtime")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := b.calls.bind(dir, fd, "", Op{}, true); err != nil {
		return err
	}
	ours, fd, err := b.layer("ours")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := b.fill(fd, dir, target, top, nil); err != nil {
		return err
	}
	return b.calls.overlay(ours+":"+runtime, dir)
}

// mountsBelow says whether anything is mounted below a directory. Root would lose it. Who is not
// root is in a user namespace, where the kernel lets nobody uncover what mounts from outside hide,
// and refuses the directory as a layer.
func (b *builder) mountsBelow(dir int) (bool, error) {
	if os.Geteuid() != 0 {
		return false, nil
	}
	self, err := inroot.Open(b.old, "/proc/self", unix.O_DIRECTORY)
	if err != nil {
		return false, err
	}
	defer unix.Close(self)
	if b.mounted == nil {
		if b.mounted, err = readMountPoints(self, "mountinfo"); err != nil {
			return false, err
		}
	}
	at, err := linkText(self, fmt.Sprintf("fd/%d", dir))
	return slices.ContainsFunc(b.mounted, func(p string) bool { return strings.HasPrefix(p, at+"/") }), err
}

// compose mounts on the directory a tmpfs with the places and each of the directory's entries. It
// is put together elsewhere, so that links lead until then where they lead in the runtime.
func (b *builder) compose(dir int, target string, top *place) error {
	name, fd, err := b.layer("composed")
	if err != nil {
		return fail("make a directory on the tmpfs", err)
	}
	defer unix.Close(fd)
	if err := b.calls.tmpfs(fd, 0o755); err != nil {
		return fail("mount tmpfs", err)
	}
	ours, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open the mounted tmpfs", err)
	}
	defer unix.Close(ours)
	if err := b.fill(ours, dir, target, top, b.repeat); err != nil {
		return err
	}
	if err := b.calls.move(name, dir); err != nil {
		return fail("move the tmpfs", err)
	}
	b.composed = append(b.composed, target) // closed against writes when all is in place
	return fail("stat the mounted tmpfs", b.adopt(ours))
}

// fill makes the places below p in the directory ours, where the runtime's directory, at in the new
// root, does not have them already. rest is called for each entry of the runtime's that no place
// has the name of; nil: they show by themselves.
func (b *builder) fill(ours, theirs int, at string, p *place, rest func(ours, theirs int, at, name string) error) error {
	for _, name := range slices.Sorted(maps.Keys(p.below)) {
		if err := b.fillOne(ours, theirs, path.Join(at, name), p.below[name], rest); err != nil {
			return err
		}
	}
	if rest == nil || theirs < 0 {
		return nil
	}
	names, err := entries(theirs)
	if err != nil {
		return fail("read "+at, err)
	}
	for _, name := range names {
		if p.below[name] == nil {
			if err := rest(ours, theirs, at, name); err != nil {
				return fail("show "+path.Join(at, name), err)
			}
		}
	}
	return nil
}

func (b *builder) fillOne(ours, theirs int, at string, p *place, rest func(ours, theirs int, at, name string) error) error {
	name := path.Base(at)
	have, err := kindOf(theirs, name)
	if err != nil {
		return fail("stat "+at, err)
	}
	switch p.kind {
	case isLink:
		b.made[p.op] = true
		return fail("make link", unix.Symlinkat(b.ops[p.op].Text, ours, name))
	case isFile:
		b.made[p.op] = true
		return writeFile(ours, name, b.ops[p.op])
	case forFile:
		if rest == nil && have == unix.S_IFREG {
			return nil
		}
		return fail("create target", unix.Mknodat(ours, name, unix.S_IFREG|0o444, 0))
	}
	if p.kind == forDir && len(p.below) == 0 { // a mount will hide what is there
		if rest == nil && have == unix.S_IFDIR {
			return nil
		}
		return fail("make directory", unix.Mkdirat(ours, name, 0o755))
	}
	next := -1
	switch have {
	case unix.S_IFDIR:
		if next, err = unix.Openat(theirs, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
			return fail("open "+at, err)
		}
		defer unix.Close(next)
	case unix.S_IFLNK:
		// A place behind a link of the runtime (/var/run -> /run) needs nothing here if it leads to
		// a directory of ours. Else a directory stands in the link's place, with links to what the
		// link shows.
		if next, err = inroot.Open(b.root, at, unix.O_DIRECTORY); err != nil {
			next = -1
			break
		}
		defer unix.Close(next)
		if own, err := b.isOurs(next); err != nil || own && p.kind == onTheWay {
			if err == nil && rest != nil {
				err = rest(ours, theirs, path.Dir(at), name)
			}
			return fail("keep the link "+at, err)
		}
		text, err := linkText(theirs, name)
		if err != nil {
			return fail("read the link "+at, err)
		}
		if !path.IsAbs(text) {
			text = path.Join(path.Dir(at), text)
		}
		rest = func(ours, _ int, _, name string) error {
			return unix.Symlinkat(path.Join(text, name), ours, name)
		}
	}
	if err := unix.Mkdirat(ours, name, 0o755); err != nil {
		return fail("make directory", err)
	}
	into, err := unix.Openat(ours, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open "+at, err)
	}
	defer unix.Close(into)
	return b.fill(into, next, at, p, rest)
}

// repeat shows an entry of the runtime's directory in ours: a link as the same link, all else by a
// mount. The directory is mounted read-only, and so are clones of it.
func (b *builder) repeat(ours, theirs int, _, name string) error {
	kind, err := kindOf(theirs, name)
	if err != nil || kind == 0 {
		return err
	}
	switch kind {
	case unix.S_IFLNK:
		text, err := linkText(theirs, name)
		if err != nil {
			return err
		}
		return unix.Symlinkat(text, ours, name)
	case unix.S_IFDIR:
		err = unix.Mkdirat(ours, name, 0o755)
	default:
		err = unix.Mknodat(ours, name, unix.S_IFREG|0o444, 0)
	}
	if err != nil {
		return err
	}
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	src, err := unix.Openat(theirs, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	dst, err := unix.Openat(ours, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	return b.calls.bind(src, dst, "", Op{Recursive: true}, kind == unix.S_IFDIR)
}

// entries lists a directory.
func entries(dir int) ([]string, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	return f.Readdirnames(-1)
}

func linkText(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	return string(buf[:max(n, 0)]), err
}
