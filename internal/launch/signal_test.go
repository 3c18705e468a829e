package launch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds a wait for something that must happen, so that a failing test ends; no test measures with it.
const patience = 20 * time.Second

// lines reads r line by line.
func lines(r io.Reader) <-chan string {
	ch := make(chan string, 1000)
	go func() {
		defer close(ch)
		for s := bufio.NewScanner(r); s.Scan(); {
			ch <- strings.TrimRight(s.Text(), "\r")
		}
	}()
	return ch
}

// expect reads lines until one is want.
func expect(t *testing.T, ch <-chan string, want string) {
	t.Helper()
	timeout := time.After(patience)
	var seen []string
	for {
		select {
		case l, ok := <-ch:
			if l == want {
				return
			}
			if !ok {
				t.Fatalf("ended without %q; said %q", want, seen)
			}
			seen = append(seen, l)
		case <-timeout:
			t.Fatalf("no %q; said %q", want, seen)
		}
	}
}

func TestSignalsAreForwarded(t *testing.T) {
	sigs := []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM,
		unix.SIGWINCH, unix.SIGCONT, unix.SIGIO, unix.SIGPWR, 34, 50, 64}
	eachMode(t, func(t *testing.T, mode string) {
		stop, err := os.CreateTemp("", "capsule-stop-")
		must(t, err)
		must(t, stop.Chmod(0o644))
		defer os.Remove(stop.Name())
		body := "for s in TERM HUP INT QUIT USR1 USR2 ALRM WINCH CONT IO PWR 34 50 64; do trap \"echo got $s\" $s; done; echo ready; " +
			"while [ -e '" + stop.Name() + "' ]; do sleep 0.02; done; exit 7"
		cmd := start(t, mode, "bash", "-c", body)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		ch := lines(out)
		expect(t, ch, "ready")
		for _, s := range sigs {
			must(t, cmd.Process.Signal(syscall.Signal(s)))
			name := strings.TrimPrefix(unix.SignalName(s), "SIG")
			if name == "" {
				name = fmt.Sprint(int(s))
			}
			expect(t, ch, "got "+name)
		}
		os.Remove(stop.Name())
		cmd.Wait()
		if c := cmd.ProcessState.ExitCode(); c != 7 {
			t.Errorf("exit status %d", c)
		}
	})
}

func TestUncaughtSignalEndsBoth(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, 40} {
			cmd := start(t, mode, "sh", "-c", "echo ready; exec sleep 1000")
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			expect(t, lines(out), "ready")
			must(t, cmd.Process.Signal(syscall.Signal(s)))
			cmd.Wait()
			if c := cmd.ProcessState.ExitCode(); c != 128+int(s) {
				t.Errorf("signal %d: %v", s, cmd.ProcessState)
			}
		}
	})
}

func TestGameDiesWithLauncher(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		cmd := start(t, mode, "sh", "-c", "echo $$; exec sleep 1000")
		r, w, err := os.Pipe()
		must(t, err)
		defer r.Close()
		cmd.Stdout = w
		must(t, cmd.Start())
		w.Close()
		ch := lines(r)
		<-ch
		must(t, cmd.Process.Kill())
		cmd.Wait()
		// The pipe ends when the last process that holds it is gone.
		select {
		case l, ok := <-ch:
			if ok {
				t.Errorf("said %q", l)
			}
		case <-time.After(patience):
			t.Error("the game lives on")
		}
	})
}

// pty returns a new terminal's two ends.
func pty(t *testing.T) (master *os.File, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no pseudo terminals here: %v", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { slave.Close() })
	// No echo: it would put ^C in front of what the game says. NOFLSH: or Ctrl-C throws away what the game has
	// written in answer to the signal before the terminal comes to flushing its output.
	tio, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(t, err)
	tio.Lflag &^= unix.ECHO
	tio.Lflag |= unix.NOFLSH
	must(t, unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, tio))
	return master, slave
}

// onTerminal starts the launch as a foreground job of a shell on a terminal of its own, and waits until the launcher knows
// that the game runs: what the keyboard sends before that may reach the game twice. (Then the launcher closes what only the
// game inherits.)
func onTerminal(t *testing.T, argv ...string) (launcher int, tty *os.File, said <-chan string) {
	return onTerminalOf(t, "1", "auto", argv...)
}

// onTerminalOf has that shell, and a launcher of that mode.
func onTerminalOf(t *testing.T, shell, mode string, argv ...string) (launcher int, tty *os.File, said <-chan string) {
	master, slave := pty(t)
	cmd := exec.Command("/proc/self/exe", argv...)
	cmd.Env = append(os.Environ(), envLauncher+"="+mode, envShell+"="+shell)
	inherited, err := os.Create(filepath.Join(t.TempDir(), "inherited"))
	must(t, err)
	defer inherited.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = slave, slave, slave, []*os.File{inherited}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	must(t, cmd.Start())
	slave.Close()
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ch := lines(master)
	var early []string // what the game says before the shell comes to telling of the launcher
	for l := range ch {
		if n, _ := fmt.Sscanf(l, "[launcher %d", &launcher); n == 1 {
			until(t, func() bool {
				there, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", launcher))
				return there != inherited.Name()
			})
			return launcher, master, following(early, ch)
		}
		early = append(early, l)
	}
	t.Fatal("the launcher did not start")
	return
}

// following has the lines of ch behind those that have been read of it.
func following(early []string, ch <-chan string) <-chan string {
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		for _, l := range early {
			all <- l
		}
		for l := range ch {
			all <- l
		}
	}()
	return all
}

// game tells of each signal. (A shell would not do: bash forgets a signal that comes while its trap runs.)
func game() int {
	ch := make(chan os.Signal, 100)
	signal.Notify(ch, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	fmt.Println("ready")
	n := 0
	for s := range ch {
		switch s {
		case unix.SIGINT:
			n++
			fmt.Println("int", n)
		case unix.SIGUSR1:
			fmt.Println("usr1 after", n)
		case unix.SIGUSR2:
			fmt.Println("usr2")
		case unix.SIGQUIT:
			fmt.Println("quit")
			return 3
		}
	}
	return 0
}

func TestKeyboardSignalsComeOnce(t *testing.T) {
	for _, wish := range []string{"", "pid"} {
		t.Run(wish, func(t *testing.T) {
			t.Setenv(envWish, wish)
			keyboardSignalsComeOnce(t)
		})
	}
}

func keyboardSignalsComeOnce(t *testing.T) {
	launcher, tty, ch := onTerminal(t, public(t), "game")
	expect(t, ch, "ready")
	for i := 1; i <= 3; i++ {
		tty.WriteString("\x03") // Ctrl-C
		expect(t, ch, fmt.Sprintf("int %d", i))
	}
	// Two pending SIGINT are one (signal(7)): let the launcher be through with the keyboard's before the next one.
	must(t, unix.Kill(launcher, unix.SIGUSR2))
	expect(t, ch, "usr2")
	// What is sent to the launcher alone arrives, though it is in the foreground of a terminal.
	must(t, unix.Kill(launcher, unix.SIGINT))
	expect(t, ch, "int 4")
	// Signals are passed on in order, so that a second copy of any SIGINT would have come before this.
	must(t, unix.Kill(launcher, unix.SIGUSR1))
	expect(t, ch, "usr1 after 4")
	tty.WriteString("\x1c") // Ctrl-\
	expect(t, ch, "quit")
	expect(t, ch, "[exit 3]")
}

func TestJobControl(t *testing.T) {
	for _, wish := range []string{"", "children net", "pid", "pid children"} {
		t.Run(wish, func(t *testing.T) {
			t.Setenv(envWish, wish)
			jobControl(t)
		})
	}
}

func jobControl(t *testing.T) {
	_, tty, ch := onTerminal(t, "bash", "-c",
		`trap 'echo continued' CONT; echo ready; read x; echo "read $x"; kill -STOP $$; echo after; exit 5`)
	expect(t, ch, "ready")
	tty.WriteString("\x1a") // Ctrl-Z
	expect(t, ch, "[stopped 20]")
	expect(t, ch, "[continue]")
	tty.WriteString("hello\n")
	expect(t, ch, "read hello")
	expect(t, ch, "[stopped 19]")
	expect(t, ch, "after")
	expect(t, ch, "[exit 5]")
}

// An order to continue the game is for one stop: where it comes after the next one, that would be lost.
func TestResumeIsForOneStop(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	must(t, cmd.Start())
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	c := &child{pid: cmd.Process.Pid}
	for range 2 {
		must(t, unix.Kill(c.pid, unix.SIGCONT))
		must(t, unix.Kill(c.pid, unix.SIGSTOP))
		if isStop, code := c.next(); !isStop || code != int(unix.SIGSTOP) {
			t.Fatal(isStop, code)
		}
	}
	c.obey(record{resume, 1}, -1)
	if !c.stopped() {
		t.Error("the second stop was ended by what was for the first")
	}
	c.obey(record{resume, 2}, -1)
	until(t, func() bool { return !c.stopped() })
}

// A zombie takes every signal and has none of them, whether it is sent by us or by the terminal.
func TestSignalAfterTheEnd(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	must(t, cmd.Start())
	defer cmd.Wait()
	c := &child{pid: cmd.Process.Pid}
	for _, had := range []bool{true, false} {
		if !c.signal(unix.SIGKILL, had) {
			t.Error("a program that runs is taken for ended")
		}
	}
	until(t, func() bool { return parentOf(c.pid) == 0 })
	for _, had := range []bool{true, false} {
		if c.signal(unix.SIGTERM, had) {
			t.Error("a zombie is taken for running")
		}
	}
}

// What the terminal sends to the game and to us is taken before we stop ourselves by the same signal.
func TestPending(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	blocked := unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGTSTP - 1)}}
	must(t, unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, nil))
	defer unix.PthreadSigmask(unix.SIG_UNBLOCK, &blocked, nil)
	must(t, unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGTSTP))
	if e, ok := pending(unix.SIGTSTP); !ok || e.sig != unix.SIGTSTP || e.kernel || e.sender != os.Getpid() {
		t.Errorf("%+v, %t", e, ok)
	}
	if e, ok := pending(unix.SIGTSTP); ok {
		t.Errorf("a second time: %+v", e)
	}
}

// A game that handles Ctrl-Z itself is not stopped, so the launcher must not be either.
func TestCaughtStopDoesNotStop(t *testing.T) {
	_, tty, ch := onTerminal(t, "bash", "-c", `trap 'echo caught; exit 6' TSTP; echo ready; while :; do :; done`)
	expect(t, ch, "ready")
	tty.WriteString("\x1a")
	timeout := time.After(patience)
	for {
		select {
		case l := <-ch:
			if strings.HasPrefix(l, "[stopped") {
				t.Fatal("the launcher stopped, the game did not")
			}
			if l == "[exit 6]" {
				return
			}
		case <-timeout:
			t.Fatal("the game did not see Ctrl-Z")
		}
	}
}

// A continued launcher continues the game.
func TestContinueLauncherOnly(t *testing.T) {
	cmd := start(t, modes()[0], "sh", "-c", "echo $$; read x; echo done")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	ch := lines(out)
	var game int
	fmt.Sscan(<-ch, &game)
	must(t, unix.Kill(game, unix.SIGSTOP))
	for end := time.Now().Add(patience); !stopped(game) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	must(t, cmd.Process.Signal(unix.SIGCONT))
	io.WriteString(in, "\n")
	expect(t, ch, "done")
	must(t, cmd.Wait())
}
