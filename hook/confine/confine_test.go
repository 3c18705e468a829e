package confine

import (
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMounts(t *testing.T) {
	got, err := parseMounts(strings.NewReader(
		`36 35 98:0 /mnt1 /mnt2/a\040b rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue
37 36 0:25 / /run rw - tmpfs capsule-run ro
`))
	want := []Mount{{36, 35, "98:0", "/mnt1", "/mnt2/a b", "ext3", "/dev/root", true},
		{37, 36, "0:25", "/", "/run", "tmpfs", "capsule-run", false}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"36 35", "36 35 98:0 / / rw - ext3", "x 35 98:0 / /x rw - ext3 a", "36 y 98:0 / /x rw - ext3 a", "\n"} {
		if got, err := parseMounts(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n")
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := parseMounts(strings.NewReader(text))
		if err != nil && mounts != nil {
			t.Error("both")
		}
		for _, m := range mounts {
			if m.Dev == "" || m.Type == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}

func TestProc(t *testing.T) {
	p, err := OpenProc()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if f, err := p.Open("self/status", unix.O_RDONLY); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	// A link of the kernel's is opened by OpenLink alone, and nothing leads out of /proc.
	for _, name := range []string{"self/exe", "self/root/etc", "self/cwd", "../etc"} {
		if f, err := p.Open(name, unix.O_RDONLY); err == nil {
			t.Errorf("opened %s", f.Name())
		}
	}
	exe, err := p.OpenLink("self", "exe", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	mounts, err := p.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	id, err := MountID(exe)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.ID == id {
			return
		}
	}
	t.Errorf("mount %d of %s is not in the table", id, exe.Name())
}

// A process has the number by which a state names it in a /proc of the engine's own process
// namespace alone.
func TestProcess(t *testing.T) {
	p, err := OpenProc()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	self, err := p.Process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	root, err := self.OpenLink(".", "root", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got, _ := root.Stat()
	if want, err := os.Stat("/"); err != nil || !os.SameFile(got, want) {
		t.Errorf("%s is %v, %v", root.Name(), got, err)
	}
	if _, err := self.OpenLink("ns", "mnt", unix.O_RDONLY); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]int{"": 1, "Name:\tx\nPid:\t7\n": 1, "Name:\tx\nNSpid:\t7\nNSpgid:\t1 2\n": 1,
		"NSpid:\t2719\t5\n": 2, "NSpid:\t2719\t5\t1\n": 3} {
		if got, err := ownNumbers(strings.NewReader(text)); got != want || err != nil {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}

// Somebody else has our child's number in this /proc, which is that of the namespace above.
func TestProcessOfAnotherNamespace(t *testing.T) {
	if os.Getenv("CAPSULE_TEST_CHILD") != "" {
		p, err := OpenProc()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Process(os.Getpid()); !errors.Is(err, ErrNumbers) {
			t.Fatalf("got %v, want %v", err, ErrNumbers)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcessOfAnotherNamespace$")
	cmd.Env = append(os.Environ(), "CAPSULE_TEST_CHILD=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skipf("needs root: %v", err)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestThread(t *testing.T) {
	here, err := Here()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	// It has a working directory of its own.
	before, _ := os.Getwd()
	if err := here.Do(func() error { return unix.Chdir("/") }); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Getwd(); after != before {
		t.Errorf("the process is in %s now", after)
	}
	sentinel := errors.New("sentinel")
	if err := here.Do(func() error { return sentinel }); err != sentinel {
		t.Error(err)
	}
	if err := here.Do(func() error { panic("oh") }); err == nil || !strings.Contains(err.Error(), "oh") {
		t.Error(err)
	}
}

// The copy is the same program, and nobody can change it.
func TestSealedCopy(t *testing.T) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	st, _ := self.Stat()
	f, err := sealedCopy(self, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0}, 0); err == nil {
		t.Error("it can be written to")
	}
	if err := f.Truncate(0); err == nil {
		t.Error("it can be truncated")
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL); err == nil {
		t.Error("seals can be added")
	}
	got, _ := f.Stat()
	if got.Size() != st.Size() {
		t.Errorf("%d bytes of %d", got.Size(), st.Size())
	}
}
