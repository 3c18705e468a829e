package mount

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// errNotOurs is a target that would have to be created on a file system that is not ours.
var errNotOurs = errors.New("the target is missing and its directory is not ours to write to")

// dirCache remembers the directory of the last target: plans name the files of one directory one after another.
type dirCache struct {
	path string
	fd   int
	own  bool // lies on a file system of ours
}

func (c *dirCache) forget() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.path, c.fd = "", -1
}

// adopt notes that the file system of fd is ours. Each tmpfs has a device number of its own.
func (b *builder) adopt(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	b.ours = append(b.ours, uint64(st.Dev))
	return nil
}

func (b *builder) isOurs(fd int) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	return slices.Contains(b.ours, uint64(st.Dev)), nil
}

// dir opens the directory target, making it and its parents where they are missing. The caller closes it.
func (b *builder) dir(target string, mode uint32) (int, error) {
	target = path.Clean(target)
	// From the full path upwards to what exists; links in that part are followed inside the new root.
	have, rest := target, []string(nil)
	var fd int
	for {
		var err error
		if fd, err = inroot.Open(b.root, have, unix.O_DIRECTORY); err == nil {
			break
		}
		if err != unix.ENOENT || have == "/" {
			return -1, fail("open "+have, err)
		}
		rest = append(rest, path.Base(have))
		have = path.Dir(have)
	}
	if len(rest) == 0 {
		return fd, nil
	}
	if own, err := b.isOurs(fd); err != nil || !own {
		unix.Close(fd)
		if err == nil {
			err = errNotOurs
		}
		return -1, fail("make directory", err)
	}
	// Downwards from there: what mkdirat has just made cannot be a link or a mount.
	for i := len(rest) - 1; i >= 0; i-- {
		m := uint32(0o755)
		if i == 0 {
			m = mode
		}
		have = path.Join(have, rest[i])
		err := unix.Mkdirat(fd, rest[i], m)
		if err == unix.EEXIST {
			err = fmt.Errorf("%s is a symbolic link that leads nowhere", have)
		}
		if err != nil {
			unix.Close(fd)
			return -1, fail("make directory", err)
		}
		next, err := unix.Openat(fd, rest[i], unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		if err != nil {
			return -1, fail("open "+have, err)
		}
		fd = next
	}
	return fd, nil
}

// dirOf returns the descriptor of target's directory, made if missing, and target's last component. The descriptor
// belongs to the cache.
func (b *builder) dirOf(target string) (int, string, error) {
	target = path.Clean(target)
	if target == "/" {
		return -1, "", fail("check the target", errors.New("the root itself cannot be replaced"))
	}
	d, base := path.Dir(target), path.Base(target)
	if b.parent.fd >= 0 && b.parent.path == d {
		return b.parent.fd, base, nil
	}
	b.parent.forget()
	fd, err := b.dir(d, 0o755)
	if err != nil {
		return -1, "", err
	}
	own, err := b.isOurs(fd)
	if err != nil {
		unix.Close(fd)
		return -1, "", fail("stat the target's directory", err)
	}
	b.parent = dirCache{d, fd, own}
	return fd, base, nil
}

// target opens what a bind is mounted on, an empty file or directory where nothing is there yet. The caller closes it.
func (b *builder) target(target string, isDir bool) (int, error) {
	if isDir {
		fd, err := b.dir(target, 0o755)
		if errors.Is(err, unix.ENOTDIR) {
			err = fail("open target", errors.New("a directory cannot be bound on a file"))
		}
		return fd, err
	}
	if strings.HasSuffix(target, "/") {
		return -1, fail("open target", errors.New("a file cannot be bound on a directory"))
	}
	parent, base, err := b.dirOf(target)
	if err != nil {
		return -1, err
	}
	own := b.parent.own
	if own {
		const flags = unix.O_CREAT | unix.O_EXCL | unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err := unix.Openat(parent, base, flags, 0o444)
		if err != unix.EEXIST {
			return fd, fail("create target", err)
		}
	}
	fd, err := inroot.Open(b.root, target, 0)
	if err == unix.ENOENT {
		if own {
			err = fmt.Errorf("%s is a symbolic link that leads nowhere", target)
		} else {
			err = errNotOurs
		}
	}
	if err != nil {
		return -1, fail("open target", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, fail("stat target", err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		unix.Close(fd)
		return -1, fail("open target", errors.New("a file cannot be bound on a directory"))
	}
	return fd, nil
}

func (b *builder) symlink(op Op) error {
	parent, base, err := b.dirOf(op.Target)
	if err != nil {
		return err
	}
	if text, err := linkText(parent, base); err == nil && text == op.Text {
		return nil
	}
	if parent, base, err = b.ownDirOf(op.Target); err != nil {
		return err
	}
	return fail("make link", unix.Symlinkat(op.Text, parent, base))
}

func (b *builder) file(op Op) error {
	parent, base, err := b.ownDirOf(op.Target)
	if err != nil {
		return err
	}
	return writeFile(parent, base, op)
}

func writeFile(dir int, name string, op Op) error {
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, flags, op.mode())
	if err != nil {
		return fail("create file", err)
	}
	defer unix.Close(fd)
	for text := []byte(op.Text); len(text) > 0; {
		n, err := unix.Write(fd, text)
		if err != nil {
			return fail("write file", err)
		}
		text = text[n:]
	}
	return nil
}

func (b *builder) ownDirOf(target string) (int, string, error) {
	parent, base, err := b.dirOf(target)
	if err != nil {
		return -1, "", err
	}
	if !b.parent.own {
		err = errNotOurs
	}
	return parent, base, fail("check the target's directory", err)
}
