package inroot

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWalk holds the walk for old kernels against openat2 on a tree of hostile links.
func TestWalk(t *testing.T) {
	d := t.TempDir()
	for _, dir := range []string{"a/b/c", "x", "etc"} {
		must(t, os.MkdirAll(d+"/"+dir, 0o755))
	}
	must(t, os.WriteFile(d+"/a/file", nil, 0o644))
	must(t, os.WriteFile(d+"/etc/passwd", nil, 0o644))
	for link, text := range map[string]string{
		"abs": "/a/b", "up": "../../../../etc/passwd", "a/b/up": "../../../x", "loop": "loop", "ping": "pong", "pong": "ping",
		"slash": "a/file/", "dot": ".", "chain": "abs/../file", "gone": "nothing", "absroot": "/", "a/b/self": "../b/c/../../b",
	} {
		must(t, os.Symlink(text, d+"/"+link))
	}
	root, err := unix.Open(d, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(root)
	names := []string{
		"/", ".", "..", "/..", "a", "/a//b/./c", "abs", "abs/c", "abs/../..", "up", "a/b/up", "loop", "ping/x", "slash", "dot/dot/a",
		"chain", "gone", "gone/x", "absroot/absroot/a", "a/b/self/self/c", "a/file", "a/file/x", "a/file/..", "../../etc/passwd",
		"a/b/up/../etc/passwd", "x/../a/nothing",
	}
	for _, name := range []string{".", "a", "a/b/c", "a/file", "a/file/x", "abs", "abs/c", "up", "a/b/up/etc", "gone", "gone/x", "nothing", "a/b/self/c"} {
		for _, flags := range []int{unix.O_PATH, unix.O_RDONLY, unix.O_RDONLY | unix.O_DIRECTORY} {
			fd, err := OpenPlain(root, name, flags)
			got, gotErr := walkPlain(root, name, flags)
			if a, b := identity(fd, err), identity(got, gotErr); a != b {
				t.Errorf("%q, flags %#x: openat2 %s, walkPlain %s", name, flags, a, b)
			}
		}
	}
	for _, name := range names {
		for _, flags := range []int{unix.O_PATH, unix.O_PATH | unix.O_DIRECTORY} {
			how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT}
			fd, err := unix.Openat2(root, name, &how)
			for err == unix.EAGAIN { // a rename or mount elsewhere
				fd, err = unix.Openat2(root, name, &how)
			}
			if err == unix.ENOSYS {
				t.Skip("this kernel has no openat2 to compare with")
			}
			got, gotErr := walk(root, name, flags)
			if a, b := identity(fd, err), identity(got, gotErr); a != b {
				t.Errorf("%q, flags %#x: openat2 %s, walk %s", name, flags, a, b)
			}
		}
	}
}

func identity(fd int, err error) string {
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("inode %d", st.Ino)
}
