package launch

import (
	"bytes"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// program is what a supervisor stands in for: a child of ours, or what process 1 of a PID namespace has as its child.
type program interface {
	// signal sends a signal, unless the program has had it; false says that the program has ended, even if next has not told
	// so yet.
	signal(sig unix.Signal, had bool) bool
	// next waits until the program has stopped (true, and the signal) or ended (false, and the exit status).
	next() (stopped bool, code int)
	// stopped says whether it is in the stop now that next has told of last: that may be over, and
	// another one begun, which next has still to tell of.
	stopped() bool
	// resume continues it, unless it has been stopped *again* since next told of a stop.
	resume()
	// has says whether the program has had a signal that reached us: as one of its process group, or as its sender.
	has(e event) bool
	// finish waits, after the program's end, for what else the spec wants to be waited for.
	finish()
}

// child is a program that is our own child process.
type child struct {
	pid int
	all bool // other children of ours are reaped too, and waited for by finish

	mu    sync.Mutex // held while pid is used, so that it is not used after the process is gone
	gone  bool
	stops int // how many next has told of
}

func (c *child) signal(sig unix.Signal, had bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended() {
		return false
	}
	if !had {
		c.kill(sig)
	}
	return true
}

// ended says whether the program has ended, reaped or not: kill(2) takes a signal for a zombie too, which nobody gets.
func (c *child) ended() bool {
	if c.gone {
		return true
	}
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, c.pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}

func (c *child) kill(sig unix.Signal) {
	if !c.gone {
		unix.Kill(c.pid, sig)
	}
}

func (c *child) next() (bool, int) {
	kind, pid := unix.P_PID, c.pid
	if c.all {
		kind, pid = unix.P_ALL, -1
	}
	for {
		var info unix.Siginfo
		// Looking first and reaping under the lock keeps signal from reaching a stranger that got the process id.
		err := unix.Waitid(kind, pid, &info, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		c.mu.Lock()
		var status unix.WaitStatus
		got, err := unix.Wait4(pid, &status, unix.WUNTRACED|unix.WNOHANG, nil)
		if err == unix.ECHILD || err == nil && got == c.pid && !status.Stopped() {
			c.gone = true
		}
		if err == nil && got == c.pid && status.Stopped() {
			c.stops++
		}
		c.mu.Unlock()
		switch {
		case err == unix.ECHILD:
			return false, ExitSetup // somebody else reaped it; cannot happen while the contract of Run is kept
		case err != nil || got != c.pid:
			continue // continued in between, or an orphan that was left to us
		case status.Stopped():
			return true, int(status.StopSignal())
		default:
			return false, exitStatus(status)
		}
	}
}

// exitStatus is what a shell calls a process's end: 128+N for signal N.
func exitStatus(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func (c *child) stopped() bool { return c.stoppedAt(c.stops) } // next is not running: whoever calls it calls this

// stoppedAt says whether the program is in the stop of that number.
func (c *child) stoppedAt(number int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isAt(number)
}

// isAt looks for a stop since: one that next has told of meanwhile, in another thread perhaps, or
// one that is still to be waited for, and next comes to it.
func (c *child) isAt(number int) bool {
	if c.gone || c.stops != number || !stopped(c.pid) {
		return false
	}
	var again unix.Siginfo
	unix.Waitid(unix.P_PID, c.pid, &again, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, nil)
	return again.Signo == 0
}

func (c *child) resume() { c.resumeFrom(c.stops) } // nor does it run now

// resumeFrom continues the program unless it has been stopped again since the stop of that number.
func (c *child) resumeFrom(number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isAt(number) {
		c.kill(unix.SIGCONT)
	}
}

func (c *child) has(e event) bool { return e.kernel || e.sender == c.pid }

func (c *child) finish() {
	if c.all {
		waitChildren()
	}
}

// stopped says whether a process is stopped: the state in /proc/PID/stat follows the last ")" (proc_pid_stat(5)).
func stopped(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	i := bytes.LastIndexByte(b, ')')
	return err == nil && i >= 0 && i+2 < len(b) && b[i+2] == 'T'
}
