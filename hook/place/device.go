package place

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Device is a device node of the host: a detached mount of it, and what it was found to be.
type Device struct {
	Path string // "/dev/dri/renderD128", the same on both sides
	Tree *os.File
	Rdev uint64
}

// OpenDevice opens a character device of the host, source, which must have the number, and is to be found at name in the
// container. It is called outside of the container's mount namespace.
func OpenDevice(source, name string, major, minor uint32) (Device, error) {
	if !strings.HasPrefix(name, "/dev/") || path.Clean(name) != name {
		return Device{}, fmt.Errorf("%s is no path below /dev", name)
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, source, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return Device{}, &os.PathError{Op: "open", Path: source, Err: err}
	}
	defer unix.Close(fd)
	rdev, err := deviceOf(fd)
	if err == nil && rdev != unix.Mkdev(major, minor) {
		err = fmt.Errorf("device %d:%d, not %d:%d", unix.Major(rdev), unix.Minor(rdev), major, minor)
	}
	if err != nil {
		return Device{}, fmt.Errorf("%s: %w", source, err)
	}
	tree, err := detach(fd, source, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	return Device{Path: name, Tree: tree, Rdev: rdev}, err
}

func deviceOf(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return 0, errors.New("not a character device")
	}
	return st.Rdev, nil
}

func (c *Container) putDevices(devices []Device) error {
	for _, d := range devices {
		if err := c.putDevice(d); err != nil {
			return err
		}
	}
	return nil
}

// putDevice mounts a node over the container's of that name, which is made as an empty file where there is none.
func (c *Container) putDevice(d Device) error {
	dir, err := c.deviceDir(path.Dir(d.Path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := path.Base(d.Path)
	at, _, err := entry(dir, name)
	if errors.Is(err, os.ErrNotExist) {
		if err := c.makeFile(dir, name, 0o644); err != nil {
			return readOnly(err, "give the container the device by the engine's own --device "+d.Path)
		}
		at, _, err = entry(dir, name)
	}
	if err != nil {
		return err
	}
	defer at.Close()
	if rdev, err := deviceOf(int(at.Fd())); err == nil && rdev == d.Rdev {
		return nil // the engine has made it
	}
	if err := c.private(at); err != nil {
		return err
	}
	return c.attach(d.Tree, at, d.Path[1:])
}

// deviceDir opens a directory of the container's /dev. What is missing below it is made; /dev itself is the engine's.
func (c *Container) deviceDir(name string) (*os.File, error) {
	dir, err := c.openIn(name[1:], unix.O_PATH|unix.O_DIRECTORY)
	if !errors.Is(err, os.ErrNotExist) || path.Dir(name) == "/" {
		return dir, err
	}
	up, err := c.deviceDir(path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer up.Close()
	return c.makeDir(up, path.Base(name))
}
