package rootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// Operations of FUSE, and lengths of its structures in bytes (include/uapi/linux/fuse.h, 7.31).
const (
	fuseLookup, fuseForget, fuseGetattr, fuseStatfs, fuseInit, fusePoll, fuseBatchForget = 1, 2, 3, 17, 26, 40, 42
	fuseHeaderIn, fuseHeaderOut, fuseInitOut, fuseAttr, fuseStatfsOut                    = 40, 16, 64, 88, 80
)

// attr is of the root directory, number 1, or of a file.
func attr(node uint64) []byte {
	b := make([]byte, fuseAttr)
	mode := uint32(unix.S_IFREG | 0o644)
	if node == 1 {
		mode = unix.S_IFDIR | 0o755
	}
	binary.LittleEndian.PutUint64(b, node)
	binary.LittleEndian.PutUint64(b[8:], 4) // size
	binary.LittleEndian.PutUint32(b[60:], mode)
	binary.LittleEndian.PutUint32(b[64:], 1) // links
	return b
}

// polls counts who has asked whether a file is ready.
var polls atomic.Int32

// serve is a file system with a root directory and a file called file, whose server answers every
// other question, that for their content too, with an error. It ends with the connection.
func serve(dev *os.File, says unix.Errno) {
	b := make([]byte, 1<<20)
	for {
		n, err := dev.Read(b)
		if err != nil || n < fuseHeaderIn {
			return
		}
		op, unique, node := binary.LittleEndian.Uint32(b[4:]), b[8:16], binary.LittleEndian.Uint64(b[16:])
		var body []byte
		status := int32(0)
		switch op {
		case fuseForget, fuseBatchForget:
			continue
		case fuseInit:
			body = make([]byte, fuseInitOut)
			binary.LittleEndian.PutUint32(body, 7)
			binary.LittleEndian.PutUint32(body[4:], 31)
		case fuseGetattr:
			body = append(make([]byte, 16), attr(node)...)
		case fuseStatfs:
			body = make([]byte, fuseStatfsOut)
		case fuseLookup:
			if string(b[fuseHeaderIn:n]) == "file\x00" {
				body = append(make([]byte, 40), attr(2)...)
				binary.LittleEndian.PutUint64(body, 2) // the file's number from here on
			} else {
				status = -int32(says)
			}
		default:
			if op == fusePoll {
				polls.Add(1)
			}
			status = -int32(says)
		}
		out := make([]byte, fuseHeaderOut, fuseHeaderOut+len(body))
		binary.LittleEndian.PutUint32(out, uint32(cap(out)))
		binary.LittleEndian.PutUint32(out[4:], uint32(status))
		copy(out[8:], unique)
		if _, err := dev.Write(append(out, body...)); err != nil {
			return
		}
	}
}

// mountFUSE mounts such a file system on a directory, in a mount namespace that only a thread of
// the test's is in, and returns a descriptor of top there.
func mountFUSE(t *testing.T, top, dir string, says unix.Errno) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skipf("no FUSE: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dev := os.NewFile(uintptr(fd), "/dev/fuse")
	root := -1
	ready, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // for ever: nothing else runs in the namespace
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = unix.Mount("capsule", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=0", fd, os.Getuid()))
		}
		if err == nil {
			root, err = unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
		ready <- err
		<-done
		_ = unix.Unmount(dir, unix.MNT_DETACH) // the server then reads the end
	}()
	err = <-ready
	served := make(chan struct{})
	t.Cleanup(func() {
		close(done)
		dev.Close()
		<-served
	})
	go func() {
		defer close(served)
		if err == nil {
			serve(dev, says)
		}
	}()
	if errors.Is(err, unix.EPERM) && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skipf("needs root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(root), top)
}

// A volume's server (FUSE) may answer EPERM, and ENOSYS, for its files. That says nothing of
// openat2, and the tree is guarded as before.
func TestErrorsOfAVolume(t *testing.T) {
	for _, says := range []unix.Errno{unix.EPERM, unix.ENOSYS, unix.EIO} {
		t.Run(says.Error(), func(t *testing.T) {
			dir := makeTree(t, "volume/", "a = text")
			r := OpenAt(mountFUSE(t, dir, dir+"/volume", says), "tree")
			t.Cleanup(func() { r.Close() })
			if i, err := r.Stat("/volume/file"); err != nil || i.Size != 4 {
				t.Errorf("Stat: %+v, %v", i, err)
			}
			if _, err := r.ReadFile("/volume/file", 100); !errors.Is(err, says) {
				t.Errorf("ReadFile: got %v, want %v", err, says)
			}
			if _, err := r.ReadFile("/volume/other", 100); !errors.Is(err, says) {
				t.Errorf("ReadFile of another: got %v, want %v", err, says)
			}
			if names, err := r.ReadDir("/volume"); !errors.Is(err, says) {
				t.Errorf("ReadDir: got %q, %v, want %v", names, err, says)
			}
			if n := polls.Load(); n > 0 {
				t.Errorf("epoll has asked for the file %d times", n)
			}
			if inroot.NoOpenat2.Load() {
				t.Error("openat2 is not used any more")
			}
			if b, err := r.ReadFile("/a", 100); err != nil || string(b) != "text" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}
