//go:build integration

package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// soundServer is a PulseAudio of the machine whose speaker is a file that nobody reads, with a cookie that it asks for.
type soundServer struct{ dir, socket, cookie string }

func startPulseAudio(t *testing.T, dir string) *soundServer {
	t.Helper()
	if _, err := exec.LookPath("pulseaudio"); err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs pulseaudio (test/setup.sh installs it):", err)
	}
	s := &soundServer{dir: dir, socket: dir + "/pulse/native", cookie: dir + "/cookie"}
	must(t, os.MkdirAll(dir+"/pulse", 0o700))
	must(t, os.MkdirAll(dir+"/home", 0o700))
	var log strings.Builder
	cmd := exec.Command("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disallow-module-loading",
		"-L", "module-null-sink", "-L", "module-native-protocol-unix socket="+s.socket+" auth-cookie="+s.cookie)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir + "/home", "XDG_RUNTIME_DIR=" + dir}
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = patience // for what it has started and has our pipe
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if err := waitFor(patience, func() error {
		c, err := net.Dial("unix", s.socket)
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	return s
}

// plays asks the server whether a program has a stream of sound.
func (s *soundServer) plays(program string) error {
	cmd := exec.Command("pactl", "list", "sink-inputs")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C", "HOME=" + s.dir + "/home", "PULSE_SERVER=unix:" + s.socket, "PULSE_COOKIE=" + s.cookie}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `application.process.binary = "`+program+`"`) {
		return fmt.Errorf("%s has no stream: %v\n%s", program, err, out)
	}
	return nil
}

// A game of Debian 11 (SDL 2) plays through the machine's PulseAudio: where XDG_RUNTIME_DIR has its socket, and with a
// private home, no network and a socket and a cookie elsewhere, of which variables tell.
func TestSound(t *testing.T) {
	display := xvfb.Start(t)
	for name, where := range map[string]func(*testing.T, *launch) *soundServer{
		"runtime directory": func(t *testing.T, l *launch) *soundServer {
			s := startPulseAudio(t, beside(t))
			l.env = append(l.env, "XDG_RUNTIME_DIR="+s.dir)
			return s
		},
		"variables": func(t *testing.T, l *launch) *soundServer {
			s := startPulseAudio(t, beside(t))
			l.env = append(l.env, "PULSE_SERVER=unix:"+s.socket, "PULSE_COOKIE="+s.cookie)
			l.flags = []string{"--home", t.TempDir() + "/private", "--unshare-net"}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), display: display,
				argv: []string{"/usr/games/neverball"}, env: []string{"SDL_AUDIODRIVER=pulseaudio"}}
			s := where(t, &l)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := l.command(ctx)
			var log strings.Builder
			cmd.Stdout, cmd.Stderr = &log, &log
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = 10 * time.Second
			must(t, cmd.Start())
			err := waitFor(90*time.Second, func() error { return s.plays("neverball") })
			cancel()
			cmd.Wait()
			if err != nil {
				t.Errorf("%v\n%s", err, tail(log.String()))
			}
		})
	}
}
