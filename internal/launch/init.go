package launch

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// initName is argv[0] of init: what ps shows in the milliseconds before it is the game.
const initName = "capsule-run: init"

// What goes over the socket between launcher and init.
const (
	goOn        = 'g' // to init: the game may start
	reachedExec = 'x' // from init: what follows, if anything, is why execve failed
	failedMark  = 'e' // from init, in front of an encoded Error
)

// IsInit says whether this process is to call Init. main asks first thing.
func IsInit() bool { return len(os.Args) == 3 && os.Args[0] == initName }

// Init builds the root and becomes the game. It never returns.
func Init() {
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
	unix.Write(sock, append([]byte{failedMark}, e.encode()...))
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
	if os.Getppid() != m.parent {
		os.Exit(ExitSetup)
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
	if m.userNS {
		if err := dropRights(); err != nil {
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
	for answer := make([]byte, 1); ; {
		n, err := unix.Read(sock, answer)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			os.Exit(ExitSetup) // the launcher is gone
		}
		break
	}
	unix.Write(sock, []byte{reachedExec})
	return execute(m.spec.Argv, m.spec.Env)
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

// dropRights gives up what the new user namespace has given us. User 0 keeps it: execve would give it back, as it does
// outside, and a process that gains rights by execve loses its parent-death signal (commit_creds in kernel/cred.c).
func dropRights() error {
	if os.Geteuid() == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && err != unix.EINVAL {
		return err
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capset(&hdr, &data[0])
}

// execute runs argv as execvp(3) does, except that a file that is no program is not given to a shell. syscall.Exec,
// not a bare execve: it restores the soft limit of open files, which the Go run-time system raises at its start.
func execute(argv, env []string) *Error {
	var found error
	var foundAt string
	for _, path := range candidates(argv[0], env) {
		err := syscall.Exec(path, argv, env)
		if err == unix.ENOENT || err == unix.ENOTDIR {
			// The file may be there and what it needs missing: an interpreter, a dynamic loader.
			if _, serr := os.Stat(path); serr != nil {
				continue
			}
		}
		if found == nil {
			found, foundAt = err, path
		}
		if err != unix.EACCES {
			break
		}
	}
	return execError(argv[0], env, foundAt, found)
}
