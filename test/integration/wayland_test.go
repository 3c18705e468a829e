//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// compositor is weston with a virtual X server as its screen, so that what it shows can be looked at.
type compositor struct {
	display *xvfb.Server
	env     []string // for its clients, which have no DISPLAY
	log     string   // a file's name
}

// startWeston starts one that ends with the test, with more flags. Its shell gives each client the whole screen.
func startWeston(t *testing.T, more ...string) *compositor {
	t.Helper()
	if _, err := exec.LookPath("weston"); err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs weston (test/setup.sh installs it):", err)
	}
	display := xvfb.Start(t)
	// Not t.TempDir: a socket's path has at most 107 bytes (unix(7)).
	dir, err := os.MkdirTemp("", "capsule-wl-")
	if err != nil {
		t.Fatal(err)
	}
	evict(t, dir)
	log, err := os.Create(dir + "/log")
	must(t, err)
	defer log.Close()
	cmd := exec.Command("weston", append([]string{"--no-config", "--backend=x11-backend.so", "--use-pixman", "--shell=kiosk-shell.so",
		"--socket=wayland-t", "--width=800", "--height=600", "--idle-time=0"}, more...)...)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}, display.Env()...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = waitFor(30*time.Second, func() error {
		select {
		case err := <-ended:
			ended <- err
			return nil
		default:
		}
		c, err := net.Dial("unix", filepath.Join(dir, "wayland-t"))
		if err == nil {
			c.Close()
		}
		return err
	})
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		<-ended
		late.Stop()
	})
	select {
	case early := <-ended:
		ended <- early
		err = errors.Join(errors.New("weston has ended"), early)
	default:
	}
	if err != nil {
		cmd.Process.Kill()
		t.Fatalf("weston: %v\n%s", err, tail(readFile(t, log.Name())))
	}
	return &compositor{display, []string{"XDG_RUNTIME_DIR=" + dir, "WAYLAND_DISPLAY=wayland-t", "DISPLAY="}, log.Name()}
}

// shows runs a client until the screen is as judge wants it, then until done (if not nil) is content with what the client
// has written. The client must live that long.
func (c *compositor) shows(t *testing.T, l launch, judge func(image.Image) error, done func(log string) error) {
	t.Helper()
	l.env = append(l.env, c.env...)
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := l.command(ctx)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { cancel(); <-ended }()
	text := func() string {
		b, _ := os.ReadFile(file.Name())
		return string(b)
	}
	wait := func(f func() error) error {
		var early error
		err := waitFor(90*time.Second, func() error {
			select {
			case err := <-ended:
				ended <- err
				early = fmt.Errorf("the client has ended: %v", err)
				return nil
			default:
				return f()
			}
		})
		return errors.Join(err, early)
	}
	err = wait(func() error {
		img, err := c.display.Screenshot()
		if err != nil {
			return err
		}
		return judge(img)
	})
	if err == nil && done != nil {
		err = wait(func() error { return done(text()) })
	}
	if err != nil {
		t.Errorf("%v\n%s", err, tail(text()))
	}
}

// colourful: something is drawn with shades, on a background of one colour.
func colourful(img image.Image) error {
	if f := screen.Stats(img); f.Colours < 100 || f.BusyTiles < 0.05 {
		return fmt.Errorf("nothing is drawn: %+v", f)
	}
	return nil
}

// counted: the program has reported frames, more than one a second.
func counted(log string) error {
	m := regexp.MustCompile(`(\d+) frames in (\d+)`).FindStringSubmatch(log)
	if m == nil {
		return errors.New("no frames counted")
	}
	frames, _ := strconv.Atoi(m[1])
	seconds, _ := strconv.Atoi(m[2])
	if frames <= seconds {
		return fmt.Errorf("%d frames in %d seconds", frames, seconds)
	}
	return nil
}

// EGL clients: Debian 11's has a libwayland 1.18 in its process, without functions that each Mesa here calls. (Debian
// 11's es2gears_wayland wants wl_shell, which today's weston no longer has.)
func TestWaylandEGL(t *testing.T) {
	eachPair(t, func(t *testing.T, l launch) {
		program := "es2gears_wayland"
		if strings.HasPrefix(filepath.Base(l.runtime), "runtime11") {
			program = "weston-simple-egl"
		}
		l.argv = []string{"stdbuf", "-oL", program}
		startWeston(t).shows(t, l, colourful, counted)
	})
}

// A game on SDL2; of 32 bits too, whose polyfills of libwayland are the same source.
func TestWaylandSDL(t *testing.T) {
	for _, r := range append(slices.Clone(runtimes), runtimesI386...) {
		t.Run(r, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"+bits(r)), argv: []string{"/usr/games/neverball"},
				env: []string{"SDL_VIDEODRIVER=wayland", "SDL_AUDIODRIVER=dummy"}}
			startWeston(t).shows(t, l, screen.LooksLikeScene, nil)
		})
	}
}

// An X11 program on a Wayland desktop: weston starts Xwayland, whose socket no variable but DISPLAY tells of.
func TestXwayland(t *testing.T) {
	needs(t, "Xwayland")
	w := startWeston(t, "--xwayland")
	var display []string
	must(t, waitFor(patience, func() error {
		if display = regexp.MustCompile(`xserver listening on display (:\d+)`).FindStringSubmatch(readFile(t, w.log)); display == nil {
			return errors.New("no X server")
		}
		return nil
	}))
	w.env = []string{"DISPLAY=" + display[1], "XAUTHORITY="}
	for _, flags := range [][]string{nil, {"--home", t.TempDir() + "/private", "--unshare-pid"}} {
		l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), flags: flags, argv: []string{"stdbuf", "-oL", "glxgears"}}
		w.shows(t, l, colourful, counted)
	}
}

// Vulkan's window system interface has its own Wayland code. Debian 11's vkcube knows X11 only.
func TestWaylandVulkan(t *testing.T) {
	for r, command := range map[string][]string{"runtime12": {"vkcube-wayland"}, "runtime13": {"vkcube", "--wsi", "wayland"}} {
		t.Run(r, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), argv: command}
			startWeston(t).shows(t, l, colourful, nil)
		})
	}
}

// Each polyfill against a compositor, with the libwayland of each release, also as if it were as old as can be: what
// they know of libwayland's inside must hold for all of them.
func TestWaylandPolyfills(t *testing.T) {
	dir, bind := probes(t)
	w := startWeston(t)
	_, bindI386 := probesI386(t)
	for _, r := range append(slices.Clone(runtimes), runtimesI386...) {
		for _, how := range []string{"new", "old"} {
			t.Run(r+"/"+how, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"+bits(r)), flags: bind, env: w.env,
					argv: []string{dir + "/bin/wayland_polyfills", "/usr/lib/capsule/x86_64-linux-gnu/lib/libcapsule-root.so", how}}
				if bits(r) != "" {
					l.flags, l.argv[1] = bindI386, "/usr/lib/capsule/i386-linux-gnu/lib/libcapsule-root.so"
				}
				if out := l.run(t); out.status != 0 || strings.Count(out.stdout, "ok ") < 15 {
					t.Errorf("exit status %d\n%s", out.status, out.both())
				}
			})
		}
	}
}

// Nothing that the driver may ask of libwayland is left without an answer.
func TestWaylandSymbols(t *testing.T) {
	for _, r := range append(slices.Clone(runtimes), runtimesI386...) {
		p, _ := planOf(t, trees.Tree(t, r), trees.Tree(t, "host13"+bits(r)))
		for _, a := range p.Architectures {
			for _, m := range a.Symbols.Missing {
				if strings.HasPrefix(m.Library, "libwayland-") {
					t.Errorf("%s: %s of %s, which %s may call", r, m.Symbol, m.Library, strings.Join(m.NeededBy, ", "))
				}
			}
		}
	}
}
