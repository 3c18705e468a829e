package mount

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestWalk holds the walk for old kernels against openat2 on a tree of hostile links.
func TestWalk(t *testing.T) {
	d := t.TempDir()
	for _, dir := range []string{"a/b/c", "x"} {
		must(t, os.MkdirAll(d+"/"+dir, 0o755))
	}
	write(t, d+"/a/file", "file")
	write(t, d+"/etc/passwd", "ours")
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

func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"/a\\040b", "\\", "\\134", "\\999", "/x\\01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := unescape(b); len(got) > len(b) {
			t.Errorf("%q grew to %q", b, got)
		}
		mountPoints(b)
	})
}
