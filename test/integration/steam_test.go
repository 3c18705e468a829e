//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// client plays the Steam client's part, as docs/steam-compat-tool-interface.md of steam-runtime-tools describes it.
type client struct {
	home    string // the user's
	root    string // the client's own files
	library string // steamapps of a library folder, which nothing but the client's variables leads to
	game    string // the install folder
	display *xvfb.Server
}

const appID = "440"

// newClient has a game with a script and a program, and Steam Linux Runtime 3.0 as the client installs it: here the tree of
// Debian 11.
func newClient(t *testing.T) *client {
	t.Helper()
	dir, runtime := beside(t), copyOf(t, "runtime11")
	must(t, os.Chmod(dir, 0o755))
	library := dir + "/library/steamapps"
	c := &client{home: t.TempDir(), root: dir + "/Steam", library: library, game: library + "/common/A Game", display: xvfb.Start(t)}
	glxgears := readFile(t, runtime+"/usr/bin/glxgears")
	overlay := readFile(t, runtime+"/lib/x86_64-linux-gnu/libutil.so.1")
	for _, d := range []string{c.root + "/ubuntu12_64", c.root + "/ubuntu12_32/steam-runtime", c.game, c.data(), c.shaders(), c.home + "/.steam",
		c.home + "/.config/capsule-run"} {
		must(t, os.MkdirAll(d, 0o755))
	}
	steamRuntime(t, runtime, library+"/common/SteamLinuxRuntime_sniper")
	must(t, os.Symlink(c.root, c.home+"/.steam/root"))
	// The overlay's part is played by a library that glxgears does not need.
	must(t, os.WriteFile(c.overlay(), []byte(overlay), 0o755))
	must(t, os.WriteFile(c.game+"/game", []byte(glxgears), 0o755))
	text := fmt.Sprintf("host = %q\n[game.%s.setenv]\nSECTION = \"of the game\"\n", trees.Tree(t, "host13"), appID)
	must(t, os.WriteFile(c.home+"/.config/capsule-run/config.toml", []byte(text), 0o644))
	c.ok(t, c.command(t.Context(), binary, "steam", "install"))
	return c
}

func (c *client) data() string    { return c.library + "/compatdata/" + appID }
func (c *client) shaders() string { return c.library + "/shadercache/" + appID }
func (c *client) overlay() string { return c.root + "/ubuntu12_64/gameoverlayrenderer.so" }

// script is the game's start script.
func (c *client) script(t *testing.T, text string) string {
	t.Helper()
	name := c.game + "/start.sh"
	must(t, os.WriteFile(name, []byte("#!/bin/bash\n"+text), 0o755))
	return name
}

// tool reads toolmanifest.vdf and returns the command of a verb.
func (c *client) tool(t *testing.T, verb string) []string {
	t.Helper()
	dir := c.root + "/compatibilitytools.d/capsule-run"
	m := regexp.MustCompile(`(?s)"manifest"\s*\{.*"version"\s+"2".*"commandline"\s+"/([^"]*)"`).FindStringSubmatch(readFile(t, dir+"/toolmanifest.vdf"))
	if m == nil {
		t.Fatal("no command line in toolmanifest.vdf")
	}
	return strings.Fields(dir + "/" + strings.ReplaceAll(m[1], "%verb%", verb))
}

// launch is how the client starts a game's command.
func (c *client) launch(t *testing.T, ctx context.Context, verb string, argv ...string) *exec.Cmd {
	t.Helper()
	argv = append(c.tool(t, verb), argv...)
	return c.command(ctx, argv[0], argv[1:]...)
}

func (c *client) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.game
	scout := c.root + "/ubuntu12_32/steam-runtime"
	cmd.Env = append([]string{"HOME=" + c.home, "LANG=C.UTF-8", "PATH=" + scout + "/amd64/bin:/usr/local/bin:/usr/bin:/bin",
		"LD_LIBRARY_PATH=" + scout + "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:" + c.root + "/ubuntu12_64",
		"LD_PRELOAD=:" + c.overlay(), "STEAM_RUNTIME=" + scout, "SteamAppId=" + appID, "SteamGameId=" + appID,
		"STEAM_COMPAT_APP_ID=" + appID, "STEAM_COMPAT_CLIENT_INSTALL_PATH=" + c.root, "STEAM_COMPAT_DATA_PATH=" + c.data(),
		"STEAM_COMPAT_INSTALL_PATH=" + c.game, "STEAM_COMPAT_LIBRARY_PATHS=" + c.library + ":", "STEAM_COMPAT_SHADER_PATH=" + c.shaders(),
		"STEAM_COMPAT_MOUNTS=" + c.root, "STEAM_COMPAT_TOOL_PATHS=" + c.root + "/compatibilitytools.d/capsule-run"}, c.display.Env()...)
	return cmd
}

func (c *client) ok(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, tail(string(out)))
	}
}

// The game has the client's paths, working directory, arguments and overlay, the section for its number, the runtime that
// Steam installed, and the host's driver; and its end is that of all it started.
func TestSteam(t *testing.T) {
	c := newClient(t)
	start := c.script(t, `cd_was=$PWD
cd "$STEAM_COMPAT_DATA_PATH"
{ echo "$cd_was" "$@"; grep ^PRETTY /etc/os-release; echo "$SECTION $SteamAppId ${LD_LIBRARY_PATH-unset} ${STEAM_RUNTIME-unset} $PATH"; } >told
touch "$STEAM_COMPAT_SHADER_PATH/written" "$STEAM_COMPAT_CLIENT_INSTALL_PATH/written" "$STEAM_COMPAT_INSTALL_PATH/written" || exit 1
grep -c "$STEAM_COMPAT_CLIENT_INSTALL_PATH/ubuntu12_64/gameoverlayrenderer.so" /proc/self/maps >overlay
glxinfo -B >glxinfo || exit 2
(sleep 1; echo done >late) >/dev/null 2>&1 & # which is no pipe of ours, for whose end the test would wait
exit 7
`)
	out, err := c.launch(t, t.Context(), "waitforexitandrun", start, "--flag", "two words").CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Fatalf("%v, not the game's exit status 7\n%s", err, tail(string(out)))
	}
	if _, err := os.Stat(c.data() + "/late"); err != nil {
		t.Errorf("it did not wait for what the game left running: %v", err)
	}
	told := strings.Split(readFile(t, c.data()+"/told"), "\n")
	if len(told) < 3 || told[0] != c.game+" --flag two words" || !strings.Contains(told[1], "bullseye") ||
		!strings.HasPrefix(told[2], "of the game 440 unset unset /usr/local/bin:/usr/bin:/bin") {
		t.Errorf("the game saw\n%s", strings.Join(told, "\n"))
	}
	if strings.TrimSpace(readFile(t, c.data()+"/overlay")) == "0" {
		t.Error("the overlay was not loaded")
	}
	if mesa := "Mesa " + mesaVersion(t, trees.Tree(t, "host13")); !strings.Contains(readFile(t, c.data()+"/glxinfo"), mesa) {
		t.Errorf("not %s:\n%s", mesa, tail(readFile(t, c.data()+"/glxinfo")))
	}

	// Without isolation too, and where nothing but the list of tools leads to the runtime.
	must(t, os.Remove(c.data()+"/late"))
	start = c.script(t, `cd "$STEAM_COMPAT_DATA_PATH" || exit 1; (sleep 1; echo "$BASH_VERSION" >late) >/dev/null 2>&1 & exit 7`)
	cmd := c.launch(t, t.Context(), "waitforexitandrun", "--isolation=none", start)
	cmd.Env = append(cmd.Env, "STEAM_COMPAT_LIBRARY_PATHS=", "STEAM_COMPAT_TOOL_PATHS="+c.root+"/compatibilitytools.d/capsule-run:"+
		c.library+"/common/SteamLinuxRuntime_sniper")
	if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("without isolation: %v\n%s", err, tail(string(out)))
	}
	if late, err := os.ReadFile(c.data() + "/late"); err != nil || !strings.HasPrefix(string(late), "5.1.4(") {
		t.Errorf("without isolation: Debian 11's shell did not write to the end: %q, %v", late, err)
	}

	// run ends with the program: the one that it leaves behind waits for us.
	must(t, syscall.Mkfifo(c.data()+"/fifo", 0o600))
	start = c.script(t, `cd "$STEAM_COMPAT_DATA_PATH"; (read line <fifo; echo "$line" >said) >/dev/null 2>&1 & exit 3`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err = c.launch(t, ctx, "run", start).CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("run: %v, not 3\n%s", err, tail(string(out)))
	}
	must(t, os.WriteFile(c.data()+"/fifo", []byte("now\n"), 0))
	must(t, waitFor(20*time.Second, func() error {
		_, err := os.Stat(c.data() + "/said")
		return err
	}))

	c.ok(t, c.command(t.Context(), binary, "steam", "uninstall"))
	if left, err := filepath.Glob(c.root + "/compatibilitytools.d/*"); err != nil || left != nil {
		t.Errorf("left: %q, %v", left, err)
	}
}

// A program of Debian 11 draws, has one libc and the overlay, and ends when the client asks the tool to.
func TestSteamDraws(t *testing.T) {
	c := newClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := c.launch(t, ctx, "waitforexitandrun", c.game+"/game", "-geometry", "640x480")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	err := waitFor(60*time.Second, func() error {
		img, err := c.display.Screenshot()
		if err != nil {
			return err
		}
		if f := screen.Stats(img); f.Colours < 50 {
			return fmt.Errorf("%d colours on the screen", f.Colours)
		}
		return nil
	})
	if err != nil {
		cancel()
		cmd.Wait()
		t.Fatalf("%v\n%s", err, tail(log.String()))
	}
	maps := gameMaps(t, cmd.Process.Pid)
	checkOneLibc(t, maps)
	if !hasMapping(maps, c.overlay()) && !strings.Contains(maps, "gameoverlayrenderer.so") {
		t.Errorf("the overlay is not loaded:\n%s", files(maps, "/ubuntu12"))
	}
	must(t, cmd.Process.Signal(os.Interrupt)) // as the client does where the manifest has use_tool_subprocess_reaper
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 128+int(syscall.SIGINT) {
		t.Errorf("%v, not 128+SIGINT\n%s", err, tail(log.String()))
	}
}
