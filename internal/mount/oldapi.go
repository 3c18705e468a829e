package mount

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// oldCalls mounts with mount(2), which knows paths only. Descriptors are named as self/fd/N relative to a descriptor
// of /proc, which is the working directory while mounts are made, so that no path is looked up a second time.
type oldCalls struct {
	proc int
}

func openOld() (calls, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("statfs /proc: %w", err)
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		unix.Close(fd)
		return nil, errors.New("/proc is not a proc file system")
	}
	return oldCalls{fd}, nil
}

func (c oldCalls) close() { unix.Close(c.proc) }

func name(fd int) string { return "self/fd/" + strconv.Itoa(fd) }

func (c oldCalls) base() error {
	if err := unix.Mount("tmpfs", "/", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return err
	}
	// "/" is still what it was; ".." of it goes up to the mount that lies on it now.
	return unix.Chdir("/..")
}

func (c oldCalls) tmpfs(dir int, mode uint32) error {
	if err := unix.Fchdir(c.proc); err != nil {
		return err
	}
	return unix.Mount("tmpfs", name(dir), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=%o", mode))
}

func (c oldCalls) newProc(dir int) error {
	if err := unix.Fchdir(c.proc); err != nil {
		return err
	}
	return unix.Mount("proc", name(dir), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

func (c oldCalls) bind(src, dst int, target string, op Op, isDir bool) error {
	if err := unix.Fchdir(c.proc); err != nil {
		return fail("change to /proc", err)
	}
	flags, rec := uintptr(unix.MS_BIND), uintptr(0)
	if op.Recursive && isDir {
		rec = unix.MS_REC
	}
	if err := unix.Mount(name(src), name(dst), "", flags|rec, ""); err != nil {
		return fail("mount", err)
	}
	if !op.ReadOnly {
		return nil
	}
	// dst is what the mount hides. The mount itself is reached by asking the kernel where dst is, and opening that.
	place, err := c.placeOf(dst)
	if err != nil {
		return fail("find the mount", err)
	}
	places := []string{place}
	if rec != 0 {
		if places, err = c.mountsBelow(place); err != nil {
			return fail("list the mounts below the target", err)
		}
	}
	for i, p := range places {
		err := c.remount(p, i == 0, rec)
		// A mount that another one has covered cannot be reached, by nobody.
		if i > 0 && (err == unix.ENOENT || err == unix.EACCES) {
			continue
		}
		if err != nil {
			return fail("make "+p+" read-only", err)
		}
	}
	return nil
}

// overlay is left to kernels that let users mount it: all of those have the new calls.
func (oldCalls) overlay(string, int) error { return unix.ENOSYS }

func (c oldCalls) move(from string, dst int) error {
	if err := unix.Fchdir(c.proc); err != nil {
		return err
	}
	return unix.Mount(from, name(dst), "", unix.MS_MOVE, "")
}

func (c oldCalls) remount(place string, first bool, rec uintptr) error {
	fd, err := unix.Open(place, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if first {
		if err := unix.Mount("", name(fd), "", unix.MS_PRIVATE|rec, ""); err != nil {
			return err
		}
	}
	return c.seal(fd)
}

// seal remounts with the flags that the mount has: a mount that came from a more privileged namespace has them locked,
// and a remount that leaves one out is refused with EPERM (mount_namespaces(7)).
func (c oldCalls) seal(fd int) error {
	if err := unix.Fchdir(c.proc); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY)
	for _, f := range [...]struct {
		st int64
		ms uintptr
	}{
		{unix.ST_NOSUID, unix.MS_NOSUID},
		{unix.ST_NODEV, unix.MS_NODEV},
		{unix.ST_NOEXEC, unix.MS_NOEXEC},
		{unix.ST_NOATIME, unix.MS_NOATIME},
		{unix.ST_NODIRATIME, unix.MS_NODIRATIME},
		{unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if int64(fs.Flags)&f.st != 0 {
			flags |= f.ms
		}
	}
	return unix.Mount("", name(fd), "", flags, "")
}
