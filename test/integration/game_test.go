//go:build integration

package integration

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Games of Debian 11 on the Mesa of Debian 13: the window must show a scene, and the process must have one libc. Extreme
// Tux Racer (SFML) is C++: its libstdc++ is the runtime's, while the driver's is the host's.
func TestGame(t *testing.T) {
	t.Run("neverball", func(t *testing.T) { game(t, "/usr/games/neverball", "", screen.LooksLikeScene) })
	t.Run("extremetuxracer", func(t *testing.T) { game(t, "/usr/games/etr", "libstdc++.so.6.0.28", looksLikeMenu) })
}

// looksLikeMenu: textures, text and snow on one plain colour, which is no scene yet but no blank window either.
func looksLikeMenu(img image.Image) error {
	f := screen.Stats(img)
	if f.Colours < 2000 || f.Dominant > 0.9 || f.BusyTiles < 0.5 {
		return fmt.Errorf("not a menu with pictures: %+v", f)
	}
	return nil
}

func game(t *testing.T, program, libstdcxx string, judge func(image.Image) error) {
	display := xvfb.Start(t)
	l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), display: display,
		argv: []string{program}, env: []string{"SDL_AUDIODRIVER=dummy", "ALSOFT_DRIVERS=null"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := l.command(ctx)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); cmd.Wait() }()

	err := waitFor(90*time.Second, func() error {
		img, err := display.Screenshot()
		if err != nil {
			return err
		}
		return judge(img)
	})
	if err != nil {
		cancel()
		cmd.Wait()
		t.Fatalf("%v\n%s", err, tail(log.String()))
	}
	maps := gameMaps(t, cmd.Process.Pid)
	checkOneLibc(t, maps)
	if lib := "/usr/lib/x86_64-linux-gnu/" + libstdcxx; libstdcxx != "" && !hasMapping(maps, lib) {
		t.Errorf("the game's libstdc++ is not the runtime's:\n%s", files(maps, "libstdc++"))
	}
	if !hasMapping(maps, "/usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.33") {
		t.Errorf("the driver's libstdc++ is not the host's:\n%s", files(maps, "libstdc++"))
	}
}

func waitFor(limit time.Duration, f func() error) error {
	for end := time.Now().Add(limit); ; time.Sleep(250 * time.Millisecond) {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// checkOneLibc: exactly one libc.so.6 with executable pages, and it is the runtime's file.
func checkOneLibc(t *testing.T, maps string) {
	t.Helper()
	libcs := map[string]bool{}
	for _, line := range strings.Split(maps, "\n") {
		f := strings.Fields(line)
		if len(f) == 6 && strings.Contains(f[1], "x") && regexp.MustCompile(`/libc(-[\d.]+)?\.so(\.6)?$`).MatchString(f[5]) &&
			!strings.HasPrefix(f[5], "/usr/lib/capsule/x86_64-linux-gnu/proxy/") {
			libcs[f[5]] = true
		}
	}
	if len(libcs) != 1 {
		t.Errorf("%d libc.so.6 with executable pages: %v", len(libcs), libcs)
	}
	for f := range libcs {
		if strings.HasPrefix(f, "/usr/lib/capsule/") {
			t.Errorf("libc is %s, not the runtime's", f)
		}
	}
}

func hasMapping(maps, file string) bool { return strings.Contains(maps, " "+file+"\n") }

func files(maps, part string) string {
	var out []string
	for _, line := range strings.Split(maps, "\n") {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// gameMaps reads the maps of the launcher's only child.
func gameMaps(t *testing.T, launcher int) string {
	t.Helper()
	pids := children(t, launcher)
	if len(pids) != 1 {
		t.Fatalf("children of the launcher: %q", pids)
	}
	return readFile(t, "/proc/"+pids[0]+"/maps")
}

// children lists a process's children, whichever of its threads forked them.
func children(t *testing.T, pid int) []string {
	t.Helper()
	lists, err := filepath.Glob("/proc/" + itoa(pid) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range lists {
		out = append(out, strings.Fields(readFile(t, l))...)
	}
	return out
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The same in every pair, for a program that keeps a GL context.
func TestOneLibcInMaps(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/maps"}
		maps := l.ok(t).stdout
		if !strings.Contains(maps, "/usr/lib/capsule/x86_64-linux-gnu/host/") {
			t.Fatalf("no host library is mapped:\n%s", maps)
		}
		checkOneLibc(t, maps)
	})
}
