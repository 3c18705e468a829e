//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

const (
	platformFile = `[Runtime]
name=org.capsule.Platform
runtime=org.capsule.Platform/x86_64/1
sdk=org.capsule.Platform/x86_64/1

[Extension org.capsule.Platform.GL]
version=1.4
directory=lib/x86_64-linux-gnu/GL
subdirectories=true
no-autodownload=true
autodelete=false
add-ld-path=lib
merge-dirs=vulkan/icd.d;vulkan/implicit_layer.d;glvnd/egl_vendor.d;lib/dri;lib/gbm
`
	driversFile = "[Runtime]\nname=org.capsule.Platform.GL.default\n\n[ExtensionOf]\nref=runtime/org.capsule.Platform/x86_64/1\n"
	appFile     = "[Application]\nname=org.capsule.App\nruntime=org.capsule.Platform/x86_64/1\nsdk=org.capsule.Platform/x86_64/1\n" +
		"command=capsule-run\n\n[Context]\nsockets=x11;\n"
)

// newFlatpak installs for a session's user a platform, the extension with its drivers, and an application, which is the
// launcher. They are made of Debian 13, in the form of freedesktop.org's platform: the drivers are in the extension, where
// ld.so.cache and links lead to.
func newFlatpak(t *testing.T, display *xvfb.Server) *session {
	t.Helper()
	needs(t, "flatpak")
	s := newSession(t, display.Env()...)
	s.env = append(s.env, "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+s.run+"/system") // of which Flatpak asks for parental controls
	serve(t, s.command(append([]string{"dbus-daemon"}, busArguments(s.run+"/system")...)...), s.run+"/system")
	dir := s.dir
	platform, drivers, app := dir+"/platform", dir+"/drivers", dir+"/app"
	tree := copyOf(t, "host13")
	for _, d := range []string{platform, drivers + "/files/lib", app + "/files/bin", app + "/export"} {
		must(t, os.MkdirAll(d, 0o755))
	}
	must(t, os.Rename(tree+"/usr", platform+"/files"))
	must(t, os.Rename(tree+"/etc", platform+"/files/etc"))
	lib, gl := platform+"/files/lib/x86_64-linux-gnu", drivers+"/files"
	for _, pattern := range []string{"libgallium*", "libEGL_mesa*", "libGLX_mesa*", "libvulkan_lvp*", "libVkLayer_MESA_device_select*", "libLLVM*", "dri", "gbm"} {
		found, err := filepath.Glob(lib + "/" + pattern)
		must(t, err)
		for _, f := range found {
			must(t, os.Rename(f, gl+"/lib/"+filepath.Base(f)))
		}
	}
	share := platform + "/files/share"
	for from, to := range map[string]string{"vulkan/icd.d/lvp_icd.json": "vulkan/icd.d", "vulkan/implicit_layer.d/VkLayer_MESA_device_select.json": "vulkan/implicit_layer.d",
		"glvnd/egl_vendor.d/50_mesa.json": "glvnd/egl_vendor.d"} {
		must(t, os.MkdirAll(gl+"/"+to, 0o755))
		must(t, os.Rename(share+"/"+from, gl+"/"+to+"/"+filepath.Base(from)))
		must(t, os.RemoveAll(share+"/"+to))
		if !strings.HasPrefix(to, "glvnd") {
			must(t, os.Symlink("/usr/lib/x86_64-linux-gnu/GL/"+to, share+"/"+to))
		}
	}
	// The platform's libEGL has another directory compiled in, and so gets ours. The file is a link of a tree in use.
	egl := lib + "/libEGL.so.1.1.0"
	text, err := os.ReadFile(egl)
	must(t, err)
	const vendors = "/etc/glvnd/egl_vendor.d:/usr/share/glvnd/egl_vendor.d"
	own := "/usr/lib/x86_64-linux-gnu/GL/glvnd/egl_vendor.d"
	if bytes.Count(text, []byte(vendors)) != 1 {
		t.Fatalf("%s has not %s once", egl, vendors)
	}
	must(t, os.Remove(egl))
	must(t, os.WriteFile(egl, bytes.Replace(text, []byte(vendors), []byte(own+strings.Repeat("\x00", len(vendors)-len(own))), 1), 0o755))
	for name, target := range map[string]string{"/dri": "GL/lib/dri", "/gbm": "GL/lib/gbm", "/../../bin/ldconfig": "../sbin/ldconfig"} {
		must(t, os.Symlink(target, lib+name))
	}
	must(t, os.Mkdir(lib+"/GL", 0o755))
	for _, d := range []string{"/share/doc", "/share/locale", "/share/man", "/share/i18n", "/lib/x86_64-linux-gnu/perl-base", "/lib/x86_64-linux-gnu/gconv"} {
		must(t, os.RemoveAll(platform+"/files"+d)) // which only takes time
	}
	// Flatpak makes the cache itself where it is missing and nothing else says what is in it.
	must(t, os.Remove(platform+"/files/etc/ld.so.cache"))
	must(t, os.Remove(platform+"/files/etc/ld.so.conf"))
	write(t, platform+"/files/etc/ld.so.conf", "")
	copyFile(t, binary, app+"/files/bin/capsule-run")

	// A repository of plain files, so that nothing is compressed.
	for _, d := range []string{"objects", "tmp", "state", "extensions", "refs/heads", "refs/mirrors", "refs/remotes"} {
		must(t, os.MkdirAll(dir+"/repository/"+d, 0o755))
	}
	write(t, dir+"/repository/config", "[core]\nrepo_version=1\nmode=bare-user-only\n")
	for _, e := range []struct{ dir, metadata, branch, flag string }{{platform, platformFile, "1", "-r"}, {drivers, driversFile, "1.4", "-r"}, {app, appFile, "1", "--disable-sandbox"}} {
		write(t, e.dir+"/metadata", e.metadata)
		export := exec.Command("flatpak", "build-export", e.flag, "--files=files", dir+"/repository", e.dir, e.branch)
		export.Env = append(s.env, "HOME="+dir)
		if out, err := export.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", export.Args, err, tail(string(out)))
		}
	}
	s.give(t, dir+"/repository")
	s.ok(t, "flatpak", "--user", "remote-add", "--no-gpg-verify", "here", dir+"/repository")
	s.ok(t, "flatpak", "--user", "install", "-y", "--noninteractive", "here", "org.capsule.Platform//1",
		"org.capsule.Platform.GL.default//1.4", "org.capsule.App//1")
	return s
}

// In a Flatpak's sandbox no user namespace can be had, and capsule-run goes on without: with the drivers of Flatpak's own, or
// the machine's at /run/host where these are shown. An installed Flatpak runtime is one for capsule-run, too.
func TestFlatpak(t *testing.T) {
	unmounted(t)
	display, runtime := xvfb.Start(t), trees.Tree(t, "runtime11")
	s := newFlatpak(t, display)
	flatpaks := "Mesa " + mesaVersion(t, trees.Tree(t, "host13"))
	probes := trees.Probes(t)
	in := func(flags []string, args ...string) result {
		t.Helper()
		argv := slices.Concat([]string{"flatpak", "run", "--user", "--filesystem=" + runtime + ":ro"}, flags, []string{"org.capsule.App//1", "--runtime", runtime}, args)
		return finish(t, s.command(argv...))
	}
	note := regexp.MustCompile(`(?m)^capsule-run: note: no namespaces here [^\n]*--isolation=none$`)
	for _, c := range []struct {
		flags, args []string
		want        string
	}{
		{nil, []string{"--", "glxinfo", "-B"}, flatpaks},
		{nil, []string{"--", "vulkaninfo", "--summary"}, flatpaks},
		{[]string{"--filesystem=" + probes}, []string{"--", probes + "/bin/egl_small"}, "llvmpipe"},
		{[]string{"--filesystem=host-os"}, []string{"--host", "/run/host", "--", "glxinfo", "-B"}, "Mesa " + mesaVersion(t, machine)},
		{nil, []string{"--", "bash", "-c", "echo $BASH_VERSION of $FLATPAK_ID"}, "5.1.4(1)-release of org.capsule.App\n"}, // its PATH has no /bin
	} {
		if r := in(c.flags, c.args...); r.status != 0 || !strings.Contains(r.stdout, c.want) || !note.MatchString(r.stderr) {
			t.Errorf("%q: exit status %d, no %s in\n%s", c.args, r.status, c.want, tail(r.both()))
		}
	}
	refused(t, in(nil, "--isolation=userns", "--", "true"), 125, "make a user and a mount namespace", "seccomp")

	active := s.home + "/.local/share/flatpak/runtime/org.capsule.Platform/x86_64/1/active"
	l := launch{host: trees.Tree(t, "host13"), display: display}
	for _, l.runtime = range []string{active, active + "/files"} {
		l.argv = []string{"bash", "-c", "glxinfo -B && ls -d /usr/bin/vulkaninfo /etc/os-release /lib/x86_64-linux-gnu/libc.so.6"}
		if out := l.ok(t).stdout; !strings.Contains(out, flatpaks) {
			t.Errorf("%s\n%s", l.runtime, fmt.Sprint(tail(out)))
		}
	}
}
