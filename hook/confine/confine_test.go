package confine

import (
	"errors"
	"os"
	"reflect"
	"strings"
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
