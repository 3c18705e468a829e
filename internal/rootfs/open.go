package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
)

// OpenFile opens a regular file for reading.
func (r *Root) OpenFile(p string) (*File, error) {
	canonical, err := r.resolveAs(p, unix.S_IFREG)
	if err != nil {
		return nil, err
	}
	// O_NONBLOCK: if the file has become a pipe by now, opening it must not wait for a writer.
	f, err := r.open(canonical, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		r.failed(err)
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		r.failed(err)
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: f.Name(), Err: ErrNotRegular}
	}
	if r.guest && isKernels(f) {
		r.failed(nil)
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: f.Name(), Err: errKernels}
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
	return r.open(canonical, unix.O_PATH|unix.O_NOFOLLOW)
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

// resolve keeps the kernel inside the root, and from following a link that we have not seen.
const resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// noOpenat2 is set once the kernel (before 5.6) or a seccomp filter has refused openat2.
var noOpenat2 atomic.Bool

// open opens a canonical path; the kernel makes sure that it still is one.
func (r *Root) open(canonical string, flags int) (*os.File, error) {
	rel, name := r.relative(canonical), r.HostPath(canonical)
	if !noOpenat2.Load() {
		fd, err := unix.Openat2(int(r.fd.Fd()), rel, &unix.OpenHow{
			Flags:   uint64(flags | unix.O_CLOEXEC),
			Resolve: resolve,
		})
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != unix.ENOSYS && err != unix.EPERM {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		noOpenat2.Store(true)
	}
	h, err := pathrs.OpenatInRoot(r.fd, rel)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer h.Close()
	f, err := pathrs.Reopen(h, flags|unix.O_CLOEXEC)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
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
	f, err := r.open(canonical, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		r.failed(err)
		return nil, err
	}
	defer f.Close()
	found, err := f.Readdirnames(maxNames)
	if err != nil && err != io.EOF {
		r.failed(err)
		return nil, err
	}
	if len(found) == maxNames {
		r.failed(nil)
		return nil, fmt.Errorf("list %s: more than %d names", f.Name(), maxNames-1)
	}
	for _, n := range found {
		if !r.spend(stepCost + len(n)) {
			return nil, fmt.Errorf("list %s: %w", f.Name(), errTooMuch)
		}
	}
	names = append(names, found...)
	slices.Sort(names)
	names = slices.Compact(names)
	r.noteNames(canonical, names)
	return names, nil
}

// Watch records a directory as if it had been listed: whatever is later added to it, removed or renamed makes its
// Access changed. A search that looks for many names in a few directories calls it once for each, and the trace
// need not have each miss. A directory that does not exist is recorded as that.
func (r *Root) Watch(dir string) {
	_, _ = r.resolveAs(dir, unix.S_IFDIR) // what it is does not matter here, the record is made in any case
}
