package confine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// sealedName begins argv[0] of the sealed copy; what follows identifies the file that it was copied from.
const sealedName = "capsule-hook: sealed "

const allSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// IsSealed says whether a process's argv[0] is one that Seal gave. It proves nothing, Seal does.
func IsSealed(argv0 string) bool { return strings.HasPrefix(argv0, sealedName) }

// Seal returns in a process that runs from a sealed copy of its program, has no environment, no descriptors but the
// standard ones, and "/" as working directory. Called in another process it makes the copy and becomes it, with the
// arguments argv[1:]. It fails closed: without a sealed copy nothing goes on.
//
// identity names the program's file as it was found, for the keys of caches.
func Seal(argv []string) (identity string, err error) {
	os.Clearenv()
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return "", fault.WithHint(fmt.Errorf("close inherited descriptors: %w", err), "the hook needs Linux 5.12 or newer")
	}
	if err := unix.Chdir("/"); err != nil {
		return "", fmt.Errorf("change to /: %w", err)
	}
	unix.Umask(0o022)
	proc, err := OpenProc()
	if err != nil {
		return "", err
	}
	defer proc.Close()
	self, err := proc.OpenLink("self", "exe", unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer self.Close()
	// Of a file that is no memfd the call says EINVAL; tmpfs files have F_SEAL_SEAL alone.
	if seals, err := unix.FcntlInt(self.Fd(), unix.F_GET_SEALS, 0); err == nil && seals&allSeals == allSeals {
		return strings.TrimPrefix(os.Args[0], sealedName), nil
	}
	if IsSealed(os.Args[0]) {
		return "", errors.New("the copy of the hook in memory is not sealed")
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(self.Fd()), &st); err != nil {
		return "", fmt.Errorf("look at my own binary: %w", err)
	}
	copied, err := sealedCopy(self, st.Size)
	if err != nil {
		return "", fmt.Errorf("make a sealed copy of the hook: %w", err)
	}
	name := sealedName + fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim.Nano())
	return "", fmt.Errorf("run the sealed copy of the hook: %w", execute(copied, append([]string{name}, argv[1:]...)))
}

// sealedCopy returns a memfd that nobody can write to any more.
func sealedCopy(self *os.File, size int64) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	// MFD_EXEC since Linux 6.3, where vm.memfd_noexec=1 makes a memfd without it not executable.
	fd, err := unix.MemfdCreate("capsule-hook", flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("capsule-hook", flags)
	}
	if err == unix.EACCES {
		return nil, fault.WithHint(fmt.Errorf("memfd_create: %w", err),
			"sysctl vm.memfd_noexec=2 forbids programs in memory; the hook needs it to be 0 or 1")
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memfd:capsule-hook")
	// In the kernel: a third less time than io.Copy, which begins with a call that cannot do it.
	for done := int64(0); done < size; {
		n, err := unix.Sendfile(fd, int(self.Fd()), &done, int(size-done))
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("copy %d of %d bytes: %w", done, size, err)
		}
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, allSeals); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return f, nil
}

// execute becomes the program behind a descriptor, without environment. It returns only if it fails.
func execute(f *os.File, argv []string) error {
	runtime.LockOSThread()
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	env := []*byte{nil}
	empty := []byte{0}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, f.Fd(), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0)
	return errno
}
