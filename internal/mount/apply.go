package mount

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// Apply builds the root that ops describe and moves the calling process into it, with "/" as working directory. The
// process must be alone in its mount namespace with CAP_SYS_ADMIN over it. After an error the namespace is half built
// and the process can only report and exit; as the namespace is private, nothing else notices.
//
// The caller clears its umask first, or the modes of what is created suffer from it.
func Apply(ops []Op, api API) error {
	b := &builder{ops: ops, made: map[int]bool{}, old: -1, root: -1, parent: dirCache{fd: -1}}
	if err := b.begin(api); err != nil {
		return err
	}
	for i, op := range ops {
		if err := b.do(i, op); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				e = &Error{Doing: "do", Err: err}
			}
			e.Index, e.Op = i, op
			return e
		}
	}
	return b.finish()
}

// builder is the state of one Apply.
type builder struct {
	ops    []Op
	made   map[int]bool // operations whose effect a room has brought
	calls  calls
	old    int // O_PATH descriptor of the old root's "/"
	root   int // O_PATH descriptor of the new root's "/"
	ours   []uint64
	parent dirCache

	layers   int      // on the base tmpfs
	mounted  []string // mount points, as far as they are known: see mountsBelow
	composed []string // rooms on a tmpfs of their own
}

// calls is what the two mount APIs do differently.
type calls interface {
	// base mounts a tmpfs over "/" and changes the working directory to its root.
	base() error
	// tmpfs mounts a tmpfs on the directory behind the descriptor dir.
	tmpfs(dir int, mode uint32) error
	// newProc mounts a new proc on the directory behind the descriptor dir.
	newProc(dir int) error
	// bind mounts src (O_PATH) on the target's descriptor dst; target is the path of dst in the new root.
	bind(src, dst int, target string, op Op, isDir bool) error
	// overlay mounts on the directory behind dst what the layers of an overlay, a list of paths,
	// show together, read-only.
	overlay(layers string, dst int) error
	// move moves the mount at the path from, with what is mounted below it, on the directory behind
	// dst.
	move(from string, dst int) error
	// seal makes the single mount behind fd read-only.
	seal(fd int) error
	// close gives back what the implementation holds.
	close()
}

// begin goes away from the host's root, in such a way that it stays reachable for sources only:
//
//	/      our base tmpfs, which nobody sees in the end
//	/old   the host's root
//	/new   our tmpfs that becomes the root
//
// The base is mounted over "/" itself, so that no directory of the host is needed, not even a writable one. Nothing
// is looked up by path between that moment and pivot_root.
func (b *builder) begin(api API) (err error) {
	frame := func(doing string, err error) error { return &Error{Index: -1, Doing: doing, Err: err} }
	if b.calls, err = choose(api); err != nil {
		return frame("choose the mount calls", err)
	}
	// Slave, not private: what the host unmounts or mounts later (a USB stick, an automount) still reaches us, nothing
	// of ours reaches the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return frame("make mounts private", err)
	}
	if b.old, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return frame("open /", err)
	}
	if err := b.calls.base(); err != nil {
		return frame("mount a tmpfs", err)
	}
	for _, d := range [...]string{"old", "new"} {
		if err := unix.Mkdir(d, 0o755); err != nil {
			return frame("make /"+d+" on the tmpfs", err)
		}
	}
	if err := unix.PivotRoot(".", "old"); err != nil {
		return frame("pivot_root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return frame("change to the tmpfs", err)
	}
	dir, err := unix.Open("/new", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return frame("open /new", err)
	}
	defer unix.Close(dir)
	if err := b.calls.tmpfs(dir, 0o755); err != nil {
		return frame("mount the new root", err)
	}
	if b.root, err = unix.Open("/new", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return frame("open the new root", err)
	}
	if err := b.adopt(b.root); err != nil {
		return frame("stat the new root", err)
	}
	return nil
}

func (b *builder) do(i int, op Op) error {
	if b.made[i] {
		return nil
	}
	if len(op.Target) == 0 || op.Target[0] != '/' {
		return fail("check the target", fmt.Errorf("%q is not absolute", op.Target))
	}
	switch op.Kind {
	case Dir:
		fd, err := b.dir(op.Target, op.mode())
		if err == nil {
			unix.Close(fd)
		}
		return err
	case Tmpfs:
		return b.mountTmpfs(op)
	case Proc:
		return b.mountProc(op)
	case Bind:
		return b.bind(op)
	case Room:
		return b.room(op, b.ops[i+1:], i+1)
	case Symlink:
		return b.symlink(op)
	case File:
		return b.file(op)
	case Seal:
		return b.seal(op.Target)
	}
	return fail("check the kind", fmt.Errorf("unknown kind %q", op.Kind))
}

func (b *builder) seal(target string) error {
	fd, err := inroot.Open(b.root, target, 0)
	if err != nil {
		return fail("open target", err)
	}
	defer unix.Close(fd)
	return fail("make read-only", b.calls.seal(fd))
}

func (b *builder) mountTmpfs(op Op) error {
	dir, err := b.dir(op.Target, op.mode())
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	b.parent.forget()
	if err := b.calls.tmpfs(dir, op.mode()); err != nil {
		return fail("mount tmpfs", err)
	}
	top, err := inroot.Open(b.root, op.Target, unix.O_DIRECTORY)
	if err != nil {
		return fail("open the mounted tmpfs", err)
	}
	defer unix.Close(top)
	return fail("stat the mounted tmpfs", b.adopt(top))
}

func (b *builder) mountProc(op Op) error {
	dir, err := b.dir(op.Target, op.mode())
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	b.parent.forget()
	return fail("mount proc", b.calls.newProc(dir))
}

func (b *builder) bind(op Op) error {
	src, err := inroot.Open(b.old, op.Source, 0)
	if err != nil {
		if op.Optional && missing(err) {
			return nil
		}
		return fail("open source", err)
	}
	defer unix.Close(src)
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return fail("stat source", err)
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	dst, err := b.target(op.Target, isDir)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	b.mounted = nil
	if isDir {
		b.parent.forget() // the cached directory may be hidden by what is mounted now
	}
	return b.calls.bind(src, dst, op.Target, op, isDir)
}

func missing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES)
}

// finish makes the new root "/" and lets the base and the old root below it go. pivot_root(".", ".") stacks the old
// root on the new one, so that no directory for it has to exist (pivot_root(2), NOTES).
func (b *builder) finish() error {
	frame := func(doing string, err error) error { return &Error{Index: -1, Doing: doing, Err: err} }
	for _, target := range b.composed {
		if err := b.seal(target); err != nil {
			return frame("close "+target+" against writes", err)
		}
	}
	if err := unix.Fchdir(b.root); err != nil {
		return frame("change to the new root", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return frame("pivot_root to the new root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return frame("detach the old root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return frame("change to /", err)
	}
	b.parent.forget()
	b.calls.close()
	unix.Close(b.old)
	unix.Close(b.root)
	return nil
}

// fail wraps err with what was being done; nil stays nil.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Doing: doing, Err: err}
}
