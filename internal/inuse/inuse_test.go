package inuse

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const never = 1 << 62

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// started runs a command until the test ends; it has said a line by now.
func started(t *testing.T, argv ...string) (*exec.Cmd, func()) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		cmd.Wait()
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("no mount namespace: ", err)
		}
		t.Skip("no mount namespace: ", err)
	}
	end := func() { in.Close(); io.Copy(io.Discard, out); cmd.Wait() }
	t.Cleanup(end)
	return cmd, end
}

// A process that outlives whoever mounted for it is found by its mounts, under another name of the directory too.
func TestMounted(t *testing.T) {
	dir := t.TempDir()
	tree, other := dir+"/trees/one/tree", dir+"/trees/other/tree"
	for _, d := range []string{tree + "/usr", other + "/usr", dir + "/mnt"} {
		must(t, os.MkdirAll(d, 0o755))
	}
	cmd, end := started(t, "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
		`mount --bind "$0" "$1" && (sh -c 'echo ready; read x <&3' & ) 3<&0; read x`, tree+"/usr", dir+"/mnt")
	got := Of([]string{"/trees/one/tree", "/trees/other/tree", "/trees/on"}, false)
	// The one or the other of its shells: which is found first is a matter of their numbers.
	by := got["/trees/one/tree"]
	namespace := func(pid int) string { name, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid)); return name }
	if len(got) != 1 || by.Name != "sh" || namespace(by.ID) != namespace(cmd.Process.Pid) {
		t.Errorf("%v", got)
	}
	end() // but the kernel takes the mounts of the last one away after its pipes
	for i := 0; ; i++ {
		got := Of([]string{"/trees/one/tree"}, true)
		if len(got) == 0 {
			break
		}
		if i == 1000 {
			t.Fatalf("when it has ended: %v", got)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A process that has mapped a file of a directory uses it, if that is asked.
func TestMapped(t *testing.T) {
	dir := t.TempDir() + "/trees/two/tree"
	must(t, os.MkdirAll(dir, 0o755))
	f, err := os.Create(dir + "/lib.so")
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(4096))
	text, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	must(t, err)
	want := []string{"/trees/two/tree"}
	if got := Of(want, true); got[want[0]].ID != os.Getpid() || got[want[0]].Name != "inuse.test" {
		t.Errorf("%v", got)
	}
	if got := Of(want, false); len(got) != 0 {
		t.Errorf("mounted: %v", got)
	}
	must(t, unix.Munmap(text))
	if got := Of(want, true); len(got) != 0 {
		t.Errorf("when it is mapped no more: %v", got)
	}
}

// A process that has left its namespace's root behind (chroot) sees none of the mounts that others there see.
func TestOtherRoot(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []struct{ id, root, mounts string }{
		{"10", "/proc/10/fdinfo", ""}, {"9", "/", "1 2 3:4 /a/trees/x/tree/usr /usr ro - ext4 /dev/x rw\n"}} {
		must(t, os.MkdirAll(dir+"/"+p.id+"/ns", 0o755))
		must(t, os.Symlink("mnt:[1]", dir+"/"+p.id+"/ns/mnt"))
		must(t, os.Symlink(p.root, dir+"/"+p.id+"/root"))
		must(t, os.WriteFile(dir+"/"+p.id+"/mountinfo", []byte(p.mounts), 0o644))
	}
	s := search{proc: dir, left: maxText, until: never, missing: []string{"/trees/x/tree"}, found: map[string]Process{}}
	if s.look(); s.found["/trees/x/tree"].ID != 9 {
		t.Errorf("%v", s.found)
	}
}

// Tables of which there are too many may have anything; what a process calls itself is no escape sequence.
func TestHostileProc(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/7/ns", 0o755))
	must(t, os.Symlink("mnt:[1]", dir+"/7/ns/mnt"))
	must(t, os.WriteFile(dir+"/7/mountinfo", []byte("1 2 3:4 /a/trees/x/tree/usr /usr ro - ext4 /dev/x rw\n"), 0o644))
	must(t, os.WriteFile(dir+"/7/comm", []byte("\x1b[31mred\xff\n"), 0o644))
	s := search{proc: dir, left: maxText, until: never, missing: []string{"/trees/x/tree", "/trees/y/tree"}, found: map[string]Process{}}
	if again := s.look(); again || len(s.found) != 1 || s.found["/trees/x/tree"].String() != "?[31mred? (process 7)" {
		t.Errorf("%v, again %v", s.found, again)
	}
	must(t, os.Remove(dir+"/7/mountinfo"))
	if !s.look() {
		t.Error("a process that ended is not looked for again")
	}
	must(t, os.WriteFile(dir+"/7/mountinfo", make([]byte, 100), 0o644))
	must(t, os.MkdirAll(filepath.Join(dir, "8"), 0o755))
	s.left = 10
	if !s.look() || s.left > 0 {
		t.Error("more was read than may be")
	}
	// Whatever one process has in its table, it is read to its end.
	must(t, os.Remove(dir+"/8"))
	must(t, os.Truncate(dir+"/7/mountinfo", 70<<20))
	f, err := os.OpenFile(dir+"/7/mountinfo", os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("1 2 3:4 /a/trees/y/tree /usr ro - ext4 /dev/x rw\n")
	must(t, err)
	s.left, s.missing = maxText, []string{"/trees/y/tree", "/trees/z/tree"}
	if s.look() || s.left <= 0 || s.found["/trees/y/tree"].ID != 7 || len(s.found) != 2 {
		t.Errorf("a long table: %v, %d bytes left", s.found, s.left)
	}
	s.until, s.missing = spent()-1, []string{"/trees/z/tree"}
	if s.look(); s.left > 0 || len(s.found) != 2 {
		t.Errorf("without time: %v, %d bytes left", s.found, s.left)
	}
	if cap(s.block) > blockSize {
		t.Errorf("%d bytes are held of a table", cap(s.block))
	}
}

// FuzzNames: a directory is found wherever blocks begin and end, and nothing else is.
func FuzzNames(f *testing.F) {
	f.Add("1 2 3:4 /a/trees/x/tree/usr /usr ro\n", "/trees/x/tree", uint8(3))
	f.Add("/trees/x/tree /trees/x/treetop /a/b ", "/a/b", uint8(1))
	f.Fuzz(func(t *testing.T, text, directory string, size uint8) {
		if !strings.HasPrefix(directory, "/") || strings.ContainsAny(directory, " ") || len(directory) > 100 {
			return
		}
		proc := t.TempDir()
		must(t, os.Mkdir(proc+"/7", 0o755))
		must(t, os.WriteFile(proc+"/7/maps", []byte(text), 0o644))
		s := search{proc: proc, left: maxText, until: never, missing: []string{directory, "/other/one"}, found: map[string]Process{},
			block: make([]byte, len(directory)+20+int(size))}
		must(t, s.read(proc+"/7", "/maps"))
		_, got := s.found[directory]
		if want := strings.Contains(text, directory+"/") || strings.Contains(text, directory+" "); got != want {
			t.Errorf("%q in %q: got %v, want %v", directory, text, got, want)
		}
	})
}
