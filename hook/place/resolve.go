package place

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openIn opens a path as the container's own programs would: "/", ".." and absolute links stay inside its root, links of
// /proc to open files are refused.
func (c *Container) openIn(name string, flags int) (*os.File, error) {
	return openAt(c.Root, name, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// openAt opens a path inside a directory; the file's name is the container's path, for messages.
func openAt(dir *os.File, name string, flags int, resolve uint64) (*os.File, error) {
	fd, err := openat2(dir, name, flags, resolve)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "the container's /" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), "/"+name), nil
}

// OpenDir opens a directory, whatever its permissions, as a process finds it whose root directory
// is from.
func OpenDir(from *os.File, name string) (*os.File, error) {
	const inside = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	fd, err := openat2(from, name, unix.O_PATH|unix.O_DIRECTORY, inside)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), ""), nil
}

func openat2(dir *os.File, name string, flags int, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	for range 1000 { // a rename or mount elsewhere raced with ".."
		fd, err := unix.Openat2(int(dir.Fd()), name, &how)
		if err != unix.EAGAIN && err != unix.EINTR {
			return fd, err
		}
	}
	return -1, ErrMoved
}

// entry opens a name in a directory, without following it if it is a link. The error is os.ErrNotExist or ErrLink.
func entry(dir *os.File, name string) (*os.File, uint32, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	full := dir.Name() + "/" + name
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: "the container's " + full, Err: err}
	}
	f := os.NewFile(uintptr(fd), full)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("stat the container's %s: %w", full, err)
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFLNK {
		f.Close()
		return nil, 0, fmt.Errorf("the container's %s: %w", full, ErrLink)
	}
	return f, kind, nil
}

// makeDir opens a directory below another, and makes it where it is missing.
func (c *Container) makeDir(parent *os.File, name string) (*os.File, error) {
	f, kind, err := entry(parent, name)
	if errors.Is(err, os.ErrNotExist) {
		if err := c.mayCreate(parent, name); err != nil {
			return nil, err
		}
		if err := asOwner(parent, func() error { return unix.Mkdirat(int(parent.Fd()), name, 0o755) }); err != nil {
			return nil, &os.PathError{Op: "mkdir", Path: "the container's " + parent.Name() + "/" + name, Err: err}
		}
		c.later(parent, func(up *os.File) error { return unix.Unlinkat(int(up.Fd()), name, unix.AT_REMOVEDIR) })
		f, kind, err = entry(parent, name)
	}
	if err != nil {
		return nil, err
	}
	if kind != unix.S_IFDIR {
		defer f.Close()
		return nil, fmt.Errorf("the container's %s is no directory", f.Name())
	}
	return f, nil
}

// makeFile makes an empty file; it must not exist.
func (c *Container) makeFile(parent *os.File, name string, mode uint32) error {
	if err := c.mayCreate(parent, name); err != nil {
		return err
	}
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_RDONLY | unix.O_CLOEXEC
	var fd int
	err := asOwner(parent, func() (err error) {
		fd, err = unix.Openat(int(parent.Fd()), name, flags, mode)
		return err
	})
	if err != nil {
		return &os.PathError{Op: "create", Path: "the container's " + parent.Name() + "/" + name, Err: err}
	}
	unix.Close(fd)
	c.later(parent, func(up *os.File) error { return unix.Unlinkat(int(up.Fd()), name, 0) })
	return nil
}

// asOwner creates something in a directory: as who we are, or, where the file system belongs to a user namespace that has no
// number for us (EOVERFLOW), as the directory's owner. Only the calling thread changes.
func asOwner(dir *os.File, create func() error) error {
	err := create()
	if err != unix.EOVERFLOW {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	uid, gid := unix.Geteuid(), unix.Getegid()
	// The group first: a user id that is not 0 loses the right to change it.
	if err = unix.Setfsgid(int(st.Gid)); err == nil {
		if err = unix.Setfsuid(int(st.Uid)); err == nil {
			err = create()
		}
	}
	return errors.Join(err, unix.Setfsuid(uid), unix.Setfsgid(gid))
}

// later notes how something is undone in a directory, whose descriptor may be closed by then.
func (c *Container) later(dir *os.File, undo func(dir *os.File) error) {
	fd, err := unix.FcntlInt(dir.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		c.undo = append(c.undo, func() error { return err })
		return
	}
	held := os.NewFile(uintptr(fd), dir.Name())
	c.undo = append(c.undo, func() error {
		defer held.Close()
		if err := undo(held); err != nil {
			return fmt.Errorf("%s: %w", dir.Name(), err)
		}
		return nil
	})
}
