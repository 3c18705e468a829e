//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// patience bounds a wait for what must happen, so that a failing test ends; no test measures with it.
const patience = 30 * time.Second

// nobody is an ordinary user, with a user namespace and without any right of root.
const nobody = "65534"

// eachUser runs f as the user of the tests and, if that is root, as an ordinary one too. as makes the command of a
// launch for that user.
func eachUser(t *testing.T, f func(t *testing.T, as func(l launch) *exec.Cmd)) {
	own := func(l launch) *exec.Cmd { return l.command(context.WithoutCancel(t.Context())) }
	if os.Geteuid() != 0 {
		t.Run("user", func(t *testing.T) { f(t, own) })
		return
	}
	t.Run("root", func(t *testing.T) { f(t, own) })
	t.Run("nobody", func(t *testing.T) {
		dir := nobodysHome(t)
		f(t, func(l launch) *exec.Cmd {
			cmd := own(l)
			args := []string{"setpriv", "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", dir + "/capsule-run"}
			return become(cmd, dir, append(args, cmd.Args[1:]...))
		})
	})
}

func become(cmd *exec.Cmd, dir string, args []string) *exec.Cmd {
	out := exec.Command(args[0], args[1:]...)
	for _, e := range cmd.Env {
		if strings.HasPrefix(e, "HOME=") {
			e = "HOME=" + dir
		}
		out.Env = append(out.Env, e)
	}
	out.Dir = dir
	return out
}

// nobodysHome makes a home directory with the launcher in it, which may lie where only root can read.
func nobodysHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "capsule-nobody-")
	must(t, err)
	evict(t, dir)
	text, err := os.ReadFile(binary)
	must(t, err)
	must(t, os.WriteFile(dir+"/capsule-run", text, 0o755))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chown(dir, 65534, 65534))
	return dir
}

func TestExitStatus(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		for script, want := range map[string]int{
			"exit 0": 0, "exit 1": 1, "exit 42": 42, "exit 125": 125, "exit 255": 255,
			"kill -TERM $$": 128 + 15, "kill -KILL $$": 128 + 9, "kill -SEGV $$": 128 + 11, "kill -USR1 $$": 128 + 10,
			"kill -INT $$": 128 + 2, "kill -ABRT $$": 128 + 6, "kill -40 $$": 128 + 40,
		} {
			r := finish(t, as(quick(t, "bash", "-c", script)))
			if r.status != want || r.both() != "" {
				t.Errorf("%s: exit status %d, not %d\n%s", script, r.status, want, r.both())
			}
		}
	})
}

// lines reads r line by line.
func lines(r io.Reader) <-chan string {
	ch := make(chan string, 10000)
	go func() {
		defer close(ch)
		for s := bufio.NewScanner(r); s.Scan(); {
			ch <- strings.TrimRight(s.Text(), "\r")
		}
	}()
	return ch
}

// expect reads lines until one contains want.
func expect(t *testing.T, ch <-chan string, want string) {
	t.Helper()
	timeout := time.After(patience)
	var seen []string
	for {
		select {
		case l, ok := <-ch:
			if strings.Contains(l, want) {
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

func TestSignalsReachTheProgram(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		cmd := as(quick(t, "bash", "-c", `
			for s in TERM INT USR1 HUP; do trap "echo got $s" $s; done
			trap 'echo bye; exit 7' USR2
			echo ready
			while :; do sleep 0.02; done`))
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		ch := lines(out)
		expect(t, ch, "ready")
		for _, s := range []struct {
			signal syscall.Signal
			name   string
		}{{syscall.SIGTERM, "TERM"}, {syscall.SIGINT, "INT"}, {syscall.SIGUSR1, "USR1"}, {syscall.SIGHUP, "HUP"}, {syscall.SIGTERM, "TERM"}} {
			must(t, cmd.Process.Signal(s.signal))
			expect(t, ch, "got "+s.name)
		}
		must(t, cmd.Process.Signal(syscall.SIGUSR2))
		expect(t, ch, "bye")
		cmd.Wait()
		if c := cmd.ProcessState.ExitCode(); c != 7 {
			t.Errorf("exit status %d", c)
		}
	})
}

func TestKilledLauncherTakesTheProgramAlong(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		cmd := as(quick(t, "sh", "-c", "echo ready; exec sleep 1000"))
		r, w, err := os.Pipe()
		must(t, err)
		defer r.Close()
		cmd.Stdout = w
		must(t, cmd.Start())
		w.Close()
		ch := lines(r)
		expect(t, ch, "ready")
		must(t, cmd.Process.Kill())
		cmd.Wait()
		select { // the pipe ends when the last process that holds it is gone
		case l, ok := <-ch:
			if ok {
				t.Errorf("said %q", l)
			}
		case <-time.After(patience):
			t.Error("the program lives on")
		}
	})
}

func TestStreams(t *testing.T) {
	data := make([]byte, 5<<20+3)
	rand.Read(data)
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		for script, number := range map[string]int{"cat; echo -n x >&2; exit 3": 1, "cat >&2; echo -n x; exit 3": 2} {
			cmd := as(quick(t, "bash", "-c", script))
			var out [3]bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out[1], &out[2]
			cmd.Run()
			if c := cmd.ProcessState.ExitCode(); c != 3 || !bytes.Equal(out[number].Bytes(), data) || out[3-number].String() != "x" {
				t.Errorf("%s: exit status %d, %d and %d bytes of %d", script, c, out[1].Len(), out[2].Len(), len(data))
			}
		}
		// A file is the same open file: the program writes where we are.
		file, err := os.CreateTemp(t.TempDir(), "")
		must(t, err)
		defer file.Close()
		file.WriteString("before ")
		cmd := as(quick(t, "echo", "inside"))
		cmd.Stdout = file
		must(t, cmd.Run())
		file.WriteString("after")
		if text, _ := os.ReadFile(file.Name()); string(text) != "before inside\nafter" {
			t.Errorf("the file has %q", text)
		}
		// A reader that goes away.
		cmd = as(quick(t, "yes"))
		pipe, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		pipe.Read(make([]byte, 1))
		pipe.Close()
		cmd.Wait()
		if c := cmd.ProcessState.ExitCode(); c != 128+13 {
			t.Errorf("SIGPIPE: exit status %d", c)
		}
		// Closed standard input is /dev/null, as for any program that is started by one in Go, and no file of ours.
		shell := as(quick(t, "readlink", "/proc/self/fd/0"))
		shell.Args = append([]string{"sh", "-c", `exec "$@" <&-`, "sh"}, shell.Args...)
		shell.Path, err = exec.LookPath("sh")
		must(t, err)
		if r := finish(t, shell); r.stdout != "/dev/null\n" {
			t.Errorf("closed standard input is %q, %s", r.stdout, r.stderr)
		}
	})
}

// What a process inherits besides streams is what a program started directly has, told by the same shell script. Of
// ignored signals it is those that shells and nohup ignore.
func TestInherited(t *testing.T) {
	const set = `umask 027; ulimit -n 512; ulimit -c 0; ulimit -S -s 4096; trap '' HUP INT QUIT; exec nice -n 5 "$@"`
	const show = `umask; ulimit -n; ulimit -Hn; ulimit -c; ulimit -s; nice; pwd; pwd -P; cat /proc/self/oom_score_adj
		grep -E '^(SigIgn|SigBlk|Groups|Uid|Gid|NoNewPrivs)' /proc/self/status; cut -d' ' -f5-8 /proc/self/stat`
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		got := finish(t, through(t, as(quick(t, "bash", "-c", show)), set))
		want := finish(t, through(t, directly(as(quick(t, "bash", "-c", show))), set))
		if got.status != 0 || want.status != 0 || keptSignals(got.stdout) != keptSignals(want.stdout) {
			t.Errorf("inside %d:\n%s\ndirectly %d:\n%s", got.status, got.both(), want.status, want.both())
		}
	})
}

// keptSignals leaves of the ignored signals HUP, INT, QUIT, TSTP, TTIN and TTOU: what started the tests may ignore others
// (some runners leave glibc's own 32 ignored), and those a Go program cannot keep (docs/limits.md).
func keptSignals(status string) string {
	const kept = 1<<0 | 1<<1 | 1<<2 | 1<<19 | 1<<20 | 1<<21
	return regexp.MustCompile(`SigIgn:\t[0-9a-f]+`).ReplaceAllStringFunc(status, func(s string) string {
		mask, err := strconv.ParseUint(strings.TrimPrefix(s, "SigIgn:\t"), 16, 64)
		if err != nil {
			return s
		}
		return fmt.Sprintf("ignored: %#x", mask&kept)
	})
}

// through lets a shell script start the command as "$@".
func through(t *testing.T, cmd *exec.Cmd, script string) *exec.Cmd {
	t.Helper()
	cmd.Args = append([]string{"bash", "-c", script, "bash"}, cmd.Args...)
	var err error
	cmd.Path, err = exec.LookPath("bash")
	must(t, err)
	return cmd
}

// directly leaves the launcher out of a launch's command line.
func directly(cmd *exec.Cmd) *exec.Cmd {
	from := slices.IndexFunc(cmd.Args, func(a string) bool { return filepath.Base(a) == "capsule-run" })
	to := slices.Index(cmd.Args, "--")
	cmd.Args = slices.Delete(slices.Clone(cmd.Args), from, to+1)
	if path, err := exec.LookPath(cmd.Args[0]); err == nil {
		cmd.Path = path
	}
	return cmd
}

func TestEnvironment(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		l := quick(t, "env", "-0")
		l.env = []string{"LD_LIBRARY_PATH=/nowhere:", "EMPTY=", "ODD=a=b\nc d", "LD_PRELOAD=", "GOGC=77", "GODEBUG=x=1", "REPLACED=old"}
		l.flags = []string{"--setenv", "REPLACED=new=er", "--setenv", "ADDED="}
		cmd := as(l)
		r := finish(t, cmd)
		got := strings.Split(strings.TrimSuffix(r.stdout, "\x00"), "\x00")
		want := []string{"REPLACED=new=er", "ADDED="}
		for _, e := range cmd.Env {
			if e != "REPLACED=old" {
				want = append(want, e)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("inside: %q\nwanted: %q\n%s", got, want, r.stderr)
		}
	})
}

// An open descriptor is passed under its number, and there is none of ours: the list is that of a program started
// directly.
func TestDescriptors(t *testing.T) {
	// The shell's own for reading the directory is gone when it looks whether it is there.
	const show = `for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; cat <&5`
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		file := filepath.Join(t.TempDir(), "five")
		must(t, os.WriteFile(file, []byte("handed over"), 0o644))
		f, err := os.Open(file)
		must(t, err)
		defer f.Close()
		run := func(cmd *exec.Cmd) result {
			_, err := f.Seek(0, io.SeekStart) // the programs share our place in it
			must(t, err)
			cmd.ExtraFiles = []*os.File{nil, nil, f}
			return finish(t, cmd)
		}
		got, want := run(as(quick(t, "dash", "-c", show))), run(directly(as(quick(t, "dash", "-c", show))))
		if got.stdout != want.stdout || !strings.HasSuffix(got.stdout, "\n5\nhanded over") {
			t.Errorf("inside:\n%s\ndirectly:\n%s", got.both(), want.both())
		}
	})
}

// The uid is the same inside and outside, also of files, and an ordinary user's picture is the host's.
func TestIdentity(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		cmd := as(quick(t, "sh", "-c", `touch "$HOME/made"; stat -c %u:%g "$HOME/made"; id -u; id -ru; id -g; grep CapEff /proc/self/status`))
		r := finish(t, cmd)
		uid, gid, caps := itoa(os.Geteuid()), itoa(os.Getegid()), ""
		if cmd.Args[0] == "setpriv" {
			uid, gid = nobody, nobody
		}
		if uid != "0" {
			caps = "CapEff:\t0000000000000000\n"
		}
		want := uid + ":" + gid + "\n" + uid + "\n" + uid + "\n" + gid + "\n"
		if !strings.HasPrefix(r.stdout, want) || !strings.HasSuffix(r.stdout, caps) {
			t.Errorf("inside:\n%s\nwanted:\n%s%s", r.both(), want, caps)
		}
		info, err := os.Stat(cmd.Dir + "/made")
		must(t, err)
		defer os.Remove(cmd.Dir + "/made")
		if owner := itoa(int(info.Sys().(*syscall.Stat_t).Uid)); owner != uid {
			t.Errorf("the file belongs to %s outside", owner)
		}
	})
}

func TestGLXInfoAsOrdinaryUser(t *testing.T) {
	display := xvfb.Start(t)
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		l := quick(t, "glxinfo", "-B")
		l.display = display
		if r := finish(t, as(l)); r.status != 0 || !strings.Contains(r.stdout, "Mesa "+mesaVersion(t, trees.Tree(t, "host13"))) {
			t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
		}
	})
}
