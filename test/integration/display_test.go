//go:build integration

package integration

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// lockedDisplay is an X server that lets in only who knows its cookie. It returns DISPLAY, and what adds the cookie to a
// file.
func lockedDisplay(t *testing.T) (display string, permit func(file string)) {
	t.Helper()
	const key = "00112233445566778899aabbccddeeff"
	xauth := func(file, display string) {
		t.Helper()
		if out, err := exec.Command("xauth", "-f", file, "add", display, "MIT-MAGIC-COOKIE-1", key).CombinedOutput(); err != nil {
			t.Fatalf("xauth: %v\n%s", err, out)
		}
	}
	auth := t.TempDir() + "/auth"
	xauth(auth, ":0") // the server does not look at the number
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "320x240x24", "-nolisten", "tcp", "-noreset", "-auth", auth)
	cmd.ExtraFiles = []*os.File{w}
	must(t, cmd.Start())
	w.Close()
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	must(t, r.SetReadDeadline(time.Now().Add(patience)))
	number, err := bufio.NewReader(r).ReadString('\n')
	must(t, err)
	display = ":" + strings.TrimSpace(number)
	return display, func(file string) { xauth(file, display) }
}

// A display's cookie is found in the home where XAUTHORITY is not set, with a private home too, and where it says.
func TestXauthority(t *testing.T) {
	display, permit := lockedDisplay(t)
	l := quick(t, "glxinfo", "-B")
	l.env = []string{"DISPLAY=" + display}
	if r := l.run(t); r.status == 0 || !strings.Contains(r.both(), "unable to open display") {
		t.Fatalf("without the cookie: exit status %d\n%s", r.status, tail(r.both()))
	}
	defer os.Remove(home + "/.Xauthority")
	permit(home + "/.Xauthority")
	l.ok(t)
	l.flags = []string{"--home", t.TempDir() + "/private", "--unshare-net"} // by the socket's path, not its abstract name
	l.ok(t)
	must(t, os.Remove(home+"/.Xauthority"))
	elsewhere := beside(t) + "/cookies"
	permit(elsewhere)
	l.env = append(l.env, "XAUTHORITY="+elsewhere)
	l.ok(t)
}

// WAYLAND_DISPLAY may be a name in XDG_RUNTIME_DIR, or a path anywhere.
func TestWaylandDisplay(t *testing.T) {
	c := startWeston(t)
	l := quick(t, "weston-info")
	l.env = c.env
	if r := l.ok(t); !strings.Contains(r.stdout, "wl_compositor") {
		t.Errorf("by name: %s", tail(r.both()))
	}
	socket := strings.TrimPrefix(c.env[0], "XDG_RUNTIME_DIR=") + "/wayland-t"
	elsewhere := beside(t) + "/socket"
	must(t, os.Symlink(socket, elsewhere)) // a link's name is enough: what it leads to is there
	l.env = []string{"WAYLAND_DISPLAY=" + elsewhere, "XDG_RUNTIME_DIR=" + t.TempDir()}
	l.flags = []string{"--home", t.TempDir() + "/private", "--unshare-net"}
	if r := l.ok(t); !strings.Contains(r.stdout, "wl_compositor") {
		t.Errorf("by path: %s", tail(r.both()))
	}
}
