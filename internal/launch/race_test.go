package launch

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// racing is a child that sends us a SIGCONT, once, at a point between its stop and ours.
type racing struct {
	*child
	where string
}

func (r *racing) at(where string) {
	if r.where == where {
		r.where = ""
		unix.Kill(os.Getpid(), unix.SIGCONT)
	}
}

func (r *racing) next() (bool, int) {
	stop, code := r.child.next()
	if stop {
		r.at("next")
	}
	return stop, code
}

func (r *racing) stopped() bool {
	r.at("asked")
	is := r.child.stopped()
	r.at("told")
	if r.where == "told again" {
		r.where = "told" // the next time, which is the last look before the launcher stops
	}
	return is
}

// raced is a launcher of such a child, without namespaces.
func raced(where string) int {
	runtime.LockOSThread()
	path, err := exec.LookPath(os.Args[1])
	if err != nil {
		panic(err)
	}
	pid, err := syscall.ForkExec(path, os.Args[1:], &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		panic(err)
	}
	s := &supervisor{game: &racing{&child{pid: pid}, where}}
	if err := s.start(); err != nil {
		panic(err)
	}
	defer s.stop()
	letGo()
	return s.wait()
}

// A SIGCONT to the launcher alone, when the program has stopped and the launcher is about to,
// continues both.
func TestContinuedBeforeStop(t *testing.T) {
	for _, where := range []string{"next", "asked", "told", "told again"} {
		t.Run(where, func(t *testing.T) {
			for range 10 {
				_, _, ch := onTerminalOf(t, "waiting", "race "+where, "sh", "-c", "echo ready; kill -STOP $$; echo after; exit 5")
				expect(t, ch, "after")
				expect(t, ch, "[exit 5]")
			}
		})
	}
}

// However soon after the program's stop a SIGCONT to the launcher comes, one is enough.
func TestContinuedAtOnce(t *testing.T) {
	for _, wish := range []string{"", "pid"} {
		t.Run(wish, func(t *testing.T) {
			t.Setenv(envWish, wish)
			const times = 100
			launcher, _, ch := onTerminalOf(t, "waiting", "auto", "bash", "-c",
				fmt.Sprintf("trap : CONT; for i in {1..%d}; do echo stop $i; kill -STOP $$; done; exit 5", times))
			game := 0
			for i := 1; i <= times; i++ {
				expect(t, ch, fmt.Sprintf("stop %d", i))
				if game == 0 {
					game = bashBelow(t, launcher)
				}
				for end := time.Now().Add(patience); !stopped(game); runtime.Gosched() {
					if time.Now().After(end) {
						t.Fatal("the program does not stop")
					}
				}
				// From at once to when the launcher has long stopped.
				for end := time.Now().Add(time.Duration(i%20) * 500 * time.Microsecond); time.Now().Before(end); {
				}
				must(t, unix.Kill(launcher, unix.SIGCONT))
			}
			expect(t, ch, "[exit 5]")
		})
	}
}

// bashBelow finds the program below a launcher, or below process 1 that is.
func bashBelow(t *testing.T, launcher int) (game int) {
	until(t, func() bool {
		for todo := []int{launcher}; len(todo) > 0; todo = todo[1:] {
			if text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", todo[0])); strings.TrimSpace(string(text)) == "bash" {
				game = todo[0]
			}
			todo = append(todo, childrenOf(t, todo[0])...)
		}
		return game != 0
	})
	return game
}

// A program that was continued and has ended is in no stop: its process 1 is gone, and cannot be asked.
func TestEndedIsNotStopped(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fds[0])
	tell(fds[1], ended, 5)
	unix.Close(fds[1])
	p := &processOne{sock: fds[0], stop: 1}
	if p.stopped() {
		t.Error("got a stop of a program that has ended")
	}
	if stop, code := p.next(); stop || code != 5 {
		t.Errorf("got %v, %d, want the end with 5", stop, code)
	}
}
