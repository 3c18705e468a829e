// Package place puts the capsule into a container's file tree: a tmpfs at /run/capsule with the generated files and the
// host's libraries, a generated /etc/ld.so.cache over the container's, device nodes. It exists because this is done with
// privilege inside a tree that a hostile image wrote, possibly while others rename what is in it.
//
// A path of the container is never a mount's source, and is resolved once, inside the container's
// root, to a descriptor; mounts are moved by descriptor. At the end each path is resolved again,
// from the runtime's root directory on, and must lead to what was mounted: what the container would
// not see counts as an error. Nothing is created but on the container's own file systems, nothing
// is created through a link, and nothing of the container is executed or read. After an error
// nothing that was mounted or created stays.
//
// It needs open_tree, move_mount, openat2 and mount_setattr: Linux 5.12.
package place

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// Source of the tmpfs in mount tables: how a second run knows what the first did. Only who may mount can set it.
const Source = "capsule-run"

// Names inside the container.
const (
	runDir    = "run"
	dirName   = "capsule"
	stampName = "hook"
	cacheDir  = "etc"
	cacheName = "ld.so.cache"
)

// maxStamp is in bytes.
const maxStamp = 64 << 10

// File is a generated file; Path is relative to /run/capsule.
type File struct {
	Path string
	Text []byte
	Mode uint32
}

// Bind is a detached mount of one of the host's files (OpenBind), and where it goes below /run/capsule.
type Bind struct {
	Path string
	Tree *os.File
}

// Container is where things are placed.
type Container struct {
	// Root is an O_PATH descriptor of the container's root, as it is mounted.
	Root *os.File
	// Path leads to Root for the runtime, whose root directory is From.
	From *os.File
	Path string
	// Thread is in the container's mount namespace.
	Thread *confine.Thread
	Proc   *confine.Proc
	// Foreign are the devices ("major:minor") of file systems that the host sees: a volume, where nothing may be created.
	Foreign map[string]bool
	// Label is the SELinux context of the tmpfs, if there is one.
	Label string

	rootMount uint64
	mounts    map[uint64]confine.Mount
	attached  []attached
	undo      []func() error
}

// What is to be placed.
type What struct {
	Files   []File
	Binds   []Bind
	Cache   []byte // the new /etc/ld.so.cache
	Stamp   []byte // for a later call
	Devices []Device
}

var (
	// ErrLink is a link where the container must have a directory or file.
	ErrLink = errors.New("a symbolic link stands in its place")
	// ErrMoved says that something was swapped during the work.
	ErrMoved = errors.New("changed while the hook was at work")
	// ErrShared says that a mount there would show on the host.
	ErrShared = errors.New("lies on a mount that is shared with the host")
	// ErrForeign says that something would have to be created on a file system of the host.
	ErrForeign = errors.New("is missing, and its directory is a volume of the host")
)

// Stamp says whether the container has its capsule already, and returns what the call that made it left for later ones.
func (c *Container) Stamp() (stamp []byte, done bool, err error) {
	err = c.Thread.Do(func() error {
		if err := c.look(); err != nil {
			return err
		}
		dir, err := c.openIn(runDir+"/"+dirName, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return nil // whatever is wrong with it is told by who makes it
		}
		defer dir.Close()
		m, err := c.mountOf(dir)
		if err != nil || m.Type != "tmpfs" || m.Source != Source {
			return err
		}
		done = true
		stamp, err = readStamp(dir)
		return err
	})
	return stamp, done, err
}

// readStamp reads it from our own tmpfs. One that is not there is as good as an empty one.
func readStamp(dir *os.File) ([]byte, error) {
	f, err := openAt(dir, stampName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_XDEV)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxStamp))
}

// Put places everything, or nothing.
func (c *Container) Put(w *What) error { return c.all(func() error { return c.put(w) }) }

// PutDevices places further device nodes, or none, in a container that has its capsule.
func (c *Container) PutDevices(devices []Device) error {
	return c.all(func() error { return c.putDevices(devices) })
}

// all does something as a whole or not at all.
func (c *Container) all(do func() error) error {
	return c.Thread.Do(func() (err error) {
		defer func() {
			if p := recover(); p != nil { // a fault of ours is undone as any error
				err = fmt.Errorf("a fault in the hook: %v", p)
			}
			if err != nil {
				err = c.takeBack(err)
			}
			c.undo, c.attached = nil, nil
		}()
		if err := c.look(); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
		return c.arrived()
	})
}

// takeBack undoes what was done before an error, the last first, and returns the error.
func (c *Container) takeBack(err error) error {
	for i := len(c.undo) - 1; i >= 0; i-- {
		if undoErr := c.undo[i](); undoErr != nil {
			err = fmt.Errorf("%w (and it could not be undone: %v)", err, undoErr)
		}
	}
	return err
}

func (c *Container) put(w *What) error {
	capsule, err := c.mountCapsule(w)
	if err != nil {
		return err
	}
	defer capsule.Close()
	if err := c.putDevices(w.Devices); err != nil {
		return err
	}
	// Last, because from here on the container's programs would look for what the cache names.
	return c.mountCache(capsule)
}

// look reads the container's mount table.
func (c *Container) look() error {
	list, err := c.Proc.Mounts()
	if err != nil {
		return err
	}
	c.mounts = map[uint64]confine.Mount{}
	for _, m := range list {
		c.mounts[m.ID] = m
	}
	c.rootMount, err = confine.MountID(c.Root)
	return err
}

// mountOf finds the mount that a descriptor's file lies on.
func (c *Container) mountOf(f *os.File) (confine.Mount, error) {
	id, err := confine.MountID(f)
	if err != nil {
		return confine.Mount{}, err
	}
	m, ok := c.mounts[id]
	if !ok {
		return m, fmt.Errorf("%s: mount %d is not in the container's mount table", f.Name(), id)
	}
	return m, nil
}

// private refuses a place from where a mount would spread.
func (c *Container) private(f *os.File) error {
	m, err := c.mountOf(f)
	if err == nil && m.Shared {
		err = fault.WithHint(fmt.Errorf("the container's %s: %w", f.Name(), ErrShared),
			"start the container without shared propagation of its root or of a volume at "+f.Name())
	}
	return err
}

// mayCreate refuses to create in a directory that is not the container's own.
func (c *Container) mayCreate(dir *os.File, name string) error {
	m, err := c.mountOf(dir)
	if err == nil && m.ID != c.rootMount && c.Foreign[m.Dev] {
		err = fault.WithHint(fmt.Errorf("the container's %s/%s: %w", dir.Name(), name, ErrForeign),
			fmt.Sprintf("create %s in the volume, or give the container a directory of its own at %s", name, dir.Name()))
	}
	return err
}
