package hook

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

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
	i.place.Root.Close()
	i.tree.Close()
}

// enter opens the container's root as it is mounted for the container.
func enter(o *Options, proc *confine.Proc, c *oci.Container) (*inside, error) {
	thread, err := thread(o, proc, c)
	if err != nil {
		return nil, err
	}
	root, point, err := openRoot(thread, proc, c)
	if err != nil {
		thread.Close()
		return nil, err
	}
	volumes, err := foreign(proc, point)
	var again *os.File
	if err == nil {
		again, err = reopen(root)
	}
	if err != nil {
		root.Close()
		thread.Close()
		return nil, err
	}
	return &inside{tree: rootfs.OpenAt(again, c.Rootfs), place: &place.Container{Root: root, Thread: thread, Proc: proc,
		Foreign: volumes, Label: c.MountLabel}}, nil
}

// thread is one in the container's mount namespace. In createContainer that is the hook's own.
func thread(o *Options, proc *confine.Proc, c *oci.Container) (*confine.Thread, error) {
	if o.Stage == CreateContainer {
		return confine.Here()
	}
	if c.Pid == 0 {
		return nil, fault.WithHint(errors.New("the container's state names no process"), "use the hook at createRuntime")
	}
	// The descriptor of the directory stays that process's, even if its number is used again.
	dir := strconv.Itoa(c.Pid) + "/ns"
	ns, err := proc.OpenLink(dir, "mnt", unix.O_RDONLY)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("find the container's mount namespace: %w", err),
			"the container's process is gone, or belongs to another user: the engine's log may say why")
	}
	defer ns.Close()
	own, err := proc.OpenLink("self/ns", "mnt", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer own.Close()
	same, err := sameFile(ns, own)
	if err == nil && same {
		err = fault.WithHint(errors.New("the container has no mount namespace of its own"),
			"the hook is for containers with one: the bundle's linux.namespaces must list \"mount\"")
	}
	if err != nil {
		return nil, err
	}
	return confine.Join(ns)
}

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

// foreign lists the file systems that are mounted outside of the container's root, which is mounted at point: a volume of the
// host is one of them.
func foreign(proc *confine.Proc, point string) (map[string]bool, error) {
	mounts, err := proc.Mounts()
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, m := range mounts {
		if m.Point != point && !strings.HasPrefix(m.Point, point+"/") {
			out[m.Dev] = true
		}
	}
	return out, nil
}
