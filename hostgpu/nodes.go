package hostgpu

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// NodeInfo is what there is under a node's name.
type NodeInfo struct {
	Char         bool // a character device
	Major, Minor uint32
	Mode         uint32 // permission bits
	UID, GID     uint32
	Access       bool // this process may open it for reading and writing, as far as its permissions say
}

// Examine looks at the node at a path inside a root.
type Examine func(*rootfs.Root, string) (NodeInfo, error)

// byDescriptor looks at one inode: what fstat says and what may be done is of the same file.
func byDescriptor(root *rootfs.Root, p string) (NodeInfo, error) {
	f, err := root.OpenPath(p)
	if err != nil {
		return NodeInfo{}, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return NodeInfo{}, &fs.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	rdev := uint64(st.Rdev)
	return NodeInfo{Char: st.Mode&unix.S_IFMT == unix.S_IFCHR, Major: unix.Major(rdev), Minor: unix.Minor(rdev),
		Mode: st.Mode & 0o777, UID: st.Uid, GID: st.Gid, Access: accessible(int(f.Fd()))}, nil
}

// accessible asks the kernel, which knows of access control lists too (logind gives GPUs to who sits at the machine).
func accessible(fd int) bool {
	const how = unix.R_OK | unix.W_OK
	err := unix.Faccessat(fd, "", how, unix.AT_EMPTY_PATH|unix.AT_EACCESS)
	if err == unix.ENOSYS || err == unix.EINVAL { // before Linux 5.8
		err = unix.Access("/proc/self/fd/"+strconv.Itoa(fd), how)
	}
	return err == nil
}

// wanted is a node that should be there, and the number that the kernel gives it.
type wanted struct {
	path, why, hint string
	major, minor    uint32
	known           bool
}

// node compares what should be there with what is.
func (d *discovery) node(w wanted) *Node {
	if n := d.nodes[w.path]; n != nil {
		return n
	}
	n := &Node{Path: w.path, Why: w.why, Major: w.major, Minor: w.minor}
	d.nodes[w.path] = n
	info, err := d.examine(d.Root, w.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n.State, n.Problem, n.Hint = Missing, "is missing", w.hint
		return n
	case err != nil:
		n.State, n.Problem, n.Hint = NoAccess, "cannot be looked at: "+reason(err), d.groupHint("")
		return n
	}
	if at, err := d.Resolve(w.path); err == nil {
		n.Source = d.HostPath(at)
	} else {
		n.Source = d.HostPath(w.path)
	}
	n.bits, n.Mode, n.UID, n.GID, n.Group = info.Mode, fmt.Sprintf("%04o", info.Mode), info.UID, info.GID, d.groups[info.GID]
	switch {
	case !info.Char:
		n.State, n.Problem = Foreign, "is no character device"
	case !w.known:
		n.State, n.Problem = Unverified, fmt.Sprintf("is device %d:%d, and the kernel does not say whose that is", info.Major, info.Minor)
	case info.Major != w.major || info.Minor != w.minor:
		n.State, n.Problem = Foreign, fmt.Sprintf("is device %d:%d, not %d:%d", info.Major, info.Minor, w.major, w.minor)
	case !info.Access:
		n.State, n.Problem = NoAccess, fmt.Sprintf("may not be opened by this user (mode %s, group %s)", n.Mode, cmp.Or(n.Group, strconv.Itoa(int(n.GID))))
		if n.NeedsGroup() {
			n.Hint = d.groupHint(n.Group)
		} else {
			n.Hint = d.groupHint("")
		}
	default:
		n.State = Usable
	}
	if n.State == Foreign || n.State == Unverified {
		n.Major, n.Minor = info.Major, info.Minor
	}
	return n
}

func reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

func (d *discovery) groupHint(group string) string {
	if group == "" {
		group = strings.Join(d.rules.Groups, " or ")
	}
	if group == "" {
		return ""
	}
	return "add the user to the group " + group + " (usermod -aG), and log in again"
}

// rule makes the nodes of a rule: those that its pattern finds, or the one it names.
func (d *discovery) rule(r *configs.Nodes) []*Node {
	paths := []string{r.Path}
	if r.Pattern() {
		paths = d.glob(r.Path)
	}
	var out []*Node
	for _, p := range paths {
		n := d.ruleNode(r, p)
		if n.State == Missing && (r.Optional || !d.exists(r, p)) {
			continue
		}
		out = append(out, n)
	}
	return out
}

// exists tells whether the kernel knows of the device, or must for the family to work.
func (d *discovery) exists(r *configs.Nodes, p string) bool {
	return r.Sysfs == "" || d.text(sysfsOf(r, p)) != ""
}

func sysfsOf(r *configs.Nodes, p string) string {
	return strings.ReplaceAll(r.Sysfs, "{name}", path.Base(p))
}

func (d *discovery) ruleNode(r *configs.Nodes, p string) *Node {
	w := wanted{path: p, why: r.Why, hint: r.Hint}
	if r.Sysfs != "" {
		w.major, w.minor, w.known = number(d.text(sysfsOf(r, p)))
		return d.node(w)
	}
	w.minor, w.known = ending(p)
	if r.Minor != nil {
		w.minor, w.known = *r.Minor, true
	}
	i := slices.IndexFunc(r.Majors, func(name string) bool { _, ok := d.major[name]; return ok })
	if i < 0 {
		w.known = false
	} else {
		w.major = d.major[r.Majors[i]]
	}
	return d.node(w)
}

// ending is the number that a name ends with.
func ending(p string) (uint32, bool) {
	digits := len(p) - len(strings.TrimRight(p, "0123456789"))
	n, err := strconv.ParseUint(p[len(p)-digits:], 10, 32)
	return uint32(n), err == nil
}

// glob lists what matches a pattern that has one in its last component only.
func (d *discovery) glob(pattern string) []string {
	dir, last := path.Split(pattern)
	var out []string
	for _, name := range d.list(dir) {
		if ok, _ := path.Match(last, name); ok {
			out = append(out, dir+name)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { // nvidia10 after nvidia9
		x, _ := ending(a)
		y, _ := ending(b)
		return cmp.Compare(x, y)
	})
	return out
}
