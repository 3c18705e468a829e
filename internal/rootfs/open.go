package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// OpenFile opens a regular file for reading. Opening can be an act (of a device, or a pipe whose
// writer waits), and what was a file may be another thing by now: so the name alone is opened
// first, and the file behind it when it is known to be one.
func (r *Root) OpenFile(p string) (*File, error) {
	canonical, err := r.resolveAs(p, unix.S_IFREG)
	if err != nil {
		return nil, err
	}
	found, err := r.open(canonical, unix.O_PATH)
	if err != nil {
		r.failed(err)
		return nil, err
	}
	defer found.Close()
	var st, opened unix.Stat_t
	if err := unix.Fstat(int(found.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		r.failed(err)
		return nil, &fs.PathError{Op: "open", Path: found.Name(), Err: syscall.EINVAL}
	}
	if r.guest && isKernels(found) {
		r.failed(nil)
		return nil, &fs.PathError{Op: "open", Path: found.Name(), Err: errKernels}
	}
	f, err := r.reopen(found, canonical)
	if err != nil {
		r.failed(err)
		return nil, err
	}
	if err := unix.Fstat(int(f.Fd()), &opened); err != nil || opened.Dev != st.Dev || opened.Ino != st.Ino {
		r.failed(err)
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: f.Name(), Err: ErrNotRegular}
	}
	if !r.isStill(canonical, &st) {
		r.unsure.Store(true)
	}
	return &File{f, r.readsOf(canonical), r}, nil
}

var errKernels = errors.New("not a file, but something that the kernel tells")

// isKernels says whether a file is made up as it is read: /proc/kmsg, for one, loses what was read.
func isKernels(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return true
	}
	return slices.Contains([]int64{unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
		unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC}, st.Type)
}

// OpenPath returns a descriptor (O_PATH) of what a path leads to, whatever that is. It opens nothing but the name, which
// is safe for a device or a pipe, and serves fstat alone.
func (r *Root) OpenPath(p string) (*os.File, error) {
	canonical, err := r.Resolve(p)
	if err != nil {
		return nil, err
	}
	return r.open(canonical, unix.O_PATH)
}

// resolveAs resolves a path that must be of a type (S_IFREG or S_IFDIR), and records it.
func (r *Root) resolveAs(p string, typ uint32) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	canonical, n, err := r.walk(p, true)
	var a *access
	if err == nil {
		a = r.note(canonical, n) // that it is of another type is an answer too
	}
	switch {
	case err != nil:
	case n.is(typ):
		a.listed = a.listed || typ == unix.S_IFDIR
		return canonical, nil
	case typ == unix.S_IFDIR:
		err = syscall.ENOTDIR
	case n.is(unix.S_IFDIR):
		err = syscall.EISDIR
	default:
		err = ErrNotRegular
	}
	return "", &fs.PathError{Op: "open", Path: r.outside(p), Err: err}
}

// open opens a canonical path; no link that it has by now is followed.
func (r *Root) open(canonical string, flags int) (*os.File, error) {
	name := r.HostPath(canonical)
	fd, err := inroot.OpenPlain(int(r.fd.Fd()), r.relative(canonical), flags)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if flags&unix.O_PATH == 0 {
		return newFile(fd, name)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// descriptors is the directory of this process's descriptors in /proc, as links by which the kernel
// opens the same file anew. What is mounted over /proc cannot stand in for it.
var descriptors = sync.OnceValues(func() (*os.File, error) {
	const name = "/proc/self/fd"
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	dir := os.NewFile(uintptr(fd), name)
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		dir.Close()
		return nil, fmt.Errorf("%s is of no proc file system", name)
	}
	return dir, nil
})

// reopen opens the file behind an O_PATH descriptor, whatever its name leads to by now.
func (r *Root) reopen(found *os.File, canonical string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC // a lease on the file is not waited for
	dir, err := descriptors()
	if err != nil && !r.guest { // in a chroot without /proc a tree of our own is opened by name
		return r.open(canonical, flags)
	}
	if err != nil {
		return nil, err
	}
	fd, err := unix.Openat(int(dir.Fd()), strconv.Itoa(int(found.Fd())), flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: found.Name(), Err: err}
	}
	return newFile(fd, found.Name())
}

// newFile is os.NewFile for a file that may block. What does not block package os gives to epoll,
// which asks a volume's server (FUSE) in a system call that Go's scheduler does not know of: one
// that does not answer would stop all threads.
func newFile(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// ReadFile returns the content of a regular file of at most limit bytes; above that the error is ErrTooLarge.
func (r *Root) ReadFile(p string, limit int64) ([]byte, error) {
	f, err := r.OpenFile(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := f.readAll(limit)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: %w (limit %d bytes)", f.Name(), ErrTooLarge, limit)
	}
	return b, nil
}

// ReadDir returns the names in a directory, sorted.
func (r *Root) ReadDir(p string) ([]string, error) {
	canonical, err := r.resolveAs(p, unix.S_IFDIR)
	if err != nil {
		return nil, err
	}
	var names []string
	if canonical == "/" {
		for _, l := range r.impliedLinks() {
			if i, err := r.Lstat("/" + l); err == nil && i.Mode&fs.ModeSymlink != 0 {
				names = append(names, l)
			}
		}
		if r.flatpak {
			names = append(names, "usr")
			slices.Sort(names)
			r.noteNames(canonical, names)
			return names, nil
		}
	}
	if err := r.crowd(canonical); err != nil {
		return nil, err
	}
	f, err := r.open(canonical, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		r.failed(err)
		return nil, err
	}
	defer f.Close()
	found, err := f.Readdirnames(maxNames)
	cost := openCost // of what is refused too: it may be asked for again and again
	for _, n := range found {
		cost += nameCost + len(n)
	}
	if !r.spend(cost) {
		return nil, fmt.Errorf("list %s: %w", f.Name(), errTooMuch)
	}
	if err != nil && err != io.EOF {
		r.failed(err)
		return nil, err
	}
	if len(found) == maxNames {
		r.failed(nil)
		return nil, r.noteCrowd(canonical)
	}
	names = append(names, found...)
	slices.Sort(names)
	names = slices.Compact(names)
	r.noteNames(canonical, names)
	return names, nil
}

// crowd returns an error for a directory that was found to have too many names. It is not listed
// again: the kernel may read all of it before it tells the first name (overlayfs).
func (r *Root) crowd(canonical string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.access[canonical].crowded {
		return nil
	}
	return fmt.Errorf("list %s: more than %d names", r.HostPath(canonical), maxNames-1)
}

func (r *Root) noteCrowd(canonical string) error {
	r.mu.Lock()
	r.access[canonical].crowded = true
	r.mu.Unlock()
	return r.crowd(canonical)
}

// Watch records a directory as if it had been listed: whatever is later added to it, removed or renamed makes its
// Access changed. A search that looks for many names in a few directories calls it once for each, and the trace
// need not have each miss. A directory that does not exist is recorded as that.
func (r *Root) Watch(dir string) {
	_, _ = r.resolveAs(dir, unix.S_IFDIR) // what it is does not matter here, the record is made in any case
}
