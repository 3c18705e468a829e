// Package trust opens files that say what is done with somebody's rights, if nobody else can have written them: neither the
// file, nor by putting another in the place of it or of a directory above it. It exists so that the launcher, the hook and
// what sets the hook up ask the same question. It judges no contents.
//
// The rule for root is that of sudo and of sshd's StrictModes: file and directories belong to root, and no group and nobody
// else can write to them. A directory may have the sticky bit instead, as /tmp: in it only the owner of a file can
// rename or remove it, and that is root. Links are followed one by one, and must belong to root too.
//
// For others it is what can be asked of everybody's home: that not the whole world can write to it. Groups may write, since
// many systems give each user a group of their own (umask 002). Owners, whom a user namespace does not show, are looked at
// only in a directory in which everybody can make files: what lies in /tmp, which some services have as their home, may be
// anybody's. The same rule holds for a user's own files, whoever reads them.
//
// Directories of code that is run, caches, are asked more: Own (own.go).
package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
)

// Whose file it is.
type Whose int

const (
	// Machine is the administrator's, which counts for everybody.
	Machine Whose = iota
	// User is a user's own.
	User
)

// maxLinks in a path is the kernel's (include/linux/namei.h, MAXSYMLINKS).
const maxLinks = 40

// errUnreachable says that a directory above may not be searched.
var errUnreachable = errors.New("a directory above is closed to this user")

// Missing says whether an error of Read or Check means that there is no such file for us. A user's is missing, too, where
// a directory above it may not be searched: HOME is then somebody else's (/root, after setpriv(1)), or on a server that does
// not know root as such. Git has the same rule.
func Missing(err error, whose Whose) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || whose == User && errors.Is(err, errUnreachable)
}

// Read returns the text of a regular file of at most limit bytes. It does not wait for a pipe's writer. Missing tells whether
// there is none; what makes it untrustworthy has a hint.
func Read(name string, whose Whose, limit int64) ([]byte, error) {
	w := &walk{rule: ruleFor(whose)}
	if err := w.follow(name); err != nil {
		return nil, err
	}
	defer w.close()
	f, err := w.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return regular.All(f, limit)
}

// Check is the question alone, for a file or a directory.
func Check(name string, whose Whose) error {
	w := &walk{rule: ruleFor(whose)}
	if err := w.follow(name); err != nil {
		return err
	}
	w.close()
	return nil
}

// rule is what owner and mode must be.
type rule struct {
	own       bool   // that of Own
	hidden    bool   // whose number a user namespace does not show is taken for root
	root      bool   // it must be root's
	file, dir uint32 // permission bits that it must not have
}

// ruleFor is the one for this process's user.
func ruleFor(whose Whose) rule {
	r := rule{file: 0o002, dir: 0o002, hidden: whose == Machine}
	if whose == Machine && os.Geteuid() == 0 {
		r.file = 0o022
		if !inUserNamespace() {
			r.root, r.dir = true, 0o022
		}
	}
	return r
}

// look judges what a descriptor stands for.
func (r rule) look(f *os.File) (kind uint32, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	kind = st.Mode & unix.S_IFMT
	if r.own {
		return kind, lookOwn(f, &st)
	}
	if r.root && st.Uid != 0 {
		return kind, fault.WithHint(fmt.Errorf("%s belongs to user %d", f.Name(), st.Uid), "chown -h root "+f.Name())
	}
	bad, who := r.file, "go"
	if kind == unix.S_IFDIR {
		bad = r.dir
	}
	if bad == 0o002 {
		who = "o"
	}
	sticky := kind == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0
	if st.Mode&bad != 0 && kind != unix.S_IFLNK && !sticky {
		return kind, fault.WithHint(fmt.Errorf("%s can be written by others than its owner", f.Name()), "chmod "+who+"-w "+f.Name())
	}
	return kind, nil
}

// lookIn judges what lies in a directory in which everybody can make files, but nobody can replace another's: the owner is who
// has written it.
func (r rule) lookIn(dir, f *os.File) error {
	var above, st unix.Stat_t
	many := uint32(0o002)
	if r.own {
		many = 0o022
	}
	if r.root || unix.Fstat(int(dir.Fd()), &above) != nil || above.Mode&many == 0 || unix.Fstat(int(f.Fd()), &st) != nil {
		return nil
	}
	// The directory's owner can replace everything in it. Two owners that a user namespace does not
	// show need not be one.
	owners := st.Uid == above.Uid && !r.own && (r.hidden || !unknown(st.Uid))
	if st.Uid == 0 || owners || int(st.Uid) == os.Geteuid() {
		return nil
	}
	if r.own {
		return belongs(f, st.Uid)
	}
	return fault.WithHint(fmt.Errorf("%s belongs to user %d, in a directory in which everybody can make files", f.Name(), st.Uid),
		"name a directory of your own by XDG_CONFIG_HOME or HOME")
}

// walk is a path that is followed name by name: at is an O_PATH descriptor of how far it is, up of the directory above.
type walk struct {
	rule   rule
	up, at *os.File
	kind   uint32 // of at
	wrong  error  // what was first found wrong on the way
	make   uint32 // the mode of directories that are made where they are missing; 0: none is
}

func (w *walk) close() {
	for _, f := range []*os.File{w.up, w.at} {
		if f != nil {
			f.Close()
		}
	}
}

// follow goes to the end of a path, every step of which must fulfil the rule.
func (w *walk) follow(name string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	err = w.along(name)
	if err == nil && w.rule.own {
		err = Mine(w.at) // first: what is in it may be somebody else's, whatever is done to its mode
	}
	if err == nil || w.rule.own && w.wrong != nil && !errors.Is(err, ErrShared) {
		err = w.wrong // only now: a file that is not there can stay away from wherever it likes
	}
	if err != nil {
		w.close()
	}
	return err
}

func (w *walk) along(name string) error {
	if err := w.step(unix.AT_FDCWD, "/"); err != nil {
		return err
	}
	links, todo := 0, strings.Split(name, "/")
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == "" || part == "." {
			continue
		}
		err := w.step(int(w.at.Fd()), part)
		if w.make != 0 && errors.Is(err, fs.ErrNotExist) && w.wrong == nil {
			err = w.mkdir(part)
		}
		if err != nil {
			return err
		}
		if w.kind != unix.S_IFLNK {
			continue
		}
		target, err := readlink(w.at)
		if links++; err == nil && links > maxLinks {
			err = unix.ELOOP
		}
		if err != nil {
			return &os.PathError{Op: "open", Path: name, Err: err}
		}
		if path.IsAbs(target) {
			err = w.step(unix.AT_FDCWD, "/")
		} else { // from where the link is
			err = w.step(int(w.up.Fd()), ".")
		}
		if err != nil {
			return err
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return nil
}

// step opens the next name, in a directory.
func (w *walk) step(dir int, part string) error {
	name := part
	if dir != unix.AT_FDCWD {
		name = path.Join(w.at.Name(), part)
		if part == "." {
			name = w.up.Name()
		}
	}
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, part, flags|unix.O_DIRECTORY, 0) // which has a home mounted that nobody has used yet (autofs)
	if err == unix.ENOTDIR {
		fd, err = unix.Openat(dir, part, flags, 0)
	}
	if err == unix.EACCES { // O_PATH asks for no right to the file itself
		return &os.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w (%w)", err, errUnreachable)}
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	if w.up != nil {
		w.up.Close()
	}
	w.up, w.at = w.at, os.NewFile(uintptr(fd), name)
	w.kind, err = w.rule.look(w.at)
	if err == nil && dir != unix.AT_FDCWD && part != "." && part != ".." {
		err = w.rule.lookIn(w.up, w.at)
	}
	if err != nil && w.wrong == nil {
		w.wrong = err
	}
	return nil
}

// open opens the regular file at the end for reading. It is looked up once more, and what is found is judged.
func (w *walk) open() (*os.File, error) {
	name := w.at.Name()
	if w.kind != unix.S_IFREG {
		return nil, fmt.Errorf("%s: %w", name, regular.ErrNotRegular)
	}
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(int(w.up.Fd()), path.Base(name), flags, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	kind, err := w.rule.look(f)
	if err == nil {
		err = w.rule.lookIn(w.up, f)
	}
	if err == nil && kind != unix.S_IFREG {
		err = fmt.Errorf("%s: %w", name, regular.ErrNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readlink reads the link that an O_PATH descriptor stands for.
func readlink(f *os.File) (string, error) {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), "", b)
	if err == nil && n == len(b) {
		err = unix.ENAMETOOLONG
	}
	return string(b[:max(n, 0)]), err
}
