package mount

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// newCalls mounts with the API of Linux 5.2 (fsopen, open_tree, move_mount) and 5.12 (mount_setattr): a mount is made
// detached, gets its attributes, and only then becomes visible, so a read-only bind is at no moment writable.
type newCalls struct{}

func (newCalls) close() {}

// newTmpfs returns a descriptor of a detached tmpfs. It is mounted nosuid and nodev: what it holds is ours.
func newTmpfs(mode uint32) (int, error) {
	return newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, "mode", fmt.Sprintf("%o", mode))
}

// newFS returns a descriptor of a new, detached file system; options are names and values, of which
// a flag has none.
func newFS(kind string, attr int, options ...string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	for i := 0; i < len(options); i += 2 {
		set := func() error { return unix.FsconfigSetString(fs, options[i], options[i+1]) }
		if options[i+1] == "" {
			set = func() error { return unix.FsconfigSetFlag(fs, options[i]) }
		}
		if err := set(); err != nil {
			return -1, fmt.Errorf("fsconfig: %w", err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return -1, fmt.Errorf("fsmount: %w", err)
	}
	return fd, nil
}

func (newCalls) base() error {
	fd, err := newTmpfs(0o755)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return unix.Fchdir(fd)
}

func (newCalls) tmpfs(dir int, mode uint32) error {
	fd, err := newTmpfs(mode)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attach(fd, dir)
}

func (newCalls) newProc(dir int) error {
	fd, err := newFS("proc", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attach(fd, dir)
}

func attach(fd, dst int) error {
	return unix.MoveMount(fd, "", dst, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

func (newCalls) bind(src, dst int, _ string, op Op, isDir bool) error {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	at := uint(unix.AT_EMPTY_PATH)
	if op.Recursive && isDir {
		flags |= unix.AT_RECURSIVE
		at |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(src, "", flags)
	if err != nil {
		return fail("clone the source's mounts", err)
	}
	defer unix.Close(fd)
	if op.ReadOnly {
		// Private, or a file system that the host mounts below the source later would appear here, writable.
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}
		if err := unix.MountSetattr(fd, "", at, &attr); err != nil {
			return fail("make read-only", err)
		}
	}
	return fail("mount", attach(fd, dst))
}

func (newCalls) overlay(layers string, dst int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dst, &fs); err != nil {
		return fmt.Errorf("statfs: %w", err)
	}
	attr := unix.MOUNT_ATTR_RDONLY // and what the mount forbids that is covered: layers do not hand it on
	for st, a := range map[int64]int{unix.ST_NOSUID: unix.MOUNT_ATTR_NOSUID, unix.ST_NODEV: unix.MOUNT_ATTR_NODEV,
		unix.ST_NOEXEC: unix.MOUNT_ATTR_NOEXEC} {
		if int64(fs.Flags)&st != 0 {
			attr |= a
		}
	}
	// userxattr is what users need; it also keeps a runtime's trusted.overlay attributes from
	// meaning anything to root. xino would give files inode numbers of 64 bits, for which old
	// 32-bit programs have no room (EOVERFLOW of stat).
	fd, err := newFS("overlay", attr, "lowerdir", layers, "userxattr", "", "xino", "off")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attach(fd, dst)
}

func (newCalls) move(from string, dst int) error {
	return unix.MoveMount(unix.AT_FDCWD, from, dst, "", unix.MOVE_MOUNT_T_EMPTY_PATH)
}

func (newCalls) seal(fd int) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr)
}
