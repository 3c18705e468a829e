package launch

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// eachPIDMode is eachMode for the modes with a PID namespace.
func eachPIDMode(t *testing.T, f func(t *testing.T, mode string)) {
	for _, mode := range modes() {
		if strings.HasSuffix(mode, " pid") {
			t.Run(mode, func(t *testing.T) { f(t, mode) })
		}
	}
}

// The program sees process 1, itself, and what it starts; process 1 has no rights left that the program has not.
func TestPIDNamespace(t *testing.T) {
	eachPIDMode(t, func(t *testing.T, mode string) {
		wantRun(t, start(t, mode, "sh", "-c", `set -- /proc/[0-9]*; echo $PPID $#; test -d /proc/$$ && echo own; findmnt -no FSTYPE /proc`),
			"1 2\nown\nproc\n", 0)
		out, errs, code := result(t, start(t, mode, "sh", "-c", `cat /proc/1/task/*/status; head -c 1 /proc/1/mem; :`))
		if code != 0 || strings.HasPrefix(mode, "nobody") && !strings.Contains(errs, "ermission denied") {
			t.Errorf("exit status %d: %s", code, errs)
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(mode, "nobody") && strings.HasPrefix(line, "Cap") && !strings.HasPrefix(line, "CapBnd") &&
				!strings.HasSuffix(line, "\t0000000000000000\n") {
				t.Errorf("a thread of process 1 has %s", line)
			}
		}
		// Nothing that the program sends does anything to process 1, which handles all but 32, which is a C library's own: a default action
		// could end it, if the signal comes before it is through with starting the program.
		if runtime.GOARCH == "amd64" {
			wantRun(t, start(t, mode, "sh", "-c", `grep SigCgt: /proc/1/status`), "SigCgt:\tffffffff7ffbfeff\n", 0)
		}
		wantRun(t, start(t, mode, "bash", "-c", `for s in {1..64}; do [ $s = 32 ] || [ $s = 33 ] || kill -$s 1 2>/dev/null; done; sleep 0.1; echo here`), "here\n", 0)
	})
}

// Orphans are reaped, and those that are left end with the program: the pipe ends when nobody holds it any more.
func TestPIDNamespaceEnds(t *testing.T) {
	daemon := `(setsid sh -c 'trap "" TERM HUP INT; echo daemon; while :; do sleep 1; done' </dev/null &)`
	for name, c := range map[string]struct {
		script string
		signal unix.Signal
		code   int
	}{
		"exit":   {"read x; exit 7", 0, 7},
		"killed": {"read x; kill -KILL $$", 0, 137},
		"TERM":   {"sleep 1000", unix.SIGTERM, 143},
		"-9":     {"sleep 1000", unix.SIGKILL, -1},
	} {
		t.Run(name, func(t *testing.T) {
			eachPIDMode(t, func(t *testing.T, mode string) {
				cmd := start(t, mode, "sh", "-c", daemon+"; "+c.script)
				r, w, err := os.Pipe()
				must(t, err)
				defer r.Close()
				cmd.Stdout = w
				in, err := cmd.StdinPipe()
				must(t, err)
				must(t, cmd.Start())
				w.Close()
				ch := lines(r)
				expect(t, ch, "daemon")
				if c.signal != 0 {
					must(t, cmd.Process.Signal(c.signal))
				} else {
					in.Close() // which is what the program waits for
				}
				cmd.Wait()
				if got := cmd.ProcessState.ExitCode(); got != c.code {
					t.Errorf("exit status %d, not %d", got, c.code)
				}
				for timeout := time.After(patience); ; {
					select {
					case _, more := <-ch:
						if more {
							continue
						}
					case <-timeout:
						t.Error("the daemon lives on")
					}
					break
				}
			})
		})
	}
}

func TestPIDNamespaceReaps(t *testing.T) {
	eachPIDMode(t, func(t *testing.T, mode string) {
		script := `for i in 1 2 3 4 5; do (sh -c 'sleep 0.1' &); done
			for i in $(seq 1000); do set -- /proc/[0-9]*; [ $# = 2 ] && break; sleep 0.02; done; echo $#`
		wantRun(t, start(t, mode, "sh", "-c", script), "2\n", 0)
	})
}

// A program that signals its process group has each signal once.
func TestPIDNamespaceGroupSignal(t *testing.T) {
	eachPIDMode(t, func(t *testing.T, mode string) {
		cmd := start(t, mode, "bash", "-c", `trap 'echo got' USR1; kill -USR1 0; sleep 0.3; sleep 0.1; echo end`)
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // or the tests would be in that group
		wantRun(t, cmd, "got\nend\n", 0)
	})
}

// A descriptor that the program closes is closed: neither the launcher nor process 1 keeps a copy.
func TestDescriptorsAreLetGo(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		r, w, err := os.Pipe()
		must(t, err)
		defer r.Close()
		cmd := start(t, mode, "sh", "-c", "exec 5>&-; read x; echo $x")
		in, err := cmd.StdinPipe()
		must(t, err)
		cmd.ExtraFiles = []*os.File{nil, nil, w}
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		w.Close()
		must(t, r.SetReadDeadline(time.Now().Add(patience)))
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
			t.Errorf("somebody has the pipe: %v", err)
		}
		fmt.Fprintln(in, "end")
		expect(t, lines(out), "end")
		must(t, cmd.Wait())
	})
}

// An interactive shell has job control, though its process group had no name inside when it began.
func TestShellInPIDNamespace(t *testing.T) {
	t.Setenv(envWish, "pid")
	t.Setenv("PS1", "") // nothing stands before what is written, whatever the terminal's kind
	_, tty, ch := onTerminal(t, "bash", "--norc", "--noprofile", "--noediting", "-i")
	foreground := func(name string) {
		until(t, func() bool {
			group, _ := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", group))
			return string(comm) == name+"\n"
		})
	}
	tty.WriteString("set +o history; echo begin; sleep 1000\n")
	expect(t, ch, "begin")
	foreground("sleep")
	tty.WriteString("\x1a") // Ctrl-Z
	expect(t, ch, "[1]+  Stopped                 sleep 1000")
	tty.WriteString("fg\n")
	expect(t, ch, "sleep 1000")
	foreground("sleep")
	tty.WriteString("\x03") // Ctrl-C
	tty.WriteString("jobs; echo $((6*7)); exit 3\n")
	expect(t, ch, "42")
	expect(t, ch, "[exit 3]")
}

// Where something of /proc is hidden, as in containers, the kernel makes no new one.
func TestHiddenProc(t *testing.T) {
	script := `mount --bind /dev/null /proc/version || exit 77; exec unshare --user --map-root-user --mount "$@"`
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "-", public(t), "true")
	cmd.Env = append(os.Environ(), envLauncher+"=userns pid")
	out, errs, code := result(t, cmd)
	if code == 77 || strings.HasPrefix(errs, "unshare") {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(errs)
		}
		t.Skipf("user namespaces are forbidden to the test: %s", errs)
	}
	if code != ExitSetup || out != "" || !strings.HasPrefix(errs, "error: --unshare-pid: mount a /proc of the program's own: ") ||
		!strings.Contains(errs, "operation not permitted\nhint: ") || !strings.Contains(errs, "unmask=ALL") {
		t.Errorf("%d: %s", code, errs)
	}
}

// A signal of a process outside that has the number of the program inside is passed on.
func TestSenderOutside(t *testing.T) {
	p := &processOne{sock: -1, known: make(chan struct{})}
	if p.has(event{kernel: true}) {
		t.Error("a program that has not begun had a signal")
	}
	p.begun(os.Getpid())
	if p.has(event{sender: os.Getpid()}) || !p.has(event{kernel: true}) {
		t.Error("a process of ours is taken for the program")
	}
	limit, err := os.ReadFile("/proc/sys/kernel/pid_max")
	must(t, err)
	nobody, err := strconv.Atoi(strings.TrimSpace(string(limit)))
	must(t, err)
	p.inner = nobody
	if !p.has(event{sender: nobody}) {
		t.Error("the program is not known")
	}
}
