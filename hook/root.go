package hook

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/hook/place"
	"github.com/capsule-run/capsule-run/internal/fault"
)

var (
	// errRoot says that the path of a container's root leads to something else.
	errRoot = errors.New("it is not what the runtime has mounted for the container")
	// errElsewhere says that nothing tells where the runtime will look for the container's root.
	errElsewhere = errors.New("the container's process has another root directory than the runtime")
)

// rooted is a container's root as the runtime finds it.
type rooted struct {
	root   *os.File
	point  string          // where root is mounted
	mounts []confine.Mount // of the container's mount namespace
}

// foreign lists the file systems that are mounted outside of the container's root: a volume of the
// host is one of them.
func (r *rooted) foreign() map[string]bool {
	out := map[string]bool{}
	for _, m := range r.mounts {
		if m.Point != r.point && !strings.HasPrefix(m.Point, r.point+"/") {
			out[m.Dev] = true
		}
	}
	return out
}

// openRoot finds the container's root, and where it is mounted. At every stage at which runc and
// crun call us it lies where they have put it together, and the container's process still has the
// runtime's root directory, which is the hook's too. That need not be the root of a mount
// namespace: an engine may be in a chroot. So the path is followed from that directory, as the
// container's mount namespace has it (from), and not from where joining the namespace leads. A
// runtime that has given its process another root by then (gVisor's sandbox) has the container
// where nobody could say whether it will see our mounts.
//
// The path is followed by name: a descriptor of the bundle would lead to the mounts of the
// namespace that it was opened in, and the runtime has followed the path by name too. Who can
// rename a directory above the root between the two, or change a link there, might lead us to any
// directory of the host, and into it would go what is for the container. So what was opened must be
// what a runtime leaves: the root of a mount that shows the directory which it lies on (both bind
// the root to itself before anything else). The mount table tells that by the mount's number, which
// the kernel gives for the descriptor, and not by path. It is the table of the thread's mount
// namespace, so it tells as well that the root is of that one.
func openRoot(thread *confine.Thread, proc *confine.Proc, from *os.File, c *oci.Container) (*rooted, error) {
	outer, err := openTop()
	if err != nil {
		return nil, err
	}
	defer outer.Close()
	if same, err := sameFile(from, outer); err != nil || !same {
		return nil, cmp.Or(err, fault.WithHint(errElsewhere,
			"the hook knows runc and crun, which change it after the hook; gVisor, for one, keeps a container where no hook reaches it"))
	}
	root, err := place.OpenDir(from, c.Rootfs)
	if err != nil {
		return nil, fmt.Errorf("the container's root: %w", err)
	}
	r := &rooted{root: root}
	if err := r.look(thread, proc, from, c); err != nil {
		root.Close()
		return nil, err
	}
	return r, nil
}

func (r *rooted) look(thread *confine.Thread, proc *confine.Proc, from *os.File, c *oci.Container) error {
	if same, err := sameFile(r.root, from); err != nil || same {
		return cmp.Or(err, fault.WithHint(errors.New("the container's root is the host's"),
			"the hook is for containers with a file tree of their own: see root.path in the bundle's config.json"))
	}
	err := thread.Do(func() (err error) {
		r.mounts, err = proc.Mounts()
		return err
	})
	if err == nil {
		r.point, err = boundToItself(r.root, r.mounts)
	}
	if errors.Is(err, errRoot) {
		err = fault.WithHint(fmt.Errorf("the container's root %s: %w", c.Rootfs, err),
			"nobody may rename or link the directories above it while the container starts; the hook knows runc and crun")
	}
	return err
}

// boundToItself returns where a directory is mounted, if it is the root of a mount that shows what it lies on.
func boundToItself(dir *os.File, mounts []confine.Mount) (string, error) {
	var st unix.Statx_t
	if err := unix.Statx(int(dir.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil {
		return "", fmt.Errorf("statx: %w", err)
	}
	if st.Attributes_mask&st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 { // Linux 5.8
		return "", errRoot
	}
	return showsWhatIsBelow(st.Mnt_id, mounts)
}

// showsWhatIsBelow returns where a mount is, if what it shows of its file system is what it covers.
func showsWhatIsBelow(id uint64, mounts []confine.Mount) (string, error) {
	byID := map[uint64]confine.Mount{}
	for _, m := range mounts {
		byID[m.ID] = m
	}
	m, ok := byID[id]
	below, known := byID[m.Parent]
	rest, inside := strings.CutPrefix(m.Point, strings.TrimSuffix(below.Point, "/"))
	if !ok || !known || !inside || m.Dev != below.Dev || m.Root != path.Join(below.Root, rest) {
		return "", errRoot
	}
	return m.Point, nil
}
