package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// What a cache has is code that is run, so the rule for its directories is stricter than that for
// files which a user has written: they are this process's user's own, and nobody else can write to
// them or put others in their place. The way to them may lead through directories and links of the
// user and of root, who can do anything anyway, and of those whom a user namespace does not show,
// among whom root is. Nobody else may write to these, but in a directory with the sticky bit: there
// the next one must be the user's or root's. Root's way leads through root's directories alone:
// with the HOME of a user, as sudo may keep it, root gets nothing of that user's.

// ErrShared says that others can write to a directory that is to be the user's own, or have written
// it.
var ErrShared = errors.New("not this user's alone")

// shared is an ErrShared, in words of its own.
type shared struct{ error }

func (shared) Is(target error) bool { return target == ErrShared }

// Own says whether a directory is this process's user's alone, and makes it and those above it
// where they are missing, unless somebody else can write there. mode has the permissions that it
// may have: others are taken away from one that is there. What makes it somebody else's is an
// ErrShared.
func Own(name string, mode fs.FileMode) error {
	w := &walk{rule: rule{own: true}, make: uint32(mode.Perm())}
	if err := w.follow(name); err != nil {
		return err
	}
	defer w.close()
	info, err := w.at.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &os.PathError{Op: "mkdir", Path: name, Err: unix.ENOTDIR}
	}
	if info.Mode().Perm()&^mode != 0 {
		// Its path is nobody else's to change. Where it cannot be done nobody can write to it all
		// the same.
		_ = os.Chmod(name, info.Mode().Perm()&mode)
	}
	return nil
}

// Owned is Own for one that is there: it makes and changes nothing.
func Owned(name string) error {
	w := &walk{rule: rule{own: true}}
	if err := w.follow(name); err != nil {
		return err
	}
	w.close()
	return nil
}

// Mine says whether what a descriptor stands for belongs to this process's user, and nobody else
// can write to it: with the sticky bit or without.
func Mine(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if int(st.Uid) != os.Geteuid() {
		return belongs(f, st.Uid)
	}
	if st.Mode&0o022 != 0 {
		return writable(f)
	}
	return nil
}

// MineAt is Mine for a name that nobody else can change. A link is none of what is asked for.
func MineAt(name string) error {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return &os.PathError{Op: "open", Path: name, Err: unix.ELOOP}
	}
	return Mine(f)
}

func belongs(f *os.File, uid uint32) error {
	return shared{fmt.Errorf("%s belongs to user %d", f.Name(), uid)}
}

func writable(f *os.File) error {
	return shared{fmt.Errorf("%s can be written by others than its owner", f.Name())}
}

// lookOwn judges a directory or a link on the way to one that is the user's own.
func lookOwn(f *os.File, st *unix.Stat_t) error {
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() && !unknown(st.Uid) {
		return belongs(f, st.Uid)
	}
	const group, others = 0o020, 0o002
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK || st.Mode&(group|others) == 0 || st.Mode&unix.S_ISVTX != 0:
		return nil
	case st.Mode&others == 0 && alone(st.Gid) && !listed(f):
		return nil
	}
	return fault.WithHint(writable(f), "chmod go-w "+f.Name())
}

// listed says whether a file has an access control list (acl(5)), of which the group's bits show
// the most that anybody in it may.
func listed(f *os.File) bool {
	_, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), "system.posix_acl_access", nil)
	return !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP)
}

// mkdir makes the next directory, if somebody else has not just done so, and goes there.
func (w *walk) mkdir(part string) error {
	if err := unix.Mkdirat(int(w.at.Fd()), part, w.make); err != nil && err != unix.EEXIST {
		return &os.PathError{Op: "mkdir", Path: path.Join(w.at.Name(), part), Err: err}
	}
	return w.step(int(w.at.Fd()), part)
}
