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
	"github.com/capsule-run/capsule-run/internal/fault"
)

// errRoot says that the path of a container's root leads to something else.
var errRoot = errors.New("it is not what the runtime has mounted for the container")

// openRoot finds the container's root, and where it is mounted. At every stage at which runc and crun call us it lies where
// they have put it together, "/" is still the host's, and so are the links in /proc to the roots of the hook and of the
// container's process. Where a runtime has changed the root already, "/" is the container's.
//
// The path is followed once, by name: a descriptor of the bundle would lead to the mounts of the namespace that it was
// opened in, and the runtime has followed the path by name too. Who can rename a directory above the root between the
// two, or change a link there, might lead us to any directory of the host, and into it would go what is for the
// container. So what was opened must be what a runtime leaves: the root of a mount that shows the directory
// which it lies on (both bind the root to itself before anything else). The mount table tells that by the mount's number,
// which the kernel gives for the descriptor, and not by path; from there on nothing depends on names outside of the root.
func openRoot(thread *confine.Thread, proc *confine.Proc, c *oci.Container) (root *os.File, point string, err error) {
	outer, err := openDir("/")
	if err != nil {
		return nil, "", err
	}
	defer outer.Close()
	err = thread.Do(func() error {
		if root, err = openDir("/"); err != nil {
			return fmt.Errorf("the container's root: %w", err)
		}
		unchanged, err := sameFile(root, outer)
		if err != nil || !unchanged {
			point = c.Rootfs
			return err
		}
		root.Close()
		if root, err = openDir(c.Rootfs); err != nil {
			return fmt.Errorf("the container's root: %w", err)
		}
		if same, err := sameFile(root, outer); err != nil || same {
			return cmp.Or(err, fault.WithHint(errors.New("the container's root is the host's"),
				"the hook is for containers with a file tree of their own: see root.path in the bundle's config.json"))
		}
		mounts, err := proc.Mounts()
		if err == nil {
			point, err = boundToItself(root, mounts)
		}
		if errors.Is(err, errRoot) {
			err = fault.WithHint(fmt.Errorf("the container's root %s: %w", c.Rootfs, err),
				"nobody may rename or link the directories above it while the container starts; the hook knows runc and crun")
		}
		return err
	})
	if err != nil && root != nil {
		root.Close()
	}
	return root, point, err
}

// openDir opens a directory, whatever its permissions. Links are followed, as crun does; those of /proc to open files are not.
func openDir(name string) (*os.File, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), ""), nil
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
