// Package inroot opens paths as a process would whose root directory is another: no path and no
// link leads out of it. It exists because the kernel's own way, openat2, is not everywhere, and
// because what stands in for it must be as safe: one that follows each component itself. It never
// uses the one where the other works, whatever a file says.
package inroot

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// NoOpenat2 is set once the kernel has been found to have no openat2 (before Linux 5.6), or a
// seccomp filter to forbid it; or by a test.
var NoOpenat2 atomic.Bool

// openat2 is replaced by tests.
var openat2 = unix.Openat2

// Open opens name, which counts from the directory root, as O_PATH; flags may have O_DIRECTORY. "/"
// and ".." never lead above root, absolute links start from it. Links of /proc to open files are
// refused.
func Open(root int, name string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_PATH | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT}
	for range tries {
		if NoOpenat2.Load() {
			break
		}
		fd, err := openat2(root, name, &how)
		if err != unix.EAGAIN && err != unix.EINTR && !isRefused(err) {
			return fd, err
		}
	}
	return walk(root, name, flags)
}

// tries bounds how often a rename or mount elsewhere may race with a ".." (EAGAIN), which the walk
// does not mind, and a signal with a slow file system (EINTR): whoever serves one may say either
// for ever.
const tries = 100

// OpenPlain opens name, which counts from the directory root, and refuses every link on the way
// (ELOOP). The last component may be one where flags have O_PATH. Nor does name have ".." in it.
func OpenPlain(root int, name string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	for range tries {
		if NoOpenat2.Load() {
			break
		}
		fd, err := openat2(root, name, &how)
		if err != unix.EINTR && !isRefused(err) {
			return fd, err
		}
	}
	return walkPlain(root, name, flags)
}

// isRefused says whether an error of openat2 is one of the call itself and not of the file: whoever
// serves a file system (FUSE) answers whatever they like, EPERM and ENOSYS too. So the call is asked
// again with a descriptor that is none, where no file has a say: if it exists it answers EBADF. Old
// seccomp filters say EPERM for a call that they do not know.
func isRefused(err error) bool {
	if err != unix.ENOSYS && err != unix.EPERM {
		return false
	}
	_, err = openat2(-1, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	if err == unix.ENOSYS || err == unix.EPERM {
		NoOpenat2.Store(true)
	}
	return NoOpenat2.Load()
}
