package launch

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// os/signal tells which signal came, not who sent it; but a Ctrl-C of the terminal has reached the game already, and a
// kill(1) of our process id has not. The kernel knows: si_code. So the handler is our own, in assembly: it writes the
// siginfo to a pipe and touches nothing of the Go run-time system.

// sigaction is struct kernel_sigaction of x86-64 (arch/x86/include/uapi/asm/signal.h).
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	saSiginfo  = 0x4
	saRestorer = 0x04000000
	saOnstack  = 0x08000000 // goroutine stacks are too small for a signal frame
	saRestart  = 0x10000000

	sigDFL = 0
	sigIGN = 1
)

// signalPipe is the descriptor that handler writes to.
var signalPipe int32

// handlerPC and restorerPC return the addresses of the two functions of watch_amd64.s that only the kernel calls.
func handlerPC() uintptr
func restorerPC() uintptr

func rtSigaction(sig unix.Signal, act, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)),
		uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("rt_sigaction for signal %d: %w", sig, errno)
	}
	return nil
}

// ignored says whether a signal is ignored now. The Go run-time system leaves that as it was at the start for SIGHUP,
// SIGINT and the stop signals only.
func ignored(sig unix.Signal) bool {
	var old sigaction
	return rtSigaction(sig, nil, &old) == nil && old.handler == sigIGN
}

// swallow has a signal that package os/signal cannot catch do nothing. It is for a process that watches none.
func swallow(sig unix.Signal) {
	signalPipe = -1
	rtSigaction(sig, ours(), nil)
}

// watcher has the handlers installed.
type watcher struct {
	read, write int
	old         map[unix.Signal]sigaction
	done        chan struct{}
}

func ours() *sigaction {
	return &sigaction{handlerPC(), saSiginfo | saRestorer | saOnstack | saRestart, restorerPC(), ^uint64(0)}
}

// watch calls f for each of sigs that arrives, one after the other.
func watch(sigs []unix.Signal, f func(event)) (*watcher, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	// A full pipe loses signals, as a process that does not get to run does; a blocked handler would be worse.
	unix.SetNonblock(p[1], true)
	signalPipe = int32(p[1])
	w := &watcher{read: p[0], write: p[1], old: map[unix.Signal]sigaction{}, done: make(chan struct{})}
	for _, sig := range sigs {
		var old sigaction
		if err := rtSigaction(sig, ours(), &old); err != nil {
			continue // a kernel with fewer real-time signals
		}
		w.old[sig] = old
	}
	go w.loop(f)
	return w, nil
}

func (w *watcher) loop(f func(event)) {
	defer close(w.done)
	var b [siginfoSize]byte
	for {
		n, err := unix.Read(w.read, b[:]) // a record is written in one piece: it is below PIPE_BUF
		if err == unix.EINTR {
			continue
		}
		if n != siginfoSize {
			return
		}
		f(decodeEvent(&b))
	}
}

// byDefault gives sig its default action until the returned function is called.
func (w *watcher) byDefault(sig unix.Signal) func() {
	if _, ok := w.old[sig]; !ok {
		return func() {}
	}
	rtSigaction(sig, &sigaction{handler: sigDFL, flags: saRestorer, restorer: restorerPC()}, nil)
	return func() { rtSigaction(sig, ours(), nil) }
}

// close puts back what was there before.
func (w *watcher) close() {
	for sig, old := range w.old {
		rtSigaction(sig, &old, nil)
	}
	// Not closed: the number stays taken, for a handler that is under way in another thread.
	unix.Dup3(w.read, w.write, unix.O_CLOEXEC)
	<-w.done
	unix.Close(w.read)
}
