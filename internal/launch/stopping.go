package launch

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// We stop when the game has stopped. A SIGCONT that somebody sends us in between is meant for both,
// and would be lost: it continues nobody who runs, and the stop signal comes after it. No handler
// tells of it for sure, for the kernel drops a pending SIGCONT when a stop signal is generated.
//
// But it drops pending stop signals too when a SIGCONT is generated, blocked or not (prepare_signal
// in kernel/signal.c). So a thread of ours does nothing but have a stop signal pending that it
// blocks, from before the game runs: as long as that is there, no SIGCONT has come. And we leave it
// to another process to stop us, which then looks at that thread, and continues us if there was
// one.

// sentinel is the thread.
type sentinel struct {
	tid int
	end chan struct{}
}

// sentinelSignal is one that a thread of ours can block: nothing of ours writes to the terminal in
// the background.
const sentinelSignal = unix.SIGTTOU

func newSentinel() *sentinel {
	s := &sentinel{end: make(chan struct{})}
	ready := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this function
		blocked := unix.Sigset_t{}
		blocked.Val[0] = 1 << (sentinelSignal - 1)
		unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, nil)
		ready <- unix.Gettid()
		<-s.end
	}()
	s.tid = <-ready
	s.arm()
	return s
}

func (s *sentinel) close() { close(s.end) }

// arm has it notice the next SIGCONT. One that is pending is dropped: whoever calls it continues
// the game afterwards, or knows of none that matters.
func (s *sentinel) arm() { unix.Tgkill(os.Getpid(), s.tid, sentinelSignal) }

// quiet says that no SIGCONT has been generated for the process since its sentinel was armed, as
// far as can be told.
func quiet(pid, tid int) bool {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return true // it is another PID namespace's, where the number is another process's
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/status")
	_, rest, found := strings.Cut(string(text), "\nSigPnd:\t")
	digits, _, _ := strings.Cut(rest, "\n")
	set, parseErr := strconv.ParseUint(digits, 16, 64)
	return err != nil || !found || parseErr != nil || set&(1<<(sentinelSignal-1)) != 0
}

// stopperName is argv[0] of the process that stops us.
const stopperName = "capsule-run: stop"

// hasContinued is its exit status where it has continued us.
const hasContinued = 3

// stopper is what it does: arguments are our process, the thread that waits for it, the sentinel
// and the signal.
func stopper() {
	var n [4]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(os.Args[i+1]); err != nil {
			os.Exit(ExitSetup)
		}
	}
	launcher, waits, watches, sig := n[0], n[1], n[2], unix.Signal(n[3])
	unix.Read(0, make([]byte, 1)) // until we are known
	if os.Getppid() != launcher {
		os.Exit(ExitSetup)
	}
	// To the thread that waits for our end, so that it comes to nothing else before it stops. A
	// stop signal other than SIGSTOP has no effect in an orphaned process group, which is right: it
	// has had none on the game either.
	unix.Tgkill(launcher, waits, sig)
	if !quiet(launcher, watches) {
		unix.Kill(launcher, unix.SIGCONT)
		os.Exit(hasContinued)
	}
	os.Exit(0)
}

// stopBy stops this process by a signal whose action is the default one, and returns when it has
// been continued. known is told who may do that, and true says that they have: somebody had sent a
// SIGCONT before.
func (s *sentinel) stopBy(sig unix.Signal, known func(pid int)) (continued bool) {
	status, err := s.delegate(sig, known)
	if err != nil || status != 0 && status != hasContinued {
		unix.Tgkill(os.Getpid(), unix.Gettid(), sig) // then with the gap
	}
	return status == hasContinued
}

// delegate starts the process that stops us, and waits for its end.
func (s *sentinel) delegate(sig unix.Signal, known func(pid int)) (status int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	argv := []string{stopperName, strconv.Itoa(os.Getpid()), strconv.Itoa(unix.Gettid()), strconv.Itoa(s.tid), strconv.Itoa(int(sig))}
	pid, err := syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Env: []string{"GODEBUG=asyncpreemptoff=1,containermaxprocs=0,updatemaxprocs=0", "GOGC=off"}, Files: []uintptr{uintptr(p[0])},
		// A group of its own: what the terminal sends to ours is not for it.
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL},
	})
	unix.Close(p[0])
	if err != nil {
		unix.Close(p[1])
		return 0, err
	}
	known(pid)
	unix.Close(p[1])
	for {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
			return exitStatus(ws), err
		}
	}
}
