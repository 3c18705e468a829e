package rootfs

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// node is what one name was found to be.
type node struct {
	absent       bool
	virtual      bool   // of the top of a Flatpak runtime: there is no such file
	target       string // of a symbolic link
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds since the epoch
	seen         int64 // when it was examined
	mode         uint32
	err          error // another error than "no such file"
}

func (n *node) is(t uint32) bool { return n.mode&unix.S_IFMT == t }

func (n *node) info(canonical string) Info {
	m := fs.FileMode(n.mode & 0o777)
	switch n.mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFCHR:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		m |= fs.ModeDevice
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	default:
		m |= fs.ModeIrregular
	}
	return Info{Path: canonical, Mode: m, Size: n.size, Dev: n.dev, Ino: n.ino}
}

// usrLinks are the top-level names that lead into a merged /usr.
var usrLinks = []string{"bin", "lib", "lib32", "lib64", "sbin"}

// impliedLinks are those that the tree leaves to who mounts it: Flatpak makes them in the sandbox, and for a tree
// with /usr alone systemd does at boot.
func (r *Root) impliedLinks() []string {
	switch {
	case r.flatpak:
		return append([]string{"etc"}, usrLinks...)
	case r.usrOnly:
		return usrLinks
	}
	return nil
}

// implied returns the link that a top-level name stands for, or nil.
func (r *Root) implied(canonical string) *node {
	if strings.Count(canonical, "/") != 1 || !slices.Contains(r.impliedLinks(), canonical[1:]) {
		return nil
	}
	n := r.node("/usr" + canonical)
	r.note("/usr"+canonical, n)
	if n.absent {
		return nil
	}
	return &node{virtual: true, mode: unix.S_IFLNK | 0o777, target: "usr" + canonical}
}

// node examines a name whose parent is canonical. r.mu is held.
func (r *Root) node(canonical string) *node {
	if n, ok := r.nodes[canonical]; ok {
		return n
	}
	n := r.examine(canonical)
	if !r.spend(nodeCost + 32*(len(canonical)+len(n.target))) {
		return &node{err: errTooMuch}
	}
	r.nodes[canonical] = n
	return n
}

func (r *Root) examine(canonical string) *node {
	if r.flatpak && canonical != "/usr" && !strings.HasPrefix(canonical, "/usr/") {
		if canonical == "/" {
			return &node{virtual: true, mode: unix.S_IFDIR | 0o755}
		}
		if n := r.implied(canonical); n != nil {
			return n
		}
		return &node{virtual: true, absent: true}
	}
	n := &node{seen: now()}
	st, target, err := r.look(r.relative(canonical))
	if err != nil {
		if err == unix.ENOENT || err == unix.ENOTDIR {
			n.absent = true
			if l := r.implied(canonical); l != nil {
				return l
			}
		} else {
			n.err = err
		}
		return n
	}
	n.dev, n.ino, n.size, n.mode = st.Dev, st.Ino, st.Size, st.Mode
	n.mtime, n.ctime = st.Mtim.Nano(), st.Ctim.Nano()
	n.target = target
	return n
}

// look says what lies at a path below the root, and the text of a link. No component before the
// last is a link, as far as we saw. Should one become a link meanwhile, the path is refused in
// somebody else's tree, where it might lead to what others must not even ask for. In one of our
// own, what is learned is wrong then, but nothing is opened by it: open resolves again, inside the
// root.
func (r *Root) look(rel string) (st unix.Stat_t, target string, err error) {
	dir, name := int(r.fd.Fd()), rel
	if r.guest {
		if dir, err = inroot.OpenPlain(dir, rel, unix.O_PATH); err != nil {
			return st, "", err
		}
		defer unix.Close(dir)
		name = ""
	}
	if err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return st, "", err
	}
	b := make([]byte, maxPath)
	k, err := unix.Readlinkat(dir, name, b)
	return st, string(b[:max(k, 0)]), err
}

// searchError says in which directory the search for a path ended.
type searchError struct {
	dir string
	err error
}

func (e *searchError) Error() string { return e.err.Error() }
func (e *searchError) Unwrap() error { return e.err }

// Denied returns the outside path of what this process may not read, or search, if an error says so; else empty.
func Denied(err error) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	var search *searchError
	if errors.As(err, &search) {
		return search.dir
	}
	var open *fs.PathError
	if errors.As(err, &open) {
		return open.Path
	}
	return ""
}

// walk resolves a path as the kernel would after chroot, and notes the links it went over and where it found
// nothing. r.mu is held.
func (r *Root) walk(p string, follow bool) (string, *node, error) {
	if len(p) >= maxPath {
		return "", nil, syscall.ENAMETOOLONG
	}
	if strings.IndexByte(p, 0) >= 0 {
		return "", nil, syscall.EINVAL
	}
	rest := strings.Split(p, "/")
	at, links := "/", 0
	n := r.node(at)
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if !r.spend(stepCost + len(at) + len(name)) {
			return "", nil, errTooMuch
		}
		switch {
		case name == "" || name == ".":
			continue
		case !n.is(unix.S_IFDIR):
			r.note(at, n) // the answer depends on what stands there
			return "", nil, syscall.ENOTDIR
		case name == "..":
			if r.recording {
				r.note(at, n) // that there is such a directory
			}
			at = path.Dir(at)
			n = r.node(at)
			continue
		}
		next := path.Join(at, name)
		c := r.node(next)
		switch {
		case c.absent:
			r.note(next, c)
			return "", nil, fs.ErrNotExist
		case c.err != nil:
			r.note(at, n) // its mode may be what was in the way
			r.failed(c.err)
			return "", nil, &searchError{r.HostPath(at), c.err}
		case c.is(unix.S_IFLNK) && (follow || !last(rest)):
			r.note(next, c)
			if links++; links > maxLinks {
				return "", nil, syscall.ELOOP
			}
			if !r.spend(len(c.target) + len(rest)) {
				return "", nil, errTooMuch
			}
			rest = append(strings.Split(c.target, "/"), rest...)
			if strings.HasPrefix(c.target, "/") {
				at = "/"
				n = r.node(at)
			}
			continue
		}
		at, n = next, c
	}
	if n.err != nil {
		r.failed(n.err)
		return "", nil, n.err
	}
	return at, n, nil
}

// last says whether nothing but slashes follows. Unlike the kernel we do not follow a link for a trailing slash.
func last(rest []string) bool {
	return !slices.ContainsFunc(rest, func(s string) bool { return s != "" })
}
