package hook

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/hook/place"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// inside is the container as the hook has it.
type inside struct {
	place *place.Container
	tree  *rootfs.Root // the container's root, for inspection
}

func (i *inside) Close() {
	i.place.Thread.Close()
	i.place.From.Close()
	i.place.Root.Close()
	i.tree.Close()
}

// enter opens the container's root as it is mounted for the container.
func enter(o *Options, proc *confine.Proc, c *oci.Container) (*inside, error) {
	thread, from, err := thread(o, proc, c)
	if err != nil {
		return nil, err
	}
	p, err := openRoot(thread, proc, from, c)
	if err != nil {
		from.Close()
		thread.Close()
		return nil, err
	}
	in := &inside{place: &place.Container{Root: p.root, From: from, Path: c.Rootfs, Thread: thread, Proc: proc,
		Foreign: p.foreign(), Label: c.MountLabel}}
	again, err := reopen(p.root)
	if err != nil {
		p.root.Close()
		from.Close()
		thread.Close()
		return nil, err
	}
	in.tree = rootfs.OpenAt(again, c.Rootfs)
	return in, nil
}

// thread is one in the container's mount namespace, with the root directory that the runtime has
// there. In createContainer both are the hook's own.
func thread(o *Options, proc *confine.Proc, c *oci.Container) (t *confine.Thread, from *os.File, err error) {
	if o.Stage == CreateContainer {
		if from, err = openTop(); err != nil {
			return nil, nil, err
		}
		t, err = confine.Here()
		return t, from, err
	}
	if c.Pid == 0 {
		return nil, nil, fault.WithHint(errors.New("the container's state names no process"), "use the hook at createRuntime")
	}
	process, err := proc.Process(c.Pid)
	if errors.Is(err, confine.ErrNumbers) {
		return nil, nil, fault.WithHint(err, "the engine must have the /proc of its own process namespace: mount it there")
	}
	if err != nil {
		return nil, nil, gone(err)
	}
	defer process.Close()
	ns, err := process.OpenLink("ns", "mnt", unix.O_RDONLY)
	if err != nil {
		return nil, nil, gone(err)
	}
	defer ns.Close()
	own, err := proc.OpenLink("thread-self/ns", "mnt", unix.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer own.Close()
	same, err := sameFile(ns, own)
	if err == nil && same {
		err = fault.WithHint(errors.New("the container has no mount namespace of its own"),
			"the hook is for containers with one: the bundle's linux.namespaces must list \"mount\"")
	}
	if err != nil {
		return nil, nil, err
	}
	if from, err = process.OpenLink(".", "root", unix.O_PATH|unix.O_DIRECTORY); err != nil {
		return nil, nil, gone(err)
	}
	if t, err = confine.Join(ns); err != nil {
		from.Close()
	}
	return t, from, err
}

func gone(err error) error {
	return fault.WithHint(fmt.Errorf("find the container's mount namespace: %w", err),
		"the container's process is gone, or belongs to another user: the engine's log may say why")
}

// openTop opens the root directory that the hook and the engine have.
func openTop() (*os.File, error) { return os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0) }

func sameFile(a, b *os.File) (bool, error) {
	x, err := a.Stat()
	if err != nil {
		return false, err
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y), err
}

func reopen(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
