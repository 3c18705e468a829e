package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// makeTree makes a tree out of lines "path" (an empty file), "path/" (a directory), "path = content" and
// "path -> target". Everything gets times in the past, so that a later change shows.
func makeTree(t testing.TB, lines ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		p, target, link := strings.Cut(l, " -> ")
		p, content, _ := strings.Cut(p, " = ")
		full := filepath.Join(dir, p)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		switch {
		case err != nil:
		case strings.HasSuffix(p, "/"):
			err = os.MkdirAll(full, 0o755)
		case link:
			err = os.Symlink(target, full)
		default:
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Duration(raceWindow)) // let the files be older than raceWindow
	return dir
}

func open(t testing.TB, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestResolve(t *testing.T) {
	dir := makeTree(t, "usr/lib/x86/liba.so.1.0 = a", "usr/lib/x86/liba.so.1 -> liba.so.1.0", "lib -> usr/lib",
		"etc/alternatives/a -> /usr/lib/x86/liba.so.1", "usr/lib/libb.so -> /etc/alternatives/a",
		"up -> ../../../../../etc", "escape -> /../../usr/lib", "loop -> loop2", "loop2 -> loop", "dangling -> /nowhere/x",
		"outside -> "+os.TempDir(), "dir/file/", "dir2 -> dir/")
	r := open(t, dir)
	for _, c := range []struct {
		path, want string
		err        error
	}{
		{"/lib/x86/liba.so.1", "/usr/lib/x86/liba.so.1.0", nil},
		{"lib//./x86/../x86/liba.so.1", "/usr/lib/x86/liba.so.1.0", nil},
		{"/lib/libb.so", "/usr/lib/x86/liba.so.1.0", nil},
		{"/", "/", nil},
		{"/../..", "/", nil},
		{"/up/alternatives", "/etc/alternatives", nil},
		{"/escape/x86", "/usr/lib/x86", nil},
		{"/lib/../etc", "", fs.ErrNotExist}, // /usr/etc, as the kernel has it
		{"/dir2/file", "/dir/file", nil},
		{"/outside", "", fs.ErrNotExist},
		{"/dangling", "", fs.ErrNotExist},
		{"/nowhere", "", fs.ErrNotExist},
		{"/loop", "", syscall.ELOOP},
		{"/lib/x86/liba.so.1/x", "", syscall.ENOTDIR},
		{"/a\x00b", "", syscall.EINVAL},
		{strings.Repeat("/x", 4096), "", syscall.ENAMETOOLONG},
	} {
		got, err := r.Resolve(c.path)
		if got != c.want || !errors.Is(err, c.err) || (c.err == nil && err != nil) {
			t.Errorf("%.40q: %q, %v", c.path, got, err)
		}
	}
	if got := r.HostPath("/usr/lib/x86"); got != dir+"/usr/lib/x86" {
		t.Errorf("HostPath: %s", got)
	}
}

func TestReadAndList(t *testing.T) {
	dir := makeTree(t, "a/2", "a/1 = one", "a/10", "b -> /a/1")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	if names, err := r.ReadDir("/a"); err != nil || !slices.Equal(names, []string{"1", "10", "2"}) {
		t.Errorf("ReadDir: %q, %v", names, err)
	}
	if b, err := r.ReadFile("/b", 3); err != nil || string(b) != "one" {
		t.Errorf("ReadFile: %q, %v", b, err)
	}
	if _, err := r.ReadFile("/b", 2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadFile above the limit: %v", err)
	}
	for p, want := range map[string]error{"/a": syscall.EISDIR, "/pipe": ErrNotRegular, "/c": fs.ErrNotExist} {
		if _, err := r.OpenFile(p); !errors.Is(err, want) {
			t.Errorf("OpenFile %s: %v", p, err)
		}
	}
	if _, err := r.ReadDir("/b"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("ReadDir of a file: %v", err)
	}
	if text, err := r.Readlink("/b"); err != nil || text != "/a/1" {
		t.Errorf("Readlink: %q, %v", text, err)
	}
	if i, err := r.Lstat("/b"); err != nil || i.Mode&fs.ModeSymlink == 0 {
		t.Errorf("Lstat: %+v, %v", i, err)
	}
}

// A component that is replaced by a link after it was examined must not lead an open outside.
func TestOpenAfterReplacement(t *testing.T) {
	outside := makeTree(t, "secret = secret")
	for _, fallback := range []bool{false, true} {
		t.Run(fmt.Sprintf("without openat2 %v", fallback), func(t *testing.T) {
			dir := makeTree(t, "a/secret = public")
			r := open(t, dir)
			inroot.NoOpenat2.Store(fallback)
			defer inroot.NoOpenat2.Store(false)
			if b, err := r.ReadFile("/a/secret", 100); err != nil || string(b) != "public" {
				t.Fatalf("%q, %v", b, err)
			}
			if err := os.RemoveAll(dir + "/a"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, dir+"/a"); err != nil {
				t.Fatal(err)
			}
			if b, err := r.ReadFile("/a/secret", 100); err == nil {
				t.Errorf("read %q outside of the root", b)
			}
		})
	}
}

func TestFlatpak(t *testing.T) {
	dir := makeTree(t, "metadata", "files/lib/liba.so = a", "files/etc/ld.so.conf = x", "files/bin/sh",
		"files/lib64 -> lib", "files/link -> /usr/lib/liba.so", "files/abs -> /etc")
	r := open(t, dir)
	for p, want := range map[string]string{"/lib/liba.so": "/usr/lib/liba.so", "/lib64/liba.so": "/usr/lib/liba.so",
		"/etc/ld.so.conf": "/usr/etc/ld.so.conf", "/usr/link": "/usr/lib/liba.so", "/usr/abs/ld.so.conf": "/usr/etc/ld.so.conf",
		"/usr/../bin/sh": "/usr/bin/sh", "/": "/", "/usr": "/usr"} {
		if got, err := r.Resolve(p); got != want {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	for _, p := range []string{"/metadata", "/files", "/sbin", "/usr/metadata", "/usr/../metadata"} {
		if got, err := r.Resolve(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	if names, err := r.ReadDir("/"); err != nil || !slices.Equal(names, []string{"bin", "etc", "lib", "lib64", "usr"}) {
		t.Errorf("top: %q, %v", names, err)
	}
	if b, err := r.ReadFile("/lib64/liba.so", 10); err != nil || string(b) != "a" {
		t.Errorf("%q, %v", b, err)
	}
	if p := r.HostPath("/usr/lib/liba.so"); p != dir+"/files/lib/liba.so" {
		t.Errorf("HostPath: %s", p)
	}
	if !r.Flatpak() {
		t.Error("not taken for a Flatpak runtime")
	}
}

func TestUsrOnly(t *testing.T) {
	r := open(t, makeTree(t, "usr/lib/liba.so", "usr/lib64/ld.so", "etc/x", "usr/etc/y"))
	if p, err := r.Resolve("/lib64/ld.so"); p != "/usr/lib64/ld.so" {
		t.Errorf("%q, %v", p, err)
	}
	for _, p := range []string{"/bin", "/etc/y"} {
		if got, err := r.Resolve(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	if names, err := r.ReadDir("/"); err != nil || !slices.Equal(names, []string{"etc", "lib", "lib64", "usr"}) {
		t.Errorf("top: %q, %v", names, err)
	}
	// With a /lib of its own, a tree means what it says.
	r = open(t, makeTree(t, "usr/lib64/ld.so", "lib/x"))
	if got, err := r.Resolve("/lib64"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", got, err)
	}
}

func changed(trace []Access) []string {
	var c []string
	for _, a := range trace {
		if !a.Unchanged() {
			c = append(c, a.Path)
		}
	}
	return c
}

// What an answer depended on must show when it changes, and nothing else.
func TestTrace(t *testing.T) {
	lines := []string{"usr/lib/liba.so.1.0 = a", "usr/lib/liba.so.1 -> liba.so.1.0", "lib -> usr/lib",
		"usr/share/icd.d/b.json = {}", "usr/share/other/x"}
	look := func(t *testing.T, dir string) *Root {
		r := open(t, dir)
		if _, err := r.ReadFile("/lib/liba.so.1", 10); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadDir("/usr/share/icd.d"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadFile("/usr/share/icd.d/b.json", 10); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Stat("/usr/share"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadDir("/etc/icd.d"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		name string
		do   func(dir string) error
		want []string
	}{
		{"nothing", func(string) error { return nil }, nil},
		{"unrelated file", func(d string) error { return os.WriteFile(d+"/usr/share/new", nil, 0o644) }, nil},
		{"file in an unrelated directory", func(d string) error { return os.WriteFile(d+"/usr/share/other/y", nil, 0o644) }, nil},
		{"added manifest", func(d string) error { return os.WriteFile(d+"/usr/share/icd.d/a.json", nil, 0o644) },
			[]string{"usr/share/icd.d"}},
		{"library overwritten", func(d string) error { return os.WriteFile(d+"/usr/lib/liba.so.1.0", []byte("b"), 0o644) },
			[]string{"usr/lib/liba.so.1.0"}},
		{"link replaced", func(d string) error {
			return errors.Join(os.Remove(d+"/usr/lib/liba.so.1"), os.WriteFile(d+"/usr/lib/liba.so.1.1", nil, 0o644),
				os.Symlink("liba.so.1.1", d+"/usr/lib/liba.so.1"))
		}, []string{"usr/lib/liba.so.1"}},
		{"directory that was missing", func(d string) error { return os.MkdirAll(d+"/etc/icd.d", 0o755) }, []string{"etc"}},
		{"library removed", func(d string) error { return os.Remove(d + "/usr/lib/liba.so.1.0") },
			[]string{"usr/lib/liba.so.1.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := makeTree(t, lines...)
			trace := look(t, dir).Trace()
			if err := c.do(dir); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, w := range c.want {
				want = append(want, filepath.Join(dir, w))
			}
			if got := changed(trace); !slices.Equal(got, want) {
				t.Errorf("changed: %q, want %q", got, want)
			}
		})
	}
}

// Watch replaces a record of each miss and each link in a directory.
func TestWatch(t *testing.T) {
	dir := makeTree(t, "lib/a -> b", "lib/b")
	r := open(t, dir)
	r.Watch("/lib")
	r.Watch("/nolib")
	for i := range 100 {
		r.Stat(fmt.Sprintf("/lib/miss%d", i))
	}
	r.Stat("/lib/a")
	var paths []string
	for _, a := range r.Trace() {
		paths = append(paths, strings.TrimPrefix(a.Path, dir))
	}
	if !slices.Equal(paths, []string{"/lib", "/lib/b", "/nolib"}) {
		t.Errorf("trace: %q", paths)
	}
	if err := os.WriteFile(dir+"/lib/miss7", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if c := changed(r.Trace()); !slices.Equal(c, []string{dir + "/lib"}) {
		t.Errorf("changed: %q", c)
	}
}

// The times of a file that was changed just now do not vouch for it.
func TestRacy(t *testing.T) {
	dir := makeTree(t, "a")
	if err := os.WriteFile(dir+"/a", []byte("b"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	n := r.node("/a")
	n.seen = n.ctime + raceWindow/2
	r.Stat("/a")
	if c := changed(r.Trace()); len(c) != 1 {
		t.Errorf("changed: %q", c)
	}
}

func TestConcurrent(t *testing.T) {
	dir := makeTree(t, "lib/a -> b", "lib/b = x")
	r := open(t, dir)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				if b, err := r.ReadFile("/lib/a", 10); err != nil || string(b) != "x" {
					t.Errorf("%q, %v", b, err)
				}
				r.Trace()
			}
		}()
	}
	wg.Wait()
}

func TestOpenErrors(t *testing.T) {
	dir := makeTree(t, "file")
	if _, err := Open(dir + "/missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Open(dir + "/file"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("file: %v", err)
	}
}

// In somebody else's tree a link to a file of /proc opens nothing: of some what is read is lost.
func TestOpenAtKeepsOutOfProc(t *testing.T) {
	for guest, want := range map[bool]error{true: errKernels, false: nil} {
		r := open(t, "/")
		if guest {
			r = OpenAt(r.fd, "/")
		}
		if _, err := r.ReadFile("/proc/version", 1<<20); !errors.Is(err, want) {
			t.Errorf("guest %v: %v", guest, err)
		}
		if f, err := r.OpenFile("/etc/passwd"); err != nil {
			t.Error(err)
		} else {
			f.Close()
		}
	}
}

// A directory of somebody else's tree that becomes a link after it was looked at leads nowhere: not even what lies there is told.
func TestReplacedDirectoryTellsNothing(t *testing.T) {
	outside := makeTree(t, "secret = x", "link -> text")
	for _, name := range []string{"secret", "link", "missing"} {
		dir := makeTree(t, "d/a = 1")
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		r := OpenAt(f, dir)
		defer r.Close()
		if _, err := r.Stat("/d/a"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.RemoveAll(dir+"/d"), os.Symlink(outside, dir+"/d")); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Lstat("/d/" + name); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
