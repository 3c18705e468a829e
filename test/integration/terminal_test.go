//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty returns the two ends of a new terminal.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	must(t, err)
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	must(t, slave.Chmod(0o666)) // for another user
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// In an interactive shell on a terminal the program is a job like any other: Ctrl-C reaches it once, Ctrl-Z stops it,
// fg and bg continue it, the shell sees its status, and the terminal is its own.
func TestJobControl(t *testing.T) {
	// The reference: the same program and the same expectations without the launcher.
	t.Run("directly", func(t *testing.T) {
		jobControl(t, func(l launch) *exec.Cmd { return directly(l.command(t.Context())) })
	})
	eachUser(t, jobControl)
}

func jobControl(t *testing.T, as func(launch) *exec.Cmd) {
	// In Perl, which every Debian has: a shell runs a trap once for signals that come close together. It also tells
	// whether its process group is the terminal's foreground one.
	const program = `use POSIX; $| = 1;
		$SIG{INT} = sub { print "interrupt ", ++$n, ".\n" };
		$SIG{CONT} = sub { $was = ""; print "resumed.\n" };
		$SIG{WINCH} = sub { print "size ", ++$w, " ", ` + "`stty size`" + ` };
		$SIG{QUIT} = sub { print "quit.\n"; exit 42 };
		print "terminal.\n" if -t STDIN && -t STDOUT && -t STDERR;
		for (;;) {
			$now = POSIX::tcgetpgrp(0) == getpgrp ? "foreground" : "background";
			print "$now.\n" if $now ne $was;
			$was = $now;
			select undef, undef, undef, 0.05;
		}`
	inside := as(quick(t, "perl", "-e", program))
	master, slave := pty(t)
	shell := exec.Command("bash", "--norc", "--noprofile", "-i")
	shell.Env = append(inside.Env, "PS1=")
	shell.Dir = inside.Dir
	shell.Stdin, shell.Stdout, shell.Stderr = slave, slave, slave
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, shell.Start())
	defer shell.Wait()
	defer shell.Process.Kill()
	slave.Close()
	ch := lines(master)
	say := func(s string) {
		t.Helper()
		_, err := master.WriteString(s)
		must(t, err)
	}
	// In a file, because the terminal's echo of the text would be taken for what the program says.
	start := t.TempDir() + "/start"
	text := "job() {"
	for _, a := range inside.Args {
		text += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	must(t, os.WriteFile(start, []byte(text+"; }\n"), 0o644))
	say("stty -echo; . " + start + "\n")
	say("job\n")
	expect(t, ch, "terminal.")
	expect(t, ch, "foreground.")

	for n := 1; n <= 5; n++ {
		say("\x03")
		expect(t, ch, fmt.Sprintf("interrupt %d.", n))
		quiet(t, ch, "interrupt")
	}
	must(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}))
	expect(t, ch, "size 1 33 99")
	quiet(t, ch, "size")
	say("\x1a")
	expect(t, ch, "Stopped")
	say("fg\n")
	expect(t, ch, "resumed.")
	expect(t, ch, "foreground.")
	say("\x1a")
	expect(t, ch, "Stopped")
	say("bg\n")
	expect(t, ch, "background.")
	say("fg\n")
	expect(t, ch, "foreground.")
	say("\x03")
	expect(t, ch, "interrupt 6.")
	quiet(t, ch, "interrupt")
	say("\x1c")
	expect(t, ch, "quit.")
	say("echo status $?.\n")
	expect(t, ch, "status 42.")
}

// quiet reads for a moment: want must not come again.
func quiet(t *testing.T, ch <-chan string, again string) {
	t.Helper()
	moment := time.After(100 * time.Millisecond)
	for {
		select {
		case l := <-ch:
			if strings.Contains(l, again) {
				t.Fatalf("a second time: %q", l)
			}
		case <-moment:
			return
		}
	}
}
