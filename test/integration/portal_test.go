//go:build integration

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/xvfb"
)

// withFUSE lets the user mount by FUSE where /dev/fuse is root's alone, as it is without udev: his commands are in a mount
// namespace with a node of his own there.
func (s *session) withFUSE(t *testing.T) {
	t.Helper()
	if s.command("sh", "-c", ": 3<>/dev/fuse").Run() == nil {
		return
	}
	holder := exec.Command("unshare", "--mount", "--propagation=private", "sh", "-c",
		`mknod -m 666 "$1" c 10 229 && mount --bind "$1" /dev/fuse && echo here && exec sleep 1000`, "sh", s.dir+"/fuse")
	out, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "here\n" {
		t.Fatalf("a device node for FUSE: %q, %v", line, err)
	}
	s.enter = []string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", holder.Process.Pid)}
}

const portalObject, documentsObject = "/org/freedesktop/portal/desktop", "/org/freedesktop/portal/documents"

// called words a call of one of the portals.
func called(object, method string, args ...string) []string {
	name := strings.ToUpper(object[len("/org/freedesktop/portal/"):][:1]) + object[len("/org/freedesktop/portal/")+1:]
	return append([]string{"gdbus", "call", "--session", "--timeout=30", "--dest=org.freedesktop.portal." + name, "--object-path=" + object,
		"--method=org.freedesktop.portal." + method}, args...)
}

// A program of Debian 11 asks xdg-desktop-portal for settings, has it open an address and choose a file, and reads a document
// that has been granted. It is no Flatpak for the portal, but a program of the session.
func TestPortals(t *testing.T) {
	needs(t, "gdbus", "xwininfo", "fusermount3", "/usr/libexec/xdg-desktop-portal", "/usr/libexec/xdg-desktop-portal-gtk")
	display := xvfb.Start(t)
	s := newSession(t, append(display.Env(), "XDG_CURRENT_DESKTOP=GNOME")...)
	s.withFUSE(t)
	write(t, s.home+"/.local/share/applications/handler.desktop", "[Desktop Entry]\nType=Application\nName=handler\n"+
		"Exec=sh -c 'echo \"$0\" >"+s.home+"/opened' %u\nMimeType=x-scheme-handler/capsule;\n")
	write(t, s.home+"/.local/share/applications/mimeinfo.cache", "[MIME Cache]\nx-scheme-handler/capsule=handler.desktop;\n")
	write(t, s.home+"/.config/mimeapps.list", "[Default Applications]\nx-scheme-handler/capsule=handler.desktop\n")
	write(t, s.home+"/document", "granted\n")
	s.give(t, s.home)
	s.bus(t)

	settings := called(portalObject, "Settings.Read", "org.gnome.desktop.interface", "font-name")
	want := s.ok(t, settings...)
	if !strings.HasPrefix(want, "(<<'") {
		t.Fatalf("natively: %s", want)
	}
	private := []string{"--home", s.home + "/private", "--unshare-net"}
	for _, flags := range [][]string{nil, private, {"--unshare-pid"}, {"--isolation=none"}} {
		if r := finish(t, s.inRuntime(t, flags, settings...)); r.status != 0 || r.stdout != want {
			t.Errorf("%q: exit status %d, %s, natively %s", flags, r.status, r.both(), want)
		}
	}

	inside := func(argv ...string) {
		t.Helper()
		if r := finish(t, s.inRuntime(t, private, argv...)); r.status != 0 {
			t.Errorf("%q: exit status %d\n%s", argv, r.status, r.both())
		}
	}
	inside(called(portalObject, "OpenURI.OpenURI", "", "capsule:from-inside", "{}")...)
	if err := waitFor(patience, func() error {
		if text, err := os.ReadFile(s.home + "/opened"); err != nil || string(text) != "capsule:from-inside\n" {
			return fmt.Errorf("the session's handler was not given the address: %q, %v", text, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	inside(called(portalObject, "FileChooser.OpenFile", "", "Choose for the capsule", "{}")...)
	if err := waitFor(patience, func() error {
		cmd := exec.Command("xwininfo", "-root", "-tree")
		cmd.Env = display.Env()
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `"Choose for the capsule"`) {
			return errors.New("no window to choose a file in: " + string(out))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// GLib of Debian 11 cannot pass a descriptor: what a chooser grants is granted natively.
	add := strings.Join(called(documentsObject, "Documents.Add", "3", "true", "false"), " ")
	_, rest, _ := strings.Cut(s.ok(t, "sh", "-c", "exec 3<document; "+add), "('")
	id, _, ok := strings.Cut(rest, "'")
	for _, flags := range [][]string{nil, private} {
		r := finish(t, s.inRuntime(t, flags, "sh", "-c", `cat "$XDG_RUNTIME_DIR/doc/$1/document"; ls "$XDG_RUNTIME_DIR/doc"`, "sh", id))
		if !ok || r.status != 0 || !strings.HasPrefix(r.stdout, "granted\n") || !strings.Contains(r.stdout, id) {
			t.Errorf("document %q, %q: exit status %d\n%s", id, flags, r.status, r.both())
		}
	}
}
