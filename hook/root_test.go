package hook

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// sandbox is a container's process as a runtime leaves it: a thread of the test's with a mount
// namespace, and what change makes of that. It returns the thread's number.
func sandbox(t *testing.T, change func() error) int {
	t.Helper()
	ready, done := make(chan error), make(chan struct{})
	var tid int
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		tid = unix.Gettid()
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = change()
		}
		ready <- err
		<-done
	}()
	err := <-ready
	t.Cleanup(func() { close(done) })
	if errors.Is(err, unix.EPERM) && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skipf("needs root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tid
}

// A runtime may have led its process to a root directory of the process's own by the time it calls
// the hook, as gVisor does with its sandbox, or may have put nothing together where the bundle says
// that the root is.
func TestEnterElsewhere(t *testing.T) {
	proc, err := confine.OpenProc()
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	dir := t.TempDir()
	root := dir + "/rootfs"
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	bind := func() error { return unix.Mount(root, root, "", unix.MS_BIND, "") }
	other := func() error {
		empty := dir + "/empty"
		return errors.Join(bind(), os.Mkdir(empty, 0o755), unix.Mount("tmpfs", empty, "tmpfs", 0, ""), unix.Chroot(empty), unix.Chdir("/"))
	}
	for _, c := range []struct {
		name   string
		change func() error
		want   error // nil: it is entered
	}{
		{"as runc and crun leave it", bind, nil},
		{"another root directory", other, errElsewhere},
		{"nothing mounted", func() error { return nil }, errRoot},
		{"another directory there", func() error { return unix.Mount("/usr", root, "", unix.MS_BIND, "") }, errRoot},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := enter(&Options{Stage: CreateRuntime}, proc, &oci.Container{Pid: sandbox(t, c.change), Rootfs: root})
			if err == nil {
				in.Close()
			}
			if !errors.Is(err, c.want) || c.want != nil && fault.Hint(err) == "" {
				t.Errorf("got %v, hint %q, want %v", err, fault.Hint(err), c.want)
			}
		})
	}
}

// The file systems of the host are those outside of the container's root.
func TestForeign(t *testing.T) {
	r := &rooted{point: "/c", mounts: []confine.Mount{{Dev: "8:1", Point: "/"}, {Dev: "8:2", Point: "/home"}, {Dev: "0:5", Point: "/c"},
		{Dev: "0:6", Point: "/c/run"}, {Dev: "0:7", Point: "/cc"}}}
	var got []string
	for _, dev := range []string{"8:1", "8:2", "0:5", "0:6", "0:7"} {
		if r.foreign()[dev] {
			got = append(got, dev)
		}
	}
	if strings.Join(got, " ") != "8:1 8:2 0:7" {
		t.Errorf("got %q, want %q", got, "8:1 8:2 0:7")
	}
}

func TestShowsWhatIsBelow(t *testing.T) {
	mounts := []confine.Mount{
		{ID: 1, Parent: 0, Dev: "8:1", Root: "/", Point: "/"},
		{ID: 2, Parent: 1, Dev: "8:2", Root: "/", Point: "/home"},
		{ID: 3, Parent: 1, Dev: "8:1", Root: "/run/a", Point: "/run/a"},        // a directory bound to itself
		{ID: 4, Parent: 1, Dev: "0:39", Root: "/", Point: "/merged"},           // an overlay of the engine's,
		{ID: 5, Parent: 4, Dev: "0:39", Root: "/", Point: "/merged"},           // and over it the runtime's
		{ID: 6, Parent: 1, Dev: "8:1", Root: "/run/b", Point: "/run/a"},        // another directory
		{ID: 7, Parent: 2, Dev: "8:2", Root: "/u/tree", Point: "/home/u/tree"}, // on another file system
		{ID: 8, Parent: 2, Dev: "8:2", Root: "/u", Point: "/home/u/tree"},
		{ID: 9, Parent: 99, Dev: "8:1", Root: "/x", Point: "/x"}, // nobody knows on what
		{ID: 10, Parent: 4, Dev: "0:39", Root: "/", Point: "/elsewhere"},
		{ID: 11, Parent: 5, Dev: "0:44", Root: "/", Point: "/merged/proc"},
	}
	want := map[uint64]string{3: "/run/a", 5: "/merged", 7: "/home/u/tree"}
	for id := range uint64(20) {
		if point, err := showsWhatIsBelow(id, mounts); point != want[id] || (err == nil) != (want[id] != "") {
			t.Errorf("%d: %q, %v", id, point, err)
		}
	}
}
