//go:build integration

package integration

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// write makes a file with the directories above it, for whoever runs the launcher.
func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(text), 0o644))
}

// owned gives a tree to the user of a command that become has made, if it has.
func owned(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	if cmd.Args[0] != "setpriv" {
		return
	}
	must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, 65534, 65534)
	}))
}

// With a private home the program sees nothing of the real one but the working directory and the session's files, and
// what it writes to its home lies in the private one.
func TestPrivateHome(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		l := quick(t, "sh", "-c", `cat ~/secret; cat ~/.Xauthority ~/.config/pulse/cookie played; echo saved >~/save; echo more >>played
			pwd; cd ~; find . -type f | sort`)
		l.flags = []string{"--home", "../private/home"}
		cmd := as(l)
		real := cmd.Dir + "/real"
		for i, e := range cmd.Env {
			if strings.HasPrefix(e, "HOME=") {
				cmd.Env[i] = "HOME=" + real
			}
		}
		defer os.RemoveAll(real)
		for name, text := range map[string]string{"secret": "secret\n", ".Xauthority": "key\n", ".config/pulse/cookie": "cookie\n", "deep/game/played": "here\n"} {
			write(t, real+"/"+name, text)
		}
		owned(t, cmd, real)
		cmd.Dir = real + "/deep/game"
		r := finish(t, cmd)
		want := "key\ncookie\nhere\n" + real + "/deep/game\n./.Xauthority\n./.config/pulse/cookie\n./deep/game/played\n./save\n"
		if r.status != 0 || r.stdout != want || !strings.Contains(r.stderr, "secret: No such file") {
			t.Errorf("exit status %d, inside\n%s\nwant\n%s", r.status, r.both(), want)
		}
		for name, want := range map[string]string{"deep/private/home/save": "saved\n", "deep/game/played": "here\nmore\n", "deep/private/home/.Xauthority": ""} {
			if text, err := os.ReadFile(real + "/" + name); err != nil || string(text) != want {
				t.Errorf("%s: %q %v", name, text, err)
			}
		}
		if _, err := os.Stat(real + "/save"); err == nil {
			t.Error("written to the real home")
		}
	})
}

func TestShare(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		dir := beside(t) // which is not shared by itself
		for _, name := range []string{"plain", "sealed", "target"} {
			write(t, dir+"/"+name+"/file", name+"\n")
		}
		must(t, os.Symlink("target", dir+"/link"))
		l := quick(t, "sh", "-c", `cd "$1"; cat */file; for d in *; do (echo x >$d/new) 2>/dev/null && echo "$d is writable"; done; ls -d "$1"/..`, "sh", dir)
		l.flags = []string{"--share", dir + "/plain", "--share", dir + "/sealed:ro", "--share", dir + "/link"}
		cmd := as(l)
		owned(t, cmd, dir)
		r := finish(t, cmd)
		want := "target\nplain\nsealed\ntarget\nlink is writable\nplain is writable\ntarget is writable\n" + dir + "/..\n"
		if r.status != 0 || r.stdout != want {
			t.Errorf("exit status %d, inside\n%s\nwant\n%s", r.status, r.both(), want)
		}
		l.flags = []string{"--share", dir + "/none"}
		refused(t, finish(t, as(l)), 125, "none: no such file", "exists")
	})
}

func TestShell(t *testing.T) {
	for _, isolation := range []string{"userns", "none"} {
		for own, want := range map[string]string{"/bin/dash": "/bin/dash", "/usr/bin/zsh": "/bin/bash", "/usr/sbin/nologin": "/bin/bash", "": "/bin/bash"} {
			l := quick(t, "-c", `echo $0 $#; cat /proc/$$/maps | grep -c libc-2.31`)
			l.flags, l.env = []string{"--isolation", isolation, "--shell"}, []string{"SHELL=" + own}
			if r := l.run(t); r.status != 0 || !strings.Contains(r.stdout, want+" 0\n") || strings.HasSuffix(r.stdout, "\n0\n") {
				t.Errorf("SHELL=%s: exit status %d, %s", own, r.status, r.both())
			}
		}
	}
}

// A server of the machine's loopback interface can be reached, unless the network is the program's own.
func TestUnshareNet(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		for _, flag := range []string{"", "--unshare-net"} {
			l := quick(t, "bash", "-c", `: 3<>/dev/tcp/127.0.0.1/`+port+` && echo reached; sed 1,2d /proc/net/dev | wc -l; grep CapEff /proc/self/status`)
			if flag != "" {
				l.flags = []string{flag}
			}
			cmd := as(l)
			r := finish(t, cmd)
			if reached := strings.HasPrefix(r.stdout, "reached\n"); reached != (flag == "") {
				t.Errorf("%q: %s", flag, r.both())
			}
			if flag != "" && (!strings.Contains(r.stderr, "Connection refused") || !strings.HasPrefix(r.stdout, "1\n")) { // by the program's own loopback
				t.Errorf("%s", r.both())
			}
			if cmd.Args[0] == "setpriv" && !strings.HasSuffix(r.stdout, "CapEff:\t0000000000000000\n") {
				t.Errorf("rights: %s", r.stdout)
			}
		}
	})
}

func TestPassFD(t *testing.T) {
	for _, isolation := range []string{"userns", "none"} {
		l := quick(t, "sh", "-c", "cat <&3")
		l.flags = []string{"--isolation", isolation, "--pass-fd", "3"}
		cmd := l.command(t.Context())
		r, w, err := os.Pipe()
		must(t, err)
		cmd.ExtraFiles = []*os.File{r}
		w.WriteString("through\n")
		w.Close()
		if res := finish(t, cmd); res.status != 0 || res.stdout != "through\n" {
			t.Errorf("exit status %d: %s", res.status, res.both())
		}
		r.Close()
		refused(t, l.run(t), 125, "--pass-fd 3", "3<FILE")
	}
}

func TestWaitChildren(t *testing.T) {
	for _, isolation := range []string{"userns", "none"} {
		dir := t.TempDir()
		l := quick(t, "bash", "-c", `mkfifo f; (setsid sh -c "cat f; sleep 0.2; echo done >end" </dev/null >/dev/null 2>&1 &); exec 3>f; exit 5`)
		l.flags = []string{"--isolation", isolation, "--wait-children"}
		cmd := l.command(t.Context())
		cmd.Dir = dir
		r := finish(t, cmd)
		if text, err := os.ReadFile(dir + "/end"); r.status != 5 || err != nil || string(text) != "done\n" {
			t.Errorf("exit status %d, %q %v\n%s", r.status, text, err, r.both())
		}
	}
}

// When the launcher's parent is killed, launcher and program go too; without the flag they stay.
func TestDieWithParent(t *testing.T) {
	for _, isolation := range []string{"userns", "none"} {
		l := quick(t, "sh", "-c", `echo $$; exec sleep 1000`)
		l.flags = []string{"--isolation", isolation, "--die-with-parent"}
		cmd := l.command(t.Context())
		parent := exec.Command("sh", append([]string{"-c", `"$@" & wait`, "sh"}, cmd.Args...)...)
		parent.Env, parent.Dir = cmd.Env, cmd.Dir
		out, err := parent.StdoutPipe()
		must(t, err)
		must(t, parent.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		must(t, err)
		program := "/proc/" + strings.TrimSpace(line)
		if _, err := os.Stat(program); err != nil {
			t.Fatal(err)
		}
		must(t, parent.Process.Kill())
		if err := waitFor(patience, func() error {
			if text, err := os.ReadFile(program + "/status"); err == nil && !strings.Contains(string(text), "State:\tZ") {
				return errors.New("the program is still there")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		out.Close()
		parent.Wait()
	}
}

// What programs open by themselves is the machine's: shared memory, input devices, udev's data, and whatever listens in
// XDG_RUNTIME_DIR, as PipeWire, PulseAudio and gamescope do.
func TestSessionSockets(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "capsule-session-") // not shared but as the runtime directory, or as a part of /dev
	must(t, err)
	defer os.RemoveAll(dir)
	for _, name := range []string{"pipewire-0", "gamescope-0"} {
		server, err := net.Listen("unix", dir+"/"+name)
		must(t, err)
		defer server.Close()
	}
	l := quick(t, "sh", "-c", `for s in "$XDG_RUNTIME_DIR/pipewire-0" "$GAMESCOPE_WAYLAND_DISPLAY"; do
			perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!\n"' "$s" && echo connected
		done
		echo shared >"$XDG_RUNTIME_DIR/written"
		ls -lR /dev/input /dev/hidraw* /run/udev 2>/dev/null | grep -v ^total`)
	l.env = []string{"XDG_RUNTIME_DIR=" + dir, "GAMESCOPE_WAYLAND_DISPLAY=" + dir + "/gamescope-0"}
	devices, _ := exec.Command("sh", "-c", "ls -lR /dev/input /dev/hidraw* /run/udev 2>/dev/null | grep -v ^total").Output()
	r := l.run(t)
	if want := "connected\nconnected\n"; !strings.HasPrefix(r.stdout, want) ||
		strings.Count(r.stdout[len(want):], "\n") != strings.Count(string(devices), "\n") {
		t.Errorf("inside\n%s\noutside\n%s", r.both(), devices)
	}
	if text, err := os.ReadFile(dir + "/written"); err != nil || string(text) != "shared\n" {
		t.Errorf("%q %v", text, err)
	}
}

// bus is a D-Bus daemon at a path, which ends with the test.
func bus(t *testing.T, socket string) {
	t.Helper()
	serve(t, exec.Command("dbus-daemon", busArguments(socket)...), socket)
}

func busArguments(socket string) []string {
	return []string{"--session", "--nofork", "--nopidfile", "--address=unix:path=" + socket}
}

// serve starts a server, which ends with the test, and waits for its socket.
func serve(t *testing.T, cmd *exec.Cmd, socket string) {
	t.Helper()
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = patience // for what it has started and has our pipe
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if err := waitFor(patience, func() error {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
}

// Debian 11's dbus-send calls the machine's session bus, by XDG_RUNTIME_DIR and by an address elsewhere, and its system bus.
func TestDBus(t *testing.T) {
	dir := beside(t)
	must(t, os.MkdirAll(dir+"/run", 0o700))
	bus(t, dir+"/run/bus")
	bus(t, dir+"/system")
	call := func(l launch, which string) {
		t.Helper()
		l.argv = []string{"dbus-send", "--" + which, "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames"}
		if r := l.run(t); r.status != 0 || !strings.Contains(r.stdout, `string "org.freedesktop.DBus"`) {
			t.Errorf("%v: exit status %d\n%s", l.env, r.status, r.both())
		}
	}
	l := quick(t)
	l.runtime = withDBus(t)
	l.env = []string{"XDG_RUNTIME_DIR=" + dir + "/run"}
	call(l, "session")
	l.env = []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir + "/none;unix:path=" + dir + "/run/bus"}
	call(l, "session")
	l.flags = []string{"--home", t.TempDir() + "/private", "--unshare-net"}
	call(l, "session")
	l.env = []string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + dir + "/system"}
	call(l, "system")

	// The well-known path, which is this test's own.
	l.env, l.flags = nil, nil
	l.argv = []string{"dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetId"}
	cmd := l.command(t.Context())
	script := `mkdir -p /run/dbus && mount --bind "$1" /run/dbus && ln /run/dbus/system /run/dbus/system_bus_socket && shift && exec "$@"`
	wrapped := inMountNamespace(t.Context(), script)
	wrapped.Args = append(append(wrapped.Args, "sh", dir), cmd.Args...)
	wrapped.Env, wrapped.Dir = cmd.Env, cmd.Dir
	if r := finish(t, wrapped); r.status != 0 || !strings.Contains(r.stdout, "string ") {
		t.Errorf("system bus: exit status %d\n%s", r.status, r.both())
	}
}

// What describes the machine follows the host's links: a resolver's file in /run, a zone in the host's zoneinfo.
func TestLinksOfEtc(t *testing.T) {
	l := quick(t, "sh", "-c", "cat /etc/resolv.conf /etc/machine-id; date -d @0 +%H; TZ=Asia/Tokyo date -d @0 +%H")
	cmd := l.command(t.Context())
	script := `mkdir -p "$1/etc" "$1/resolve" && cp -a /etc/passwd /etc/group "$1/etc/" && mount --bind "$1/etc" /etc &&
		echo "nameserver 192.0.2.1" >"$1/resolve/stub-resolv.conf" && ln -s "$1/resolve/stub-resolv.conf" /etc/resolv.conf &&
		ln -s ../usr/share/zoneinfo/Asia/Kolkata /etc/localtime && echo 0123456789abcdef0123456789abcdef >/etc/machine-id && shift && exec "$@"`
	wrapped := inMountNamespace(t.Context(), script)
	wrapped.Args = append(append(wrapped.Args, "sh", beside(t)), cmd.Args...)
	wrapped.Env, wrapped.Dir = cmd.Env, cmd.Dir
	want := "nameserver 192.0.2.1\n0123456789abcdef0123456789abcdef\n05\n09\n"
	if r := finish(t, wrapped); r.status != 0 || r.stdout != want {
		t.Errorf("exit status %d\n%s\nwant\n%s", r.status, r.both(), want)
	}
}

// withDBus is Debian 11's runtime with its dbus-send, of which runtimes have the library at most.
func withDBus(t *testing.T) string {
	t.Helper()
	tree, from := copyOf(t, "runtime11"), trees.Tree(t, "desktop11")
	files, err := filepath.Glob(from + "/usr/bin/dbus-send")
	must(t, err)
	for _, name := range []string{"libdbus-1.so.3", "libsystemd.so.0", "libgcrypt.so.20", "libgpg-error.so.0", "liblz4.so.1", "libzstd.so.1"} {
		for _, dir := range []string{"/lib/", "/usr/lib/"} {
			all, err := filepath.Glob(from + dir + "x86_64-linux-gnu/" + name + "*")
			must(t, err)
			files = append(files, all...)
		}
	}
	for _, f := range files {
		to := tree + "/usr" + strings.TrimPrefix(strings.TrimPrefix(f, from), "/usr")
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if out, err := exec.Command("cp", "-a", f, to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return tree
}
