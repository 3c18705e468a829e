package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run starts the command of spec and waits for it. It returns the exit status that the launcher should give: the
// command's, or 128+N if signal N ended it. An *Error means that no command ran.
//
// For as long as it runs it owns the process: it must not be called twice at a time, and no other child may be waited
// for by "any child" calls.
func Run(spec *Spec) (int, error) {
	// The game is to die with us, and PR_SET_PDEATHSIG means the death of the *thread* that forked (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	if len(spec.Argv) == 0 {
		return ExitSetup, &Error{Op: "exec", Msg: "no command given", Code: ExitSetup}
	}
	if spec.WaitChildren && !spec.UnsharePID { // process 1 is the parent of its namespace's orphans anyway
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return ExitSetup, &Error{Op: "children", Msg: "become the parent of orphans: " + err.Error(), Code: ExitSetup}
		}
	}
	c, err := fork(spec)
	if err != nil {
		return code(err), err
	}
	s := &supervisor{game: c.program(spec), last: spec.WaitChildren}
	if c.one != nil {
		c.one.late = s.late
	}
	if err := s.start(); err != nil {
		unix.Kill(c.pid, unix.SIGKILL)
		c.report()
		s.wait()
		return ExitSetup, &Error{Op: "signals", Msg: "catch signals: " + err.Error(), Code: ExitSetup}
	}
	defer s.stop()
	c.release()
	failed := c.report()
	if failed == nil {
		letGo() // what the game closes is closed
	}
	status := s.wait()
	if failed == nil {
		s.game.finish()
		return status, nil
	}
	if failed.Code == 0 { // init is gone without a word
		if status > 128 {
			return status, nil // by a signal meant for the game: then that is the game's end
		}
		if sig := c.one.endedBy(); sig != 0 {
			return 128 + int(sig), nil // likewise, but process 1 cannot be killed by it
		}
		failed.Code, failed.Msg = ExitSetup, fmt.Sprintf("init ended with status %d before it started the command", status)
	}
	c.explain(failed)
	return failed.Code, failed
}

func code(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ExitSetup
}

// initProcess is a process that is init and will be the game, or process 1 of a PID namespace.
type initProcess struct {
	pid    int
	sock   int // tells init to go on and us what went wrong; init's end is closed by the game's execve
	userNS bool
	one    *processOne // nil without a PID namespace
}

// program is what the process will be.
func (c *initProcess) program(spec *Spec) program {
	if c.one != nil {
		return c.one
	}
	return &child{pid: c.pid, all: spec.WaitChildren}
}

// fork starts init in its namespaces.
func fork(spec *Spec) (*initProcess, error) {
	setup := func(doing string, err error) *Error {
		return &Error{Op: "namespace", Msg: doing + ": " + err.Error(), Code: ExitSetup, errno: errnoOf(err)}
	}
	c := &initProcess{userNS: !spec.Direct && wantUserNS(spec.UserNS)}
	m := &message{spec: *spec, parent: os.Getpid(), userNS: c.userNS, ignoreQuit: ignored(unix.SIGINT)}
	memfd, err := sealed(m.encode())
	if err != nil {
		return nil, setup("hand over the plan", err)
	}
	defer unix.Close(memfd)
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, setup("make a socket pair", err)
	}
	defer unix.Close(p[1])

	attr := &syscall.ProcAttr{
		Files: inherit(memfd, p[1]),
		// For init only, it is replaced before the game: no signals of the Go scheduler that could be left pending for the
		// game, no reading of cgroup files.
		Env: []string{"GODEBUG=asyncpreemptoff=1,containermaxprocs=0,updatemaxprocs=0"},
		Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	}
	if !spec.Direct {
		attr.Sys.Cloneflags = unix.CLONE_NEWNS
	}
	if spec.UnshareNet {
		attr.Sys.Cloneflags |= unix.CLONE_NEWNET
	}
	if !spec.UnsharePID {
		attr.Env = append(attr.Env, "GOGC=off") // no garbage collection in so short a life
	} else {
		attr.Sys.Cloneflags |= unix.CLONE_NEWPID
		attr.Sys.Pdeathsig = 0 // init does it; ForkExec would look for us by getppid(2), which is 0 there
	}
	if c.userNS {
		attr.Sys.Cloneflags |= unix.CLONE_NEWUSER
		uid, gid := os.Geteuid(), os.Getegid()
		attr.Sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		attr.Sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		if uid != 0 {
			// Only ambient capabilities survive an execve of somebody who is not root.
			attr.Sys.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
			if spec.UnshareNet {
				attr.Sys.AmbientCaps = append(attr.Sys.AmbientCaps, unix.CAP_NET_ADMIN)
			}
		}
	}
	argv := []string{initName, strconv.Itoa(memfd), strconv.Itoa(p[1])}
	c.pid, err = syscall.ForkExec("/proc/self/exe", argv, attr)
	if err != nil {
		unix.Close(p[0])
		e := setup(makeNamespaces(c.userNS, spec.UnsharePID), err)
		if spec.Direct {
			e = setup("start a process", err)
		}
		c.explain(e)
		return nil, e
	}
	c.sock = p[0]
	if spec.UnsharePID {
		c.one = &processOne{pid: c.pid, sock: c.sock, known: make(chan struct{})}
	}
	return c, nil
}

// makeNamespaces names what a launch makes, but for a network's.
func makeNamespaces(user, pid bool) string {
	switch {
	case user && pid:
		return "make a user, a mount and a process namespace"
	case user:
		return "make a user and a mount namespace"
	case pid:
		return "make a mount and a process namespace"
	}
	return "make a mount namespace"
}

// inherit lists the descriptors that init gets, each under its own number: those that our caller left open for the
// program it starts, and our two. ForkExec clears the close-on-exec flag of these two in the child only; every other
// descriptor of ours has it.
func inherit(ours ...int) []uintptr {
	files := []uintptr{0, 1, 2}
	last := max(ours[0], ours[1])
	for fd := 3; fd <= last; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if fd == ours[0] || fd == ours[1] || err == nil && flags&unix.FD_CLOEXEC == 0 {
			files = append(files, uintptr(fd))
		} else {
			files = append(files, ^uintptr(0)) // closed in the child
		}
	}
	return files
}

// sealed puts data into a memfd that nobody can change any more.
func sealed(data []byte) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	// With sysctl vm.memfd_noexec=2 a memfd must say that it is not for execution (Linux 6.3); older kernels do not
	// know the flag.
	fd, err := unix.MemfdCreate("capsule-run plan", flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("capsule-run plan", flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("write to the memfd: %w", err)
		}
		data = data[n:]
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal the memfd: %w", err)
	}
	return fd, nil
}

// release lets init start the game. Until our signal handlers are there a signal ends us, and with us init; it must not
// find a game that runs already, which would then die by SIGKILL instead.
func (c *initProcess) release() {
	tell(c.sock, goOn, 0) // if it fails init is gone, and report says so
}

// report waits until the game runs (nil) or init has failed. Init writes a record before it tries to execute the game, and
// an error after that or instead; the connection ends by execve or with the process. Process 1 writes a record when the
// game runs, and keeps the connection.
func (c *initProcess) report() *Error {
	r, ok := hear(c.sock)
	if ok && r.kind == running {
		c.one.begun(r.value)
		return nil
	}
	defer c.hangUp()
	if ok && r.kind == reachedExec {
		if r, ok = hear(c.sock); !ok {
			return nil
		}
	}
	if !ok || r.kind != failedMark {
		return &Error{Op: "namespace"}
	}
	text := make([]byte, min(r.value, maxError))
	for n := 0; n < len(text); {
		got, err := unix.Read(c.sock, text[n:])
		if err == unix.EINTR {
			continue
		}
		if got <= 0 {
			break // decodeError says so
		}
		n += got
	}
	e, err := decodeError(text)
	if err != nil {
		return &Error{Op: "namespace"}
	}
	return e
}

func (c *initProcess) hangUp() {
	unix.Close(c.sock)
	if c.one != nil {
		c.one.hungUp()
	}
}

func errnoOf(err error) uint64 {
	var e syscall.Errno
	if errors.As(err, &e) {
		return uint64(e)
	}
	return 0
}
