package place

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// OpenBind opens a regular file of the host as a detached, read-only, private mount. It is called outside of the container's
// mount namespace. No component of the path may be a link.
func OpenBind(source string) (*os.File, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, source, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: source, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: source, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is not a regular file", source)
	}
	return detach(fd, source, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// detach clones the mount of a file. It is private before it is anywhere.
func detach(fd int, name string, attributes uint64) (*os.File, error) {
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return nil, &os.PathError{Op: "open_tree", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(tree), name)
	attr := unix.MountAttr{Attr_set: attributes, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "mount_setattr", Path: name, Err: err}
	}
	return f, nil
}

// newTmpfs returns a detached tmpfs.
func (c *Container) newTmpfs() (*os.File, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen tmpfs: %w", err)
	}
	defer unix.Close(fs)
	options := [][2]string{{"source", Source}, {"mode", "755"}}
	if c.Label != "" {
		options = append(options, [2]string{"context", c.Label})
	}
	for _, o := range options {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return nil, fmt.Errorf("tmpfs, option %s=%s: %w", o[0], o[1], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("make a tmpfs: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return nil, fmt.Errorf("mount a tmpfs: %w", err)
	}
	return os.NewFile(uintptr(fd), "/run/capsule"), nil
}

// attach moves a detached mount onto a descriptor's file, which is at name, and notes how to undo
// it.
func (c *Container) attach(tree, target *os.File, name string) error {
	id, err := identify(tree)
	if err != nil {
		return err
	}
	if err := unix.MoveMount(int(tree.Fd()), "", int(target.Fd()), "",
		unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount on the container's %s: %w", target.Name(), err)
	}
	c.later(tree, func(tree *os.File) error {
		if err := c.Proc.Enter(); err != nil {
			return err
		}
		return unix.Unmount(confine.Link(int(tree.Fd())), unix.MNT_DETACH)
	})
	c.attached = append(c.attached, attached{name, id})
	return nil
}

// attached is what was mounted at a path of the container, without the first slash.
type attached struct {
	name string
	identity
}

// identity is a file, and the mount that it was reached through.
type identity struct{ mount, dev, ino uint64 }

func identify(f *os.File) (identity, error) {
	mount, err := confine.MountID(f)
	if err != nil {
		return identity{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return identity{}, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return identity{mount, st.Dev, st.Ino}, nil
}

// arrived follows the runtime's way to the container's root, and from there every path at which
// something was mounted: it must lead to that. Otherwise somebody has moved what is on the way, or
// this is not where the container will be.
func (c *Container) arrived() error {
	root, err := OpenDir(c.From, c.Path)
	if err != nil {
		return fmt.Errorf("the container's root: %w: %w", err, ErrMoved)
	}
	defer root.Close()
	want, err := identify(c.Root)
	if err == nil {
		err = leads(root, want, "")
	}
	for _, a := range c.attached {
		if err != nil {
			return err
		}
		var got *os.File
		if got, err = openAt(root, a.name, unix.O_PATH, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS); err != nil {
			return fmt.Errorf("%w: %w", err, ErrMoved)
		}
		err = leads(got, a.identity, a.name)
		got.Close()
	}
	return err
}

func leads(got *os.File, want identity, name string) error {
	if id, err := identify(got); err != nil || id != want {
		return fault.WithHint(fmt.Errorf("the container's /%s: %w", name, errors.Join(ErrMoved, err)),
			"nothing else may write to the container's file tree while it is being started")
	}
	return nil
}

// mountCapsule makes the tmpfs, fills it, and mounts it.
func (c *Container) mountCapsule(w *What) (*os.File, error) {
	target, err := c.capsuleDir()
	if err != nil {
		return nil, err
	}
	defer target.Close()
	if err := c.private(target); err != nil {
		return nil, err
	}
	tree, err := c.newTmpfs()
	if err != nil {
		return nil, err
	}
	if err = c.fill(tree, target, w); err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}

func (c *Container) fill(tree, target *os.File, w *What) error {
	own := writer{int(tree.Fd()), map[string]bool{}}
	for _, f := range w.Files {
		if err := own.write(f.Path, f.Text, f.Mode); err != nil {
			return err
		}
	}
	if err := own.write(cacheName, w.Cache, 0o644); err != nil {
		return err
	}
	if err := own.write(stampName, w.Stamp, 0o644); err != nil {
		return err
	}
	for _, b := range w.Binds {
		if err := own.write(b.Path, nil, 0o444); err != nil {
			return err
		}
	}
	if err := c.attach(tree, target, runDir+"/"+dirName); err != nil {
		return err
	}
	// Onto a detached tree nothing can be mounted before Linux 6.15. Nobody but us can write to this one.
	for _, b := range w.Binds {
		if err := unix.MoveMount(int(b.Tree.Fd()), "", own.tree, b.Path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("mount %s in the container: %w", b.Tree.Name(), err)
		}
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("make the container's /run/capsule read-only: %w", err)
	}
	return nil
}

// capsuleDir opens the container's /run/capsule, made where it is missing. /run may be a link, /run/capsule may not.
func (c *Container) capsuleDir() (*os.File, error) {
	run, err := c.openIn(runDir, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, os.ErrNotExist) {
		run, err = c.makeDir(c.Root, runDir)
	}
	if err != nil {
		return nil, readOnly(err, "give the container a tmpfs at /run, or its image a directory there")
	}
	defer run.Close()
	dir, err := c.makeDir(run, dirName)
	return dir, readOnly(err, "give the container a tmpfs at /run, or its image an empty directory /run/capsule")
}

func readOnly(err error, hint string) error {
	if errors.Is(err, unix.EROFS) {
		return fault.WithHint(err, hint)
	}
	return err
}

// mountCache puts the new ld.so.cache, which the tmpfs has, over the container's.
func (c *Container) mountCache(capsule *os.File) error {
	const name = cacheDir + "/" + cacheName
	target, err := c.openIn(name, unix.O_PATH)
	if errors.Is(err, os.ErrNotExist) {
		target, err = c.makeCache()
		err = readOnly(err, "give the image an empty file /etc/ld.so.cache")
	}
	if err != nil {
		return err
	}
	defer target.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(target.Fd()), &st); err != nil {
		return fmt.Errorf("stat the container's /%s: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("the container's /%s is not a regular file", name)
	}
	if err := c.private(target); err != nil {
		return err
	}
	from, _, err := entry(capsule, cacheName)
	if err != nil {
		return err
	}
	defer from.Close()
	tree, err := detach(int(from.Fd()), "/"+name, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return err
	}
	defer tree.Close()
	return c.attach(tree, target, name)
}

// makeCache makes the file, and opens it where it was made: the container may have changed what its
// name leads to.
func (c *Container) makeCache() (*os.File, error) {
	etc, err := c.openIn(cacheDir, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, os.ErrNotExist) {
		etc, err = c.makeDir(c.Root, cacheDir)
	}
	if err != nil {
		return nil, err
	}
	defer etc.Close()
	err = c.makeFile(etc, cacheName, 0o644)
	if errors.Is(err, os.ErrExist) {
		err = fmt.Errorf("the container's /%s/%s: %w, and leads nowhere", cacheDir, cacheName, ErrLink)
	}
	if err != nil {
		return nil, err
	}
	f, _, err := entry(etc, cacheName)
	return f, err
}

// writer writes below our own tmpfs, which nobody else knows yet.
type writer struct {
	tree int
	made map[string]bool // directories
}

// write writes a file, with its directories.
func (w *writer) write(name string, text []byte, mode uint32) error {
	if path.Clean("/"+name) != "/"+name || name == "" {
		return fmt.Errorf("write the capsule's %q: not a clean path", name)
	}
	for i, c := range name {
		if c != '/' || w.made[name[:i]] {
			continue
		}
		if err := unix.Mkdirat(w.tree, name[:i], 0o755); err != nil {
			return fmt.Errorf("make the capsule's %s: %w", name[:i], err)
		}
		w.made[name[:i]] = true
	}
	fd, err := unix.Openat(w.tree, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return fmt.Errorf("write the capsule's %s: %w", name, err)
	}
	defer unix.Close(fd)
	for len(text) > 0 {
		n, err := unix.Write(fd, text)
		if err != nil {
			return fmt.Errorf("write the capsule's %s: %w", name, err)
		}
		text = text[n:]
	}
	return nil
}
