package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/confine"
)

// tree is a container's root: a tmpfs in a mount namespace that a thread of the test alone is in. dir leads to it.
type tree struct {
	*Container
	t   *testing.T
	dir string
	at  string // in the thread's namespace
}

func newTree(t *testing.T) *tree {
	t.Helper()
	thread, err := confine.Here()
	must(t, err)
	proc, err := confine.OpenProc()
	must(t, err)
	at, root, from := t.TempDir(), -1, -1
	able(t, thread.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
		var err error
		if root, err = unix.Open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			from, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
		return err
	}))
	c := &tree{&Container{Root: os.NewFile(uintptr(root), ""), From: os.NewFile(uintptr(from), ""), Path: at, Thread: thread, Proc: proc},
		t, fmt.Sprintf("/proc/self/fd/%d/", root), at}
	t.Cleanup(func() {
		thread.Close()
		c.From.Close()
		c.Root.Close()
		proc.Close()
	})
	for _, d := range []string{"run", "etc", "dev", "usr"} {
		must(t, os.Mkdir(c.dir+d, 0o755))
	}
	c.write("etc/ld.so.cache", "old")
	return c
}

// able skips a test that may not do what needs root.
func able(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, unix.EPERM) && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skipf("needs root: %v", err)
	}
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *tree) write(name, text string) {
	c.t.Helper()
	must(c.t, os.WriteFile(c.dir+name, []byte(text), 0o644))
}

// read follows links inside the tree alone, as a program of the container would.
func (c *tree) read(name string) string {
	c.t.Helper()
	f, err := openAt(c.Root, name, unix.O_RDONLY, unix.RESOLVE_IN_ROOT)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b := make([]byte, 100)
	n, _ := f.Read(b)
	return string(b[:n])
}

// state lists the tree's names and the namespace's mounts.
func (c *tree) state() string {
	c.t.Helper()
	var out []string
	must(c.t, filepath.WalkDir(c.dir, func(name string, e fs.DirEntry, err error) error {
		out = append(out, strings.TrimPrefix(name, c.dir)+" "+e.Type().String())
		return err
	}))
	must(c.t, c.Thread.Do(func() error {
		mounts, err := c.Proc.Mounts()
		for _, m := range mounts {
			out = append(out, fmt.Sprint(m.ID, m.Point))
		}
		return err
	}))
	return strings.Join(out, "\n")
}

// what is a small capsule: a generated file, a file and a device node of the host.
func what(t *testing.T) *What {
	t.Helper()
	host := t.TempDir()
	must(t, os.WriteFile(host+"/lib.so", []byte("library"), 0o644))
	able(t, unix.Mknod(host+"/renderD128", unix.S_IFCHR|0o666, int(unix.Mkdev(226, 128))))
	lib, err := OpenBind(host + "/lib.so")
	must(t, err)
	d, err := OpenDevice(host+"/renderD128", "/dev/dri/renderD128", 226, 128)
	must(t, err)
	return &What{Files: []File{{"a/lib/stub.so", []byte("stub"), 0o644}}, Binds: []Bind{{"a/host/lib.so", lib}},
		Cache: []byte("new"), Stamp: []byte("of the first call"), Devices: []Device{d}}
}

func TestPut(t *testing.T) {
	c := newTree(t)
	if stamp, done, err := c.Stamp(); done || stamp != nil || err != nil {
		t.Fatal(stamp, done, err)
	}
	must(t, c.Put(what(t)))
	for name, want := range map[string]string{"run/capsule/a/lib/stub.so": "stub", "run/capsule/a/host/lib.so": "library", "etc/ld.so.cache": "new"} {
		if got := c.read(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
		if f, err := openAt(c.Root, name, unix.O_WRONLY, unix.RESOLVE_IN_ROOT); !errors.Is(err, unix.EROFS) {
			t.Errorf("%s can be written to: %v, %v", name, f, err)
		}
	}
	if stamp, done, err := c.Stamp(); !done || string(stamp) != "of the first call" || err != nil {
		t.Error(stamp, done, err)
	}
}

// A later call adds device nodes, or none.
func TestPutDevices(t *testing.T) {
	c := newTree(t)
	w := what(t)
	devices := w.Devices
	w.Devices = nil
	must(t, c.Put(w))
	must(t, os.Symlink("/usr", c.dir+"dev/link"))
	before := c.state()
	bad, err := OpenDevice("/dev/null", "/dev/link", 1, 3)
	must(t, err)
	if err := c.PutDevices(append(what(t).Devices, bad)); !errors.Is(err, ErrLink) {
		t.Errorf("a link in place of a node: %v", err)
	}
	if after := c.state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	must(t, c.PutDevices(devices))
	if after := c.state(); !strings.Contains(after, "dev/dri/renderD128") {
		t.Errorf("no node:\n%s", after)
	}
}

// Whatever fails, and at whatever point: nothing that was made or mounted stays.
func TestPutIsUndone(t *testing.T) {
	for _, c := range []struct {
		name, message string
		is            error
		spoil         func(c *tree, w *What)
	}{
		{"a file that climbs", "not a clean path", nil, func(_ *tree, w *What) { w.Files[0].Path = "../x" }},
		{"a bind that is none", "fault in the hook", nil, func(_ *tree, w *What) { w.Binds = append(w.Binds, Bind{"b", nil}) }},
		{"/run/capsule is a link", "", ErrLink, func(c *tree, _ *What) { must(c.t, os.Symlink("/usr", c.dir+"run/capsule")) }},
		{"/run/capsule is a file", "no directory", nil, func(c *tree, _ *What) { c.write("run/capsule", "") }},
		{"/dev/dri is a link", "", ErrLink, func(c *tree, _ *What) { must(c.t, os.Symlink("/usr/none", c.dir+"dev/dri")) }},
		{"/dev/dri is a file", "not a directory", nil, func(c *tree, _ *What) { c.write("dev/dri", "") }},
		{"no /dev", "no such file", nil, func(c *tree, _ *What) { must(c.t, os.Remove(c.dir+"dev")) }},
		{"the node is a directory", "mount on", nil, func(c *tree, _ *What) { must(c.t, os.MkdirAll(c.dir+"dev/dri/renderD128", 0o755)) }},
		{"the node is a link", "", ErrLink, func(c *tree, _ *What) {
			must(c.t, os.Mkdir(c.dir+"dev/dri", 0o755))
			must(c.t, os.Symlink("/etc/ld.so.cache", c.dir+"dev/dri/renderD128"))
		}},
		{"ld.so.cache is a directory", "not a regular file", nil, func(c *tree, _ *What) {
			must(c.t, os.Remove(c.dir+"etc/ld.so.cache"))
			must(c.t, os.Mkdir(c.dir+"etc/ld.so.cache", 0o755))
		}},
		{"ld.so.cache leads nowhere", "", ErrLink, func(c *tree, _ *What) {
			must(c.t, os.Remove(c.dir+"etc/ld.so.cache"))
			must(c.t, os.Symlink("/none", c.dir+"etc/ld.so.cache"))
		}},
		{"a shared root", "", ErrShared, func(c *tree, _ *What) {
			must(c.t, c.Thread.Do(func() error { return unix.Mount("", c.at, "", unix.MS_SHARED, "") }))
		}},
		{"the runtime's path leads elsewhere", "", ErrMoved, func(c *tree, _ *What) { c.Path = c.t.TempDir() }},
		{"the runtime's path leads nowhere", "", ErrMoved, func(c *tree, _ *What) { c.Path += "/none" }},
		{"the runtime has another root directory", "", ErrMoved, func(c *tree, _ *What) {
			outer, err := os.Open("/") // where nothing is mounted at the path
			must(c.t, err)
			c.From.Close()
			c.From = outer
		}},
		{"the root is covered", "", ErrMoved, func(c *tree, _ *What) {
			must(c.t, c.Thread.Do(func() error { return unix.Mount("tmpfs", c.at, "tmpfs", 0, "") }))
		}},
		{"/etc is a volume without ld.so.cache", "", ErrForeign, func(c *tree, _ *What) {
			must(c.t, c.Thread.Do(func() error { return unix.Mount("tmpfs", c.at+"/etc", "tmpfs", 0, "") }))
			var st unix.Stat_t
			must(c.t, unix.Stat(c.dir+"etc", &st))
			c.Foreign = map[string]bool{fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)): true}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, w := newTree(t), what(t)
			c.spoil(tree, w)
			before := tree.state()
			err := tree.Put(w)
			switch {
			case err == nil:
				t.Error("no error")
			case c.is != nil && !errors.Is(err, c.is), !strings.Contains(err.Error(), c.message), strings.Contains(err.Error(), "undone"):
				t.Errorf("%v", err)
			}
			if after := tree.state(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// A /dev that is a link is followed inside the root; the node of another number is covered, that of the same is left.
func TestDevices(t *testing.T) {
	device := func(c *tree) (uint64, error) {
		f, err := openAt(c.Root, "dev/dri/renderD128", unix.O_PATH, unix.RESOLVE_IN_ROOT)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
			return 0, fmt.Errorf("mode %#o, %v", st.Mode, err)
		}
		return st.Rdev, nil
	}
	outside := t.TempDir()
	node := func(c *tree, kind, major, minor uint32) {
		must(c.t, os.Mkdir(c.dir+"dev/dri", 0o755))
		must(c.t, unix.Mknod(c.dir+"dev/dri/renderD128", kind|0o666, int(unix.Mkdev(major, minor))))
	}
	for name, change := range map[string]func(c *tree){
		"nothing": func(*tree) {},
		"/dev is a link out": func(c *tree) {
			must(c.t, os.Remove(c.dir+"dev"))
			must(c.t, os.MkdirAll(c.dir+outside, 0o755)) // as seen from inside
			must(c.t, os.Symlink(outside, c.dir+"dev"))
		},
		"/dev climbs": func(c *tree) {
			must(c.t, os.Remove(c.dir+"dev"))
			must(c.t, os.Symlink("../../../../../usr", c.dir+"dev"))
		},
		"a file":                       func(c *tree) { must(c.t, os.Mkdir(c.dir+"dev/dri", 0o755)); c.write("dev/dri/renderD128", "") },
		"another device":               func(c *tree) { node(c, unix.S_IFCHR, 1, 5) },
		"a block device of the number": func(c *tree) { node(c, unix.S_IFBLK, 226, 128) },
		"the device":                   func(c *tree) { node(c, unix.S_IFCHR, 226, 128) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newTree(t)
			change(c)
			must(t, c.Put(what(t)))
			if rdev, err := device(c); err != nil || rdev != unix.Mkdev(226, 128) {
				t.Errorf("%#x, %v", rdev, err)
			}
			if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
				t.Errorf("outside: %v, %v", names, err)
			}
		})
	}
}

// A source is opened once and is what it should be, or is refused.
func TestSources(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/file", nil, 0o644))
	must(t, os.Symlink("file", dir+"/link"))
	must(t, os.Symlink(".", dir+"/up"))
	must(t, unix.Mkfifo(dir+"/pipe", 0o644))
	for _, name := range []string{"/link", "/up/file", "/pipe", "", "/none"} {
		if f, err := OpenBind(dir + name); err == nil {
			t.Errorf("opened %s", f.Name())
		}
	}
	for _, c := range []struct {
		source, name string
		minor        uint32
	}{{"/dev/null", "/dev/null", 4}, {dir + "/file", "/dev/x", 0}, {"/dev/null", "/etc/null", 3}, {"/dev/null", "/dev/../null", 3},
		{"/dev/null", "/dev/", 3}, {"/proc/self/fd/0", "/dev/x", 3}} {
		if d, err := OpenDevice(c.source, c.name, 1, c.minor); err == nil {
			t.Errorf("opened %+v as %+v", c, d)
		}
	}
}
