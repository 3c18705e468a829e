package launch

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A PID namespace's first process reaps its orphans, and its end is theirs. It cannot be the game: the kernel would give it
// none of the signals that it does not handle. So init starts the game as a child and stays. It does by itself what takes no
// thought; what the game's end and stops mean is the launcher's business, which hears of them over the socket and tells by
// it which signals to pass on.

// govern starts the game, and is process 1 of its namespace until the end. It returns only if there is no game.
func govern(m *message, sock int, early []record) *Error {
	all := func(trap, a1, a2, a3, a4, a5, a6 uintptr) error { // rights belong to threads, of which we have several
		if _, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, a3, a4, a5, a6); errno != 0 {
			return errno
		}
		return nil
	}
	if m.userNS {
		if err := dropRights(all); err != nil {
			return &Error{Op: "namespace", Msg: "drop capabilities: " + err.Error(), Code: ExitSetup}
		}
	}
	// What we are is nobody's business inside: not our memory, and not the file that we are, which may be the user's.
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	game := &child{all: true}
	// By another thread than the process's first, which never blocks signals then: see deaf.
	result := make(chan *Error)
	go func() {
		result <- execute(m.spec.Argv, m.spec.Env, func(path string, argv, env []string) (err error) {
			game.pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}})
			return err
		})
	}()
	if e := <-result; e != nil {
		return e
	}
	tell(sock, running, game.pid)
	setName("capsule-run")
	letGo()
	nothingOpen()
	go obey(sock, game, early)
	for {
		stopped, code := game.next()
		switch {
		case !stopped:
			tell(sock, ended, code)
			if m.spec.WaitChildren {
				waitChildren()
			}
			os.Exit(code) // whoever is left is killed, and gone when the launcher learns of it (pid_namespaces(7))
		case game.stopped():
			tell(sock, stop, withSignal(game.stops, unix.Signal(code)))
		}
	}
}

// obey does what the launcher says, and ends everything when the launcher is gone.
func obey(sock int, game *child, early []record) {
	for _, r := range early {
		game.obey(r, sock)
	}
	for {
		r, ok := hear(sock)
		if !ok {
			os.Exit(ExitSetup)
		}
		game.obey(r, sock)
	}
}

func (c *child) obey(r record, sock int) {
	switch r.kind {
	case pass:
		had, sig := andSignal(r.value)
		if !c.signal(sig, had != 0) {
			tell(sock, late, int(sig))
		}
	case resume:
		c.resumeFrom(r.value)
	case ask:
		is := 0
		if c.stoppedAt(r.value) {
			is = 1
		}
		tell(sock, stands, is)
	}
}

// withSignal is the value of a record of a number and a signal, which has the lowest eight bits.
func withSignal(number int, sig unix.Signal) int        { return number<<8 | int(sig) }
func andSignal(value int) (number int, sig unix.Signal) { return value >> 8, unix.Signal(value & 0xff) }

// deaf has process 1 take every signal that can be sent to it, and do nothing: what the terminal or the game sends to the
// process group is not for us. Ignoring them would make the game ignore them too. The default action is none for process 1,
// but not quite: while its first thread blocks a signal, as in ForkExec, it is fatal by another thread (complete_signal in
// kernel/signal.c does not look for SIGNAL_UNKILLABLE since Linux 4.15). Left to the Go run-time system are SIGCHLD and those
// by which its threads talk to each other.
func deaf() {
	var sigs []os.Signal
	for n := unix.Signal(1); n <= 64; n++ {
		switch n {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, 32, 33, 34:
		default:
			if !ignored(n) {
				sigs = append(sigs, n)
			}
		}
	}
	signal.Notify(make(chan os.Signal, 1), sigs...)
	if !ignored(34) {
		swallow(34) // which package os/signal does not know, for musl's sake
	}
}

// letGo closes the descriptors that were inherited for the game. Those of ours have the close-on-exec flag.
func letGo() {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 && Inherited(fd) {
			unix.Close(fd)
		}
	}
}

// setName says who we are in ps(1), for this thread, which is the process's first: after an execve of /proc/self/exe it is
// called "exe". The kernel keeps 15 bytes (prctl(2)).
func setName(name string) {
	if text, err := unix.BytePtrFromString(name); err == nil {
		unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0)
		runtime.KeepAlive(text)
	}
}

// nothingOpen lets go of the standard streams and the working directory.
func nothingOpen() {
	unix.Chdir("/")
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	for fd := range 3 {
		unix.Dup3(null, fd, 0)
	}
	unix.Close(null)
}

// processOne is the launcher's view of a game below process 1.
type processOne struct {
	pid  int               // of process 1
	late func(unix.Signal) // called for a signal that came too late for the game

	mu    sync.Mutex
	sock  int           // -1 if there is nobody at the other end
	inner int           // the game's process id inside; 0 while there is no game
	early unix.Signal   // what the terminal sent while there was none
	known chan struct{} // closed when it is known whether there is a game

	stop  int      // the last that was told of; next, stopped and resume are called by one thread
	heard []record // what was told before an answer
	gone  bool     // process 1 is reaped
}

// begun notes that the game runs.
func (p *processOne) begun(inner int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inner = inner
	close(p.known)
}

// endedBy returns the terminal's signal by which the start may have ended, 0 if there was none.
func (p *processOne) endedBy() unix.Signal {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.early
}

func (p *processOne) hungUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sock = -1
	if p.inner == 0 {
		p.inner = -1 // and will not be
		close(p.known)
	}
}

func (p *processOne) tell(kind byte, value int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sock >= 0 && tell(p.sock, kind, value)
}

// signal leaves it to process 1 to say that the game has ended: it is called late then.
func (p *processOne) signal(sig unix.Signal, had bool) bool {
	number := 0
	if had {
		number = 1
	}
	p.tell(pass, withSignal(number, sig))
	return true
}

func (p *processOne) resume() { p.tell(resume, p.stop) }

// stopped asks process 1, which has looked before it told us of the stop; but what we have told it
// since may have ended that.
func (p *processOne) stopped() bool {
	if !p.tell(ask, p.stop) {
		// A socket that is full says nothing. Where nobody is at the other end the game has ended.
		return p.sock >= 0 && !hungUp(p.sock)
	}
	for p.sock >= 0 {
		r, ok := hear(p.sock)
		switch {
		case !ok:
			p.hungUp()
		case r.kind == stands:
			return r.value == 1
		default:
			p.heard = append(p.heard, r)
		}
	}
	return false
}

// hear takes the next record.
func (p *processOne) hear() (record, bool) {
	if len(p.heard) > 0 {
		r := p.heard[0]
		p.heard = p.heard[1:]
		return r, true
	}
	return hear(p.sock)
}

func (p *processOne) next() (bool, int) {
	for p.sock >= 0 || len(p.heard) > 0 { // nobody else changes it by now
		r, ok := p.hear()
		switch {
		case !ok:
			p.hungUp()
		case r.kind == stop:
			var sig unix.Signal
			p.stop, sig = andSignal(r.value)
			return true, int(sig)
		case r.kind == late:
			p.late(unix.Signal(r.value))
		case r.kind == ended:
			return false, r.value
		}
	}
	return false, p.reap()
}

func (p *processOne) finish() {
	for p.sock >= 0 {
		p.next()
	}
	p.reap()
}

// reap waits for the end of process 1, which is that of all processes in the namespace.
func (p *processOne) reap() int {
	for !p.gone {
		var status unix.WaitStatus
		got, err := unix.Wait4(p.pid, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return ExitSetup // somebody else reaped it
		case got == p.pid:
			p.gone = true
			return exitStatus(status)
		}
	}
	return 0
}

// has says whether the game has had a signal already. What the terminal sends before there is a game reaches process 1
// alone, which passes it on when there is one, or ends by it before it has got so far. A sender in the namespace is named by
// its number there (kill(2) tells its own idea of it), which outside may be another process's; what has no command line is no
// process that sends, but a thread of the kernel.
func (p *processOne) has(e event) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.kernel {
		if p.inner == 0 {
			p.early = e.sig
		}
		return p.inner != 0
	}
	if p.inner == 0 { // the game may run, and have sent this before we hear that it runs
		p.mu.Unlock()
		<-p.known
		p.mu.Lock()
	}
	if e.sender != p.inner {
		return false
	}
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(e.sender) + "/cmdline")
	return len(text) == 0
}
