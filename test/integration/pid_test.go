//go:build integration

package integration

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// In a process namespace of its own the program sees process 1 and itself, gets signals and gives its exit status as ever.
func TestUnsharePID(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		for script, want := range map[string]int{"exit 42": 42, "kill -TERM $$": 143, "kill -KILL $$": 137, "kill -40 $$": 168} {
			l := quick(t, "bash", "-c", `set -- /proc/[0-9]*; echo $PPID $#; `+script)
			l.flags = []string{"--unshare-pid"}
			if r := finish(t, as(l)); r.status != want || r.both() != "1 2\n" {
				t.Errorf("%s: exit status %d, not %d\n%s", script, r.status, want, r.both())
			}
		}
		l := quick(t, "bash", "-c", `(setsid bash -c "echo daemon; trap : TERM HUP; while :; do sleep 0.1; done" &)
			trap "echo bye; exit 7" USR2; echo ready; while :; do sleep 0.05; done`)
		l.flags = []string{"--unshare-pid"}
		for signal, status := range map[unix.Signal]int{unix.SIGUSR2: 7, unix.SIGTERM: 143, unix.SIGKILL: -1} {
			cmd := as(l)
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			ch := lines(out)
			for range 2 {
				expect(t, ch, "d") // daemon, ready: in any order
			}
			must(t, cmd.Process.Signal(signal))
			for end := time.After(patience); ch != nil; { // the pipe ends when nobody holds it any more
				select {
				case _, more := <-ch:
					if !more {
						ch = nil
					}
				case <-end:
					t.Fatalf("after signal %d somebody is left", signal)
				}
			}
			cmd.Wait()
			if c := cmd.ProcessState.ExitCode(); c != status {
				t.Errorf("after signal %d: exit status %d", signal, c)
			}
		}
	})
}

// With --wait-children the namespace ends when its last process does; --die-with-parent and a shell work as ever.
func TestUnsharePIDWithOtherFlags(t *testing.T) {
	l := quick(t, "-c", `mkfifo f; (setsid sh -c "cat f; sleep 0.2; echo done >end" </dev/null >/dev/null 2>&1 &); exec 4>f; cat <&3; exit 5`)
	l.flags = []string{"--unshare-pid", "--wait-children", "--die-with-parent", "--unshare-net", "--pass-fd", "3", "--shell"}
	cmd := l.command(t.Context())
	cmd.Dir = t.TempDir()
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	w.WriteString("through\n")
	w.Close()
	res := finish(t, cmd)
	if text, err := os.ReadFile(cmd.Dir + "/end"); res.status != 5 || res.stdout != "through\n" || err != nil || string(text) != "done\n" {
		t.Errorf("exit status %d, %q %v\n%s", res.status, text, err, res.both())
	}
	l.flags = []string{"--unshare-pid", "--isolation=none"}
	refused(t, l.run(t), 125, "--unshare-pid is not possible", "--isolation=none")

	// Where there are no namespaces nothing is started without one.
	l = quick(t, "echo", "started")
	l.flags = []string{"--unshare-pid"}
	cmd = l.command(t.Context())
	wrapped := exec.Command("unshare", append([]string{"--user", "--map-root-user", "sh", "-c", `echo 0 >/proc/sys/user/max_pid_namespaces &&
		exec setpriv --bounding-set=-all --inh-caps=-all "$@"`, "sh"}, cmd.Args...)...)
	wrapped.Env, wrapped.Dir = cmd.Env, cmd.Dir
	refused(t, finish(t, wrapped), 125, "process namespace", "user.max_pid_namespaces")
}

// Who asks the kernel which process is at the other end of a socket (D-Bus, PulseAudio) is told one that is there.
func TestUnsharePIDCredentials(t *testing.T) {
	socket := beside(t) + "/socket"
	server, err := net.Listen("unix", socket)
	must(t, err)
	defer server.Close()
	l := quick(t, "perl", "-MIO::Socket::UNIX", "-e", `my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print <$s>`, socket)
	l.flags = []string{"--unshare-pid", "--share", socket}
	told := make(chan error, 1)
	go func() {
		c, err := server.Accept()
		if err != nil {
			told <- err
			return
		}
		defer c.Close()
		raw, _ := c.(*net.UnixConn).SyscallConn()
		raw.Control(func(fd uintptr) {
			var cred *unix.Ucred
			if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				var text []byte
				if text, err = os.ReadFile("/proc/" + itoa(int(cred.Pid)) + "/cmdline"); err == nil && !strings.HasPrefix(string(text), "perl\x00") {
					err = fmt.Errorf("process %d is %q", cred.Pid, text)
				}
			}
		})
		told <- err
		fmt.Fprintln(c, "welcome")
	}()
	if r := l.run(t); r.status != 0 || r.stdout != "welcome\n" {
		t.Errorf("exit status %d\n%s", r.status, r.both())
	}
	server.Close() // or who has not connected would be waited for
	if err := <-told; err != nil {
		t.Error(err)
	}

	dir := beside(t)
	bus(t, dir+"/bus")
	l = quick(t, "dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames")
	l.runtime = withDBus(t)
	l.env = []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir + "/bus"}
	l.flags = []string{"--unshare-pid"}
	if r := l.run(t); r.status != 0 || !strings.Contains(r.stdout, `string "org.freedesktop.DBus"`) {
		t.Errorf("exit status %d\n%s", r.status, r.both())
	}
}

// A game draws and plays in a process namespace, with one libc, and nothing of it outlives the launcher.
func TestUnsharePIDGame(t *testing.T) {
	display := xvfb.Start(t)
	s := startPulseAudio(t, beside(t))
	l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), display: display, argv: []string{"/usr/games/neverball"},
		env: []string{"SDL_AUDIODRIVER=pulseaudio", "PULSE_SERVER=unix:" + s.socket, "PULSE_COOKIE=" + s.cookie}, flags: []string{"--unshare-pid"}}
	cmd := l.command(t.Context())
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	defer cmd.Process.Kill()
	err := waitFor(90*time.Second, func() error {
		img, err := display.Screenshot()
		if err == nil {
			err = screen.LooksLikeScene(img)
		}
		if err == nil {
			err = s.plays("neverball")
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(log.String()))
	}
	one := children(t, cmd.Process.Pid)
	if len(one) != 1 {
		t.Fatalf("children of the launcher: %q", one)
	}
	var first int
	fmt.Sscan(one[0], &first)
	games := children(t, first)
	if len(games) != 1 {
		t.Fatalf("children of process 1: %q", games)
	}
	checkOneLibc(t, readFile(t, "/proc/"+games[0]+"/maps"))
	if maps := readFile(t, "/proc/"+one[0]+"/maps"); strings.Contains(maps, "libc") {
		t.Errorf("process 1 has a libc:\n%s", maps)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := waitFor(patience, func() error {
		if _, err := os.Stat("/proc/" + games[0]); err == nil {
			return errors.New("the game is still there")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Podman hides parts of /proc, and its hint is right.
func TestUnsharePIDInPodman(t *testing.T) {
	if _, err := exec.LookPath("podman"); err != nil {
		t.Fatal("podman is not installed: run make test, or apt-get install podman runc")
	}
	unmounted(t)
	run := func(more ...string) result {
		args := slices.Concat([]string{"run", "--rm", "--runtime", "runc", "--network", "none", "--ulimit", "nofile=1024:2048",
			"--ulimit", "nproc=1024:2048", "--volume", binary + ":/opt/capsule-run:ro", "--volume", trees.Tree(t, "runtime11") + ":/runtime:ro",
			"--env", "HOME=/tmp"}, more, []string{"--rootfs", trees.Tree(t, "host13") + ":O", "/opt/capsule-run", "--runtime", "/runtime",
			"--unshare-pid", "--", "sh", "-c", "set -- /proc/[0-9]*; echo $PPID $#"})
		cmd := exec.Command("podman", args...)
		cmd.Env = append(os.Environ(), "PODMAN_IGNORE_CGROUPSV1_WARNING=1") // of Podman 5, in front of what is looked at
		return finish(t, cmd)
	}
	refused(t, run(), 125, "--unshare-pid: mount a /proc", "unmask=ALL")
	if r := run("--security-opt", "unmask=ALL"); r.status != 0 || r.stdout != "1 2\n" {
		t.Errorf("exit status %d\n%s", r.status, r.both())
	}
}
