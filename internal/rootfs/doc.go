// Package rootfs shows a file tree as it looks from inside: absolute symbolic links, and "..", stay within it.
//
// It exists because a host or a runtime below another directory must be read as its own programs would read it, and
// because the build cache has to know what was consulted: a Root remembers every file, directory, link and absence
// that an answer depended on (Trace), and one lstat for each later tells whether the answer still holds.
//
// A Root is one look at a tree: a name is examined once, and later questions get the same answer. It never creates
// or changes anything, and never opens what is not a regular file or a directory (OpenPath opens a name only).
package rootfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/regular"
)

const (
	// maxLinks is how many links one path may lead over, as in Linux (MAXSYMLINKS, include/linux/namei.h).
	maxLinks = 40
	// maxNames bounds the listing of one directory.
	maxNames = 1 << 17
	// maxPath is PATH_MAX.
	maxPath = 4096
)

var (
	// ErrTooLarge is returned by ReadFile for a file above its limit.
	ErrTooLarge = regular.ErrTooLarge
	// ErrNotRegular is returned for a pipe, a device or a socket in a file's place.
	ErrNotRegular = regular.ErrNotRegular
)

// Root is a file tree. Its methods may be called concurrently. The paths given are absolute paths inside; a relative
// one counts from the root.
type Root struct {
	dir     string // outside, canonical
	flatpak bool   // dir/files is /usr
	usrOnly bool   // /bin, /lib and the like are not there, and stand for those in /usr
	fd      *os.File

	guest     bool // somebody else's, see OpenAt
	recording bool // contents too, see RecordContents
	limited   bool // what is done is paid for from the budget
	budget    atomic.Int64
	unsure    atomic.Bool // an answer depended on what Contents cannot tell, see failed
	short     atomic.Bool // and on what the machine was short of

	mu     sync.Mutex
	nodes  map[string]*node
	access map[string]*access
}

// Info is what stat says of a file.
type Info struct {
	// Path is the canonical path inside the root: no component of it is a symbolic link.
	Path string
	Mode fs.FileMode
	Size int64
	// Dev and Ino identify the file: two paths with the same pair are hard links.
	Dev, Ino uint64
}

// Open returns the tree below dir. A directory with files/ and without usr/ is taken for a Flatpak runtime, whose
// files/ is /usr. Where that, or a tree with usr/ and none of bin, lib, lib64 and sbin, has no links of these names
// at the top, it is seen as if they were there.
func Open(dir string) (*Root, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("root %s: %w", dir, err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("root %s: %w", dir, err)
	}
	r := &Root{dir: abs, nodes: map[string]*node{}, access: map[string]*access{}}
	top := abs
	if !isDir(filepath.Join(abs, "usr")) && isDir(filepath.Join(abs, "files")) {
		r.flatpak, top = true, filepath.Join(abs, "files")
	}
	r.usrOnly = !r.flatpak && !slices.ContainsFunc(usrLinks, func(l string) bool {
		_, err := os.Lstat(filepath.Join(abs, l))
		return err == nil
	})
	fd, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: top, Err: err}
	}
	r.fd = os.NewFile(uintptr(fd), top)
	return r, nil
}

// OpenAt returns the tree below an open directory, which becomes the Root's own. name is what error messages call it, and
// what paths outside begin with. What is a Flatpak runtime to Open is an ordinary tree here: a container's root has /usr
// at its place. The directory may lie in another mount namespace: nothing is looked up but below the descriptor. What is mounted
// in it of the kernel's (/proc, /sys) has regular files for which reading is an act; none of them is opened for reading.
func OpenAt(dir *os.File, name string) *Root {
	return &Root{dir: name, fd: dir, guest: true, nodes: map[string]*node{}, access: map[string]*access{}}
}

// isDir does not follow a link: files/ of a hostile tree may be one that leads outside.
func isDir(p string) bool {
	st, err := os.Lstat(p)
	return err == nil && st.IsDir()
}

// Close releases the root's descriptor. Trace may still be called.
func (r *Root) Close() error { return r.fd.Close() }

// Dir is the root's directory outside, absolute and free of links.
func (r *Root) Dir() string { return r.dir }

// Flatpak tells whether the tree is a Flatpak runtime: Dir()/files is /usr.
func (r *Root) Flatpak() bool { return r.flatpak }

// HostPath is the path outside of a canonical path inside.
func (r *Root) HostPath(canonical string) string {
	return filepath.Join(r.top(), r.relative(canonical))
}

func (r *Root) top() string {
	if r.flatpak {
		return filepath.Join(r.dir, "files")
	}
	return r.dir
}

// relative is a canonical path relative to r.fd. Of a Flatpak runtime only /usr has files, see node.
func (r *Root) relative(canonical string) string {
	p := canonical[1:]
	if r.flatpak {
		p = trimUsr(canonical)
	}
	if p == "" {
		return "."
	}
	return p
}

func trimUsr(canonical string) string {
	if canonical == "/usr" || canonical == "/" {
		return ""
	}
	return canonical[len("/usr/"):]
}

// Resolve returns the canonical path of a file or directory. The error wraps fs.ErrNotExist when there is none.
func (r *Root) Resolve(p string) (string, error) {
	i, err := r.Stat(p)
	return i.Path, err
}

// Stat follows links.
func (r *Root) Stat(p string) (Info, error) { return r.stat("stat", p, true) }

// Lstat does not follow a link in the last component.
func (r *Root) Lstat(p string) (Info, error) { return r.stat("lstat", p, false) }

func (r *Root) stat(op, p string, follow bool) (Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	canonical, n, err := r.walk(p, follow)
	if err != nil {
		return Info{}, &fs.PathError{Op: op, Path: r.outside(p), Err: err}
	}
	r.note(canonical, n)
	return n.info(canonical), nil
}

// Readlink returns the text of a symbolic link.
func (r *Root) Readlink(p string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	canonical, n, err := r.walk(p, false)
	if err == nil {
		if r.note(canonical, n); n.mode&unix.S_IFMT != unix.S_IFLNK {
			err = syscall.EINVAL
		}
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: r.outside(p), Err: err}
	}
	return n.target, nil
}

// outside names a path that was not resolved, for an error message.
func (r *Root) outside(p string) string {
	if r.dir == "/" {
		return path.Clean("/" + p)
	}
	return r.dir + path.Clean("/"+p)
}
