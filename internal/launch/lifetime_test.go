package launch

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func wishing(cmd *exec.Cmd, wish string) *exec.Cmd {
	cmd.Env = append(cmd.Env, envWish+"="+wish)
	return cmd
}

// In a network namespace of its own the program has a loopback interface that works, and no other.
func TestUnshareNet(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		// Its index is 1 in every network namespace; /proc/net/dev has two lines of headings.
		script := `sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d " "; grep -c "127.0.0.1" /proc/net/fib_trie`
		out, errs, code := result(t, wishing(start(t, mode, "/bin/sh", "-c", script), "net"))
		lines := strings.Fields(out)
		if code != 0 || errs != "" || len(lines) < 2 || lines[0] != "lo" || lines[len(lines)-1] == "0" {
			t.Errorf("exit status %d: %q %s", code, out, errs)
		}
		caps := `grep -E "^Cap(Eff|Amb)" /proc/self/status | tr -d "\n"`
		if strings.HasPrefix(mode, "nobody") || strings.HasPrefix(mode, "auto") {
			wantRun(t, wishing(start(t, mode, "/bin/sh", "-c", caps), "net"), "CapEff:\t0000000000000000CapAmb:\t0000000000000000", 0)
		}
	})
}

func TestShells(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		wantRun(t, wishing(start(t, mode, "?", "-c", `echo $0 $SHELL`), "shell"), "/bin/sh /bin/sh\n", 0)
		out, errs, code := result(t, wishing(start(t, mode, "?"), "noshell"))
		if code != ExitNotFound || out != "" || !strings.Contains(errs, "the runtime has no shell") {
			t.Errorf("exit status %d: %q %q", code, out, errs)
		}
	})
}

// The launcher ends after the last descendant, with the status of the command, and orphans are reaped meanwhile.
func TestWaitChildren(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		dir, err := os.MkdirTemp("", "capsule-launch-")
		must(t, err)
		defer os.RemoveAll(dir)
		must(t, os.Chmod(dir, 0o777))
		// The orphan waits until the command has ended, which is what it learns from the fifo's end.
		script := `mkfifo f; (setsid sh -c 'cat f; sleep 0.3; echo orphan' &); exec 3>f; (true &); exec 3>&-; exit 7`
		cmd := wishing(start(t, mode, "/bin/sh", "-c", "cd "+dir+"; "+script), "children")
		wantRun(t, cmd, "orphan\n", 7)

		// A zombie would be a child of the launcher, which is the parent of this shell.
		script = `mkfifo g; export launcher=$PPID; (sh -c 'until grep -q "^PPid:.$launcher$" /proc/$$/status; do :; done; echo >g' &); read x <g
			for i in $(seq 1000); do n=$(grep -l "^PPid:.$PPID$" /proc/[0-9]*/status 2>/dev/null | wc -l); [ $n = 1 ] && break; sleep 0.02; done; echo $n`
		wantRun(t, wishing(start(t, mode, "/bin/sh", "-c", "cd "+dir+"; "+script), "children"), "1\n", 0)
	})
}

// A signal for the launcher ends it when the command itself has ended already, whether it knows of that yet or not.
func TestWaitChildrenCanBeEnded(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		for range 10 {
			cmd := wishing(start(t, mode, "/bin/sh", "-c", `sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; echo`), "children")
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			_, err = bufio.NewReader(out).ReadString('\n')
			must(t, err)
			keeper := cmd.Process.Pid
			if strings.HasSuffix(mode, " pid") {
				keeper = childrenOf(t, keeper)[0]
			}
			var orphan int
			until(t, func() bool {
				for _, pid := range childrenOf(t, keeper) {
					if name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); string(name) == "sleep\n" {
						orphan = pid
					}
				}
				return orphan != 0
			})
			must(t, cmd.Process.Signal(unix.SIGTERM))
			must(t, cmd.Process.Signal(unix.SIGWINCH)) // which ends nobody, and does not take the other's place
			out.Close()
			timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			err = cmd.Wait()
			timer.Stop()
			unix.Kill(orphan, unix.SIGKILL)
			if err == nil || err.Error() != "signal: terminated" {
				t.Fatal(err)
			}
		}
	})
}

func childrenOf(t *testing.T, pid int) (children []int) {
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	must(t, err)
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(word)
			must(t, err)
			children = append(children, child)
		}
	}
	return children
}

// When whoever started the launcher is killed, so are the launcher and the command.
func TestDieWithParent(t *testing.T) {
	for _, wish := range []string{"parent", ""} {
		launcher := wishing(start(t, modes()[0], "/bin/sh", "-c", `echo $PPID $$; exec sleep 1000`), wish)
		parent := exec.Command("/bin/sh", "-c", `"$@" & wait`, "sh", "/proc/"+strconv.Itoa(os.Getpid())+"/exe")
		parent.Args = append(parent.Args, launcher.Args[1:]...)
		parent.Env, parent.Dir = launcher.Env, launcher.Dir
		out, err := parent.StdoutPipe()
		must(t, err)
		must(t, parent.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		must(t, err)
		var pids []int
		for _, word := range strings.Fields(line) {
			pid, err := strconv.Atoi(word)
			must(t, err)
			pids = append(pids, pid)
		}
		must(t, parent.Process.Kill())
		if wish == "" { // it goes on
			until(t, func() bool { return parentOf(pids[0]) != parent.Process.Pid })
			time.Sleep(100 * time.Millisecond)
			if parentOf(pids[1]) != pids[0] {
				t.Error("the command ended without being asked to")
			}
			unix.Kill(pids[0], unix.SIGKILL)
		}
		for _, pid := range pids {
			until(t, func() bool { return parentOf(pid) == 0 })
		}
		out.Close()
		parent.Wait()
	}
}

// until waits for what must happen.
func until(t *testing.T, f func() bool) {
	t.Helper()
	for range 3000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited in vain")
}

// parentOf returns 0 for a process that is gone, or a zombie.
func parentOf(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil || strings.Contains(string(text), "State:\tZ") {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "PPid:\t")
	n, _ := strconv.Atoi(strings.SplitN(rest, "\n", 2)[0])
	return n
}

func TestInherited(t *testing.T) {
	r, w, err := os.Pipe() // close-on-exec, as all that Go opens
	must(t, err)
	defer r.Close()
	defer w.Close()
	if Inherited(int(r.Fd())) || Inherited(9999) || !Inherited(1) {
		t.Error("wrong")
	}
	_, err = unix.FcntlInt(r.Fd(), unix.F_SETFD, 0)
	must(t, err)
	if !Inherited(int(r.Fd())) {
		t.Error("an open descriptor is not seen")
	}
}
