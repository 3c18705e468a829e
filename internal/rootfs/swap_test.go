package rootfs

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// opens counts how often what is at a path is opened, by anybody and however briefly: the kernel
// notes it within the call.
func opens(t *testing.T, path string) func() int {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN|unix.IN_DONT_FOLLOW); err != nil {
		t.Fatal(err)
	}
	return func() int {
		b := make([]byte, 4096)
		n, err := unix.Read(fd, b)
		if err != nil && err != unix.EAGAIN {
			t.Fatal(err)
		}
		return max(n, 0) / unix.SizeofInotifyEvent
	}
}

// What has been found to be a file or directory is another thing when it is opened. That is not
// opened: a device may act on it, a pipe's writer goes on.
func TestSwappedIsNotOpened(t *testing.T) {
	node := func(kind, major, minor uint32) func(string) error {
		return func(name string) error { return unix.Mknod(name, kind|0o666, int(unix.Mkdev(major, minor))) }
	}
	for _, c := range []struct {
		name string
		make func(name string) error
	}{
		{"pipe", node(unix.S_IFIFO, 0, 0)},
		{"character device", node(unix.S_IFCHR, 1, 3)}, // /dev/null
		{"terminal multiplexer", node(unix.S_IFCHR, 5, 2)},
		{"socket", node(unix.S_IFSOCK, 0, 0)},
		{"link to a pipe", func(name string) error {
			return errors.Join(unix.Mkfifo(name+".pipe", 0o666), os.Symlink(name+".pipe", name))
		}},
	} {
		for _, guest := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/guest %v", c.name, guest), func(t *testing.T) {
				dir := makeTree(t, "lib/a = text", "list/a")
				r := open(t, dir)
				r.guest = guest
				for _, name := range []string{"/lib/a", "/list"} {
					if _, err := r.Stat(name); err != nil {
						t.Fatal(err)
					}
					if err := os.RemoveAll(dir + name); err != nil {
						t.Fatal(err)
					}
					err := c.make(dir + name)
					if errors.Is(err, unix.EPERM) && os.Getenv("CAPSULE_MUST_WORK") != "1" {
						t.Skipf("needs root: %v", err)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				watched := []func() int{opens(t, dir+"/lib/a"), opens(t, dir+"/list")}
				if c.name == "link to a pipe" {
					watched = append(watched, opens(t, dir+"/lib/a.pipe"), opens(t, dir+"/list.pipe"))
				}
				if _, err := r.OpenFile("/lib/a"); err == nil {
					t.Error("OpenFile gives it")
				}
				if names, err := r.ReadDir("/list"); err == nil {
					t.Errorf("ReadDir gives %q", names)
				}
				for i, count := range watched {
					if n := count(); n > 0 {
						t.Errorf("%d was opened %d times", i, n)
					}
				}
			})
		}
	}
}

// A file of the kernel's in somebody else's tree is not opened, let alone read.
func TestKernelsFileIsNotOpened(t *testing.T) {
	dir, err := os.Open("/proc/sys/kernel")
	if err != nil {
		t.Fatal(err)
	}
	r := OpenAt(dir, "proc")
	defer r.Close()
	count := opens(t, "/proc/sys/kernel/ostype")
	if _, err := r.OpenFile("/ostype"); !errors.Is(err, errKernels) {
		t.Errorf("got %v, want %v", err, errKernels)
	}
	if n := count(); n > 0 {
		t.Errorf("it was opened %d times", n)
	}
	if _, err := os.ReadFile("/proc/sys/kernel/ostype"); err != nil || count() == 0 {
		t.Errorf("this test sees no opening there: %v", err)
	}
}

// Without /proc a tree of our own is opened by name, somebody else's not at all.
func TestOpenWithoutProc(t *testing.T) {
	old := descriptors
	descriptors = func() (*os.File, error) { return nil, errors.New("no /proc") }
	defer func() { descriptors = old }()
	r := open(t, makeTree(t, "a = text"))
	if b, err := r.ReadFile("/a", 9); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	r = open(t, makeTree(t, "a = text"))
	r.guest = true
	if b, err := r.ReadFile("/a", 9); err == nil {
		t.Errorf("%q of somebody else's", b)
	}
}
