package rootfs

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// forbidOpenat2 makes the call fail with an error in every thread of the process, for ever, as
// container engines' filters do.
func forbidOpenat2(t *testing.T, errno unix.Errno) {
	t.Helper()
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // struct seccomp_data, nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: unix.SYS_OPENAT2},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&filter))); errno != 0 {
		t.Fatalf("seccomp: %v", errno)
	}
	if _, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH}); err != errno {
		t.Fatalf("openat2: got %v, want %v", err, errno)
	}
}

// Where the kernel has no openat2, or a filter hides it, somebody else's tree leads nowhere all the
// same: neither is anything outside opened nor does an answer tell of it.
func TestFilterLeadsNowhere(t *testing.T) {
	const variable = "CAPSULE_TEST_OPENAT2"
	if errno, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		forbidOpenat2(t, unix.Errno(errno))
		escapes(t)
		if !inroot.NoOpenat2.Load() {
			t.Error("openat2 is still tried")
		}
		return
	}
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run(errno.Error(), func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFilterLeadsNowhere$")
			cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(int(errno)))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("none", escapes)
}

func escapes(t *testing.T) {
	outside := makeTree(t, "secret = secret", "dir/name")
	dir := makeTree(t, "a/secret = public", "a/dir/name", "b/secret = public", "abs -> "+outside, "up -> ../../../../../.."+outside)
	r := open(t, dir)
	r.guest = true
	if b, err := r.ReadFile("/b/secret", 100); err != nil || string(b) != "public" {
		t.Fatalf("%q, %v", b, err)
	}
	for _, name := range []string{"/abs/secret", "/up/secret", "/../" + outside + "/secret"} {
		if i, err := r.Stat(name); err == nil {
			t.Errorf("%s: %+v", name, i)
		}
	}
	// The directory, once it has been looked at, becomes a link out.
	if _, err := r.Stat("/a"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(dir+"/a"), os.Symlink(outside, dir+"/a")); err != nil {
		t.Fatal(err)
	}
	if i, err := r.Stat("/a/secret"); err == nil {
		t.Errorf("Stat tells %+v", i)
	}
	if b, err := r.ReadFile("/a/secret", 100); err == nil {
		t.Errorf("ReadFile gives %q", b)
	}
	if names, err := r.ReadDir("/a/dir"); err == nil {
		t.Errorf("ReadDir gives %q", names)
	}
	if f, err := r.OpenPath("/a/secret"); err == nil {
		t.Errorf("OpenPath gives %s", f.Name())
	}
}
