package launch

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// initName is argv[0] of init: what ps shows in the milliseconds before it is the game.
const initName = "capsule-run: init"

// init is where the process that is to be the game leaves the executable's own way to main: a package is initialised when those
// it imports are, which here are few, and what the launcher has besides (parsers, their tables) would take longer than all else
// before the first mount. A test of cmd/capsule-run holds the imports to that.
func init() {
	if len(os.Args) == 3 && os.Args[0] == initName {
		begin()
	}
	if len(os.Args) == 5 && os.Args[0] == stopperName {
		stopper()
	}
}

// begin builds the root and becomes the game. It never returns.
func begin() {
	runtime.LockOSThread() // capabilities and the parent-death signal belong to a thread; this one will call execve
	memfd, err1 := strconv.Atoi(os.Args[1])
	sock, err2 := strconv.Atoi(os.Args[2])
	if err1 != nil || err2 != nil {
		os.Exit(ExitSetup)
	}
	unix.CloseOnExec(memfd)
	unix.CloseOnExec(sock)
	defer func() {
		if p := recover(); p != nil {
			giveUp(sock, &Error{Op: "namespace", Msg: fmt.Sprintf("init: panic: %v", p), Code: ExitSetup})
		}
	}()
	giveUp(sock, become(memfd, sock))
}

func giveUp(sock int, e *Error) {
	text := e.encode()
	if tell(sock, failedMark, len(text)) {
		unix.Write(sock, text)
	}
	os.Exit(e.Code)
}

// become returns only if it fails.
func become(memfd, sock int) *Error {
	m, err := receive(memfd)
	if err != nil {
		return &Error{Op: "namespace", Msg: "read the plan: " + err.Error(), Code: ExitSetup}
	}
	// Once more, as a change of credentials by execve may have cleared it; then look whether the launcher died before.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return &Error{Op: "namespace", Msg: "bind the game's life to ours: " + err.Error(), Code: ExitSetup}
	}
	// To a process of another namespace getppid(2) tells nothing, but the launcher's end of the socket ends with it.
	if m.spec.UnsharePID && hungUp(sock) || !m.spec.UnsharePID && os.Getppid() != m.parent {
		os.Exit(ExitSetup)
	}
	if m.spec.UnsharePID {
		deaf()
	}
	if !m.spec.Direct {
		if e := newRoot(&m.spec); e != nil {
			return e
		}
	}
	dir := m.spec.Dir
	if dir == "" {
		dir = "/"
	}
	if err := unix.Chdir(dir); err != nil {
		return &Error{Op: "chdir", Msg: fmt.Sprintf("change to %s inside the runtime: %v", dir, err), Code: ExitSetup,
			Hint: "start from a directory that is shared, or share it with --bind " + dir}
	}
	if m.spec.UnshareNet {
		if err := loopbackUp(); err != nil {
			return &Error{Op: "namespace", Msg: "set up the loopback interface: " + err.Error(), Code: ExitSetup}
		}
	}
	if m.userNS && !m.spec.UnsharePID { // process 1 does it later
		if err := dropRights(alone); err != nil {
			return &Error{Op: "namespace", Msg: "drop capabilities: " + err.Error(), Code: ExitSetup}
		}
	}
	if len(m.spec.Shells) > 0 {
		if e := m.spec.takeShell(); e != nil {
			return e
		}
	}
	if m.ignoreQuit {
		signal.Ignore(unix.SIGQUIT)
	}
	var early []record // what process 1 is to pass on when there is somebody
	for {
		r, ok := hear(sock)
		if !ok {
			os.Exit(ExitSetup) // the launcher is gone
		}
		if r.kind == goOn {
			break
		}
		early = append(early, r)
	}
	if m.spec.UnsharePID {
		return govern(m, sock, early)
	}
	tell(sock, reachedExec, 0)
	return execute(m.spec.Argv, m.spec.Env, syscall.Exec)
}

// newRoot makes the root that the spec's operations describe, and enters it.
func newRoot(spec *Spec) *Error {
	defer unix.Umask(unix.Umask(0))
	err := mount.Apply(spec.Ops, spec.MountAPI)
	if err == nil {
		return nil
	}
	e := &Error{Op: "mount", Msg: err.Error(), Code: ExitSetup}
	var me *mount.Error
	if errors.As(err, &me) {
		e.Hint = me.Hint()
		if me.Op.Kind == mount.Proc {
			e.Msg = "--unshare-pid: mount a /proc of the program's own: " + me.Err.Error()
			e.Hint = "the kernel allows it where nothing of the /proc here is hidden; leave out --unshare-pid, or have a container " +
				"show all of /proc: --security-opt unmask=ALL (Podman), systempaths=unconfined (Docker)"
		}
		if me.Index < 0 { // the frame, where a denied user namespace shows
			e.errno = errnoOf(err)
		}
	}
	return e
}

func receive(fd int) (*message, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	buf := make([]byte, st.Size)
	for n := 0; n < len(buf); {
		got, err := unix.Pread(fd, buf[n:], int64(n))
		if err != nil {
			return nil, err
		}
		if got == 0 {
			return nil, errShort
		}
		n += got
	}
	return decodeMessage(buf)
}

// alone is a system call of this thread.
func alone(trap, a1, a2, a3, a4, a5, a6 uintptr) error {
	if _, _, errno := syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, a6); errno != 0 {
		return errno
	}
	return nil
}

// dropRights gives up what the new user namespace has given us. User 0 keeps it: execve would give it back, as it does
// outside, and a process that gains rights by execve loses its parent-death signal (commit_creds in kernel/cred.c).
func dropRights(call func(trap, a1, a2, a3, a4, a5, a6 uintptr) error) error {
	if os.Geteuid() == 0 {
		return nil
	}
	err := call(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return call(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&noRights.hdr)), uintptr(unsafe.Pointer(&noRights.data[0])), 0, 0, 0, 0)
}

// noRights is no local variable, for a stack may be moved while call has the addresses as numbers.
var noRights = struct {
	hdr  unix.CapUserHeader
	data [2]unix.CapUserData
}{hdr: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}}

// execute runs argv as execvp(3) does, except that a file that is no program is not given to a shell. start is
// syscall.Exec, not a bare execve: it restores the soft limit of open files, which the Go run-time system raises at its
// start. It returns nil if start has, and does not return if start does not.
func execute(argv, env []string, start func(path string, argv, env []string) error) *Error {
	var found error
	var foundAt string
	for _, path := range candidates(argv[0], env) {
		if _, err := os.Lstat(path); errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		err := start(path, argv, env)
		if err == nil {
			return nil
		}
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			// The file may be there and what it needs missing: an interpreter, a dynamic loader.
			if _, serr := os.Stat(path); serr != nil {
				continue
			}
		}
		if found == nil {
			found, foundAt = err, path
		}
		if !errors.Is(err, unix.EACCES) {
			break
		}
	}
	return execError(argv[0], env, foundAt, found)
}
