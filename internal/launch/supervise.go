package launch

import (
	"encoding/binary"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supervisor stands in for the game towards our parent and everybody who knows our process id.
type supervisor struct {
	game program
	last bool // the process goes on after the game's end, and what comes for the game then is for us

	mu sync.Mutex
	// awaited is set when we stop with the game, until the SIGCONT that ends this has come by way of the handler. That
	// may be late: the game may have been stopped again meanwhile.
	awaited  bool
	came     *sync.Cond // a SIGCONT has
	stopping bool       // we are about to stop, or stopped: the sentinel is left as it is
	stopper  int        // who may continue us, whose SIGCONT is not for the game
	over     bool       // the game has ended

	watch    *watcher
	sentinel *sentinel
}

// caught are the signals that are passed on, unless they were ignored when we started. SIGKILL and SIGSTOP cannot be
// caught, faults are our own, SIGCHLD, SIGURG and SIGPIPE belong to the Go run-time system.
func caught() []unix.Signal {
	sigs := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM,
		unix.SIGCONT, unix.SIGWINCH, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGIO, unix.SIGPWR}
	for n := unix.Signal(34); n <= 64; n++ { // SIGRTMIN to SIGRTMAX; glibc keeps 32 and 33 to itself
		sigs = append(sigs, n)
	}
	return sigs
}

func (s *supervisor) start() (err error) {
	var sigs []unix.Signal
	for _, n := range caught() {
		if !ignored(n) {
			sigs = append(sigs, n)
		}
	}
	s.mu.Lock() // what comes at once needs the watcher
	defer s.mu.Unlock()
	s.came = sync.NewCond(&s.mu)
	s.sentinel = newSentinel()
	s.watch, err = watch(sigs, s.forward)
	return err
}

func (s *supervisor) stop() {
	if s.watch != nil {
		s.watch.close()
		s.watch = nil
	}
	s.sentinel.close()
}

// forward passes a signal on, if the game has not had it already.
func (s *supervisor) forward(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		s.late(e.sig)
		return
	case e.sig == unix.SIGCONT:
		if !s.stopping {
			s.sentinel.arm() // before this one has its effect, which another one that is dropped now would have, too
		}
		// stopToo has seen to the one that continued us. When we were not stopped, it is for the game alone.
		if !s.awaited && !e.kernel && (s.stopper == 0 || e.sender != s.stopper) {
			s.game.signal(unix.SIGCONT, false)
		}
		s.awaited = false
		s.came.Broadcast()
		return
	}
	// From the terminal (keyboard, window size, background access), which tells all of the process group; or the game
	// signals its process group and has its own copy.
	had := s.game.has(e)
	if e.kernel && e.sig == unix.SIGHUP {
		// The terminal is gone. The kernel tells the session leader and the foreground process group; we may be the
		// one and the game, in a group of its own by now, not in the other. A second SIGHUP does less harm than none.
		sid, err := unix.Getsid(0)
		had = had && (err != nil || sid != os.Getpid())
	}
	if had && !e.kernel {
		return
	}
	if !s.game.signal(e.sig, had) {
		s.late(e.sig)
	}
}

// late does to us what a signal does that came too late for the game.
func (s *supervisor) late(sig unix.Signal) {
	if s.last {
		s.watch.byDefault(sig)
		unix.Kill(os.Getpid(), sig)
	}
}

// wait waits for the end of the game, stopping when it stops.
func (s *supervisor) wait() int {
	for {
		stop, code := s.game.next()
		if !stop {
			s.mu.Lock()
			s.over = true
			s.mu.Unlock()
			return code
		}
		s.stopToo(unix.Signal(code))
	}
}

// stopToo stops us by the signal that stopped the game, so that the shell sees what it would see of the game.
func (s *supervisor) stopToo(sig unix.Signal) {
	// SIGSTOP to the game alone comes from somebody who will continue the game alone. Where no shell watches us, being
	// stopped would only mean never to notice.
	if sig == unix.SIGSTOP && !terminal() {
		return
	}
	if !s.game.stopped() {
		return // continued already
	}
	// The terminal's own, sent to us with the game, may not have come to a handler yet: it would stop us a second time.
	if e, ok := pending(sig); ok {
		s.forward(e)
	}
	if !s.toStop() {
		return // continued already, or about to be
	}
	restore := s.watch.byDefault(sig)
	continued := s.sentinel.stopBy(sig, func(pid int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopper = pid
	})
	restore()
	s.mu.Lock()
	s.stopping = false
	if !continued {
		s.stopper = 0
	}
	switch {
	case quiet(os.Getpid(), s.sentinel.tid):
		s.awaited = false // we were not stopped, so nobody will continue us
	case !s.awaited || ignored(unix.SIGCONT):
		s.awaited = false
		s.sentinel.arm()
	default:
		s.waitForLast() // before the game can stop again: two that are pending would be one
	}
	s.mu.Unlock()
	// A shell continues the whole process group, the game with it. Only where somebody continued us alone is the game
	// still stopped.
	s.game.resume()
}

// toStop says whether to stop with the game. From then on a SIGCONT is for us.
func (s *supervisor) toStop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ignored(unix.SIGCONT) { // nobody else arms it
		s.sentinel.arm()
	}
	// One that has come and has not been passed on will continue the game.
	if !quiet(os.Getpid(), s.sentinel.tid) || !s.game.stopped() {
		return false
	}
	s.awaited, s.stopping = true, true
	return true
}

// waitForLast waits for the SIGCONT that ended our last stop, but not for ever: another stop signal
// drops one that no handler has had.
func (s *supervisor) waitForLast() {
	over := false
	limit := time.AfterFunc(time.Second, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !over {
			s.awaited = false
			s.sentinel.arm()
			s.came.Broadcast()
		}
	})
	defer limit.Stop()
	for s.awaited && !quiet(os.Getpid(), s.sentinel.tid) {
		s.came.Wait()
	}
	over = true
}

// terminal says whether we have a controlling terminal and somebody else leads its session.
func terminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	sid, err := unix.Getsid(0)
	return err == nil && sid != os.Getpid()
}

// event is a signal that reached us.
type event struct {
	sig    unix.Signal
	kernel bool // sent by the kernel: the terminal
	sender int  // process id, 0 if the kernel did it
}

const (
	siginfoSize = 128 // sizeof(siginfo_t)
	siKernel    = 0x80
)

// decodeEvent reads a siginfo_t of a 64-bit machine: si_signo is at 0, si_errno at 4, si_code at 8, si_pid at 16.
func decodeEvent(b *[siginfoSize]byte) event {
	e := event{sig: unix.Signal(binary.NativeEndian.Uint32(b[0:]))}
	if code := int32(binary.NativeEndian.Uint32(b[8:])); code > 0 {
		e.kernel = code == siKernel
	} else {
		e.sender = int(int32(binary.NativeEndian.Uint32(b[16:])))
	}
	return e
}

// pending takes a signal that has been sent to us and has not come to a handler.
func pending(sig unix.Signal) (event, bool) {
	var info [siginfoSize]byte
	set, now := uint64(1)<<(sig-1), unix.Timespec{}
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), uintptr(unsafe.Pointer(&info)),
		uintptr(unsafe.Pointer(&now)), unsafe.Sizeof(set), 0, 0)
	return decodeEvent(&info), errno == 0
}
