//go:build integration

package integration

import (
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// steamRuntime makes of a tree what the Steam client installs as Steam Runtime 3 in dir, and returns the directory with
// files/: names and contents are those of populate-depot.py of steam-runtime-tools.
func steamRuntime(t *testing.T, tree, dir string) string {
	t.Helper()
	platform := dir + "/sniper_platform_3.0.20250101.1"
	// What an update left: an older version is not taken.
	must(t, os.MkdirAll(dir+"/sniper_platform_0.20241231.1/files/lib", 0o755))
	must(t, os.MkdirAll(dir+"/pressure-vessel/lib/x86_64-linux-gnu", 0o755))
	must(t, os.MkdirAll(dir+"/var/tmp-ABCDEF/usr/lib", 0o755))
	must(t, os.MkdirAll(platform, 0o755))
	for _, d := range []string{"bin", "sbin", "lib", "lib32", "lib64"} { // Steam's are merged, as all are since Debian 12
		// Not through a link that is there: Debian 11's /usr/bin/touch leads to /bin/touch, which here is this machine's.
		if _, err := os.Stat(tree + "/" + d); err == nil {
			if out, err := exec.Command("cp", "-al", "--remove-destination", tree+"/"+d+"/.", tree+"/usr/"+d).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	must(t, os.Rename(tree+"/usr", platform+"/files"))
	must(t, os.Rename(tree+"/etc", platform+"/files/etc"))
	write(t, platform+"/metadata", "[Runtime]\nname=com.valvesoftware.SteamRuntime.Platform\nruntime=com.valvesoftware.SteamRuntime.Platform/x86_64/sniper\n")
	write(t, dir+"/VERSIONS.txt", "#Name\tVersion\t\tRuntime\tRuntime_Version\tComment\nsniper\t3.0.20250101.1\tsniper\t3.0.20250101.1\tsniper_platform_3.0.20250101.1/\n")
	write(t, dir+"/toolmanifest.vdf", "\"manifest\"\n{\n\t\"version\" \"2\"\n\t\"commandline\" \"/_v2-entry-point --verb=%verb% --\"\n\t\"compatmanager_layer_name\" \"container-runtime\"\n}\n")
	minimize(t, platform)
	return platform
}

// minimize leaves in files/ what a depot can hold, and describes the rest beside it.
func minimize(t *testing.T, platform string) {
	t.Helper()
	out, err := os.Create(platform + "/usr-mtree.txt.gz")
	must(t, err)
	defer out.Close()
	w := gzip.NewWriter(out)
	fmt.Fprint(w, "#mtree\n. type=dir\n")
	top, renamed := platform+"/files", 0
	var dirs []string
	escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "#", `\043`).Replace
	must(t, filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		must(t, err)
		name := strings.TrimPrefix(p, top)
		if name == "" {
			return nil
		}
		info, err := d.Info()
		must(t, err)
		switch {
		case d.IsDir():
			dirs = append(dirs, p)
			fmt.Fprintf(w, ".%s type=dir\n", escape(name))
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			must(t, err)
			fmt.Fprintf(w, ".%s type=link link=%s\n", escape(name), escape(target))
			must(t, os.Remove(p))
		case d.Type().IsRegular():
			fmt.Fprintf(w, ".%s type=file mode=%o time=%d.0 size=%d", escape(name), info.Mode().Perm(), info.ModTime().Unix(), info.Size())
			if info.Size() == 0 {
				must(t, os.Remove(p))
			} else if strings.HasPrefix(d.Name(), "libX") || strings.ContainsAny(name, ": ") { // as hard links and odd names are
				renamed++
				stored := fmt.Sprintf("/%02x/%06x-1.bin", renamed%256, renamed)
				must(t, os.MkdirAll(filepath.Dir(top+stored), 0o755))
				must(t, os.Rename(p, top+stored))
				fmt.Fprintf(w, " contents=.%s", stored)
			}
			fmt.Fprintln(w)
		}
		return nil
	}))
	fmt.Fprint(w, "./.ref type=file size=0 mode=644\n")
	must(t, w.Close())
	slices.Reverse(dirs)
	for _, d := range dirs {
		os.Remove(d) // if it is empty
	}
	must(t, os.WriteFile(top+"/.ref", nil, 0o644))
}

// Steam Runtime 3 with both architectures, whichever of its directories is named: programs of both find the host's driver.
func TestSteamRuntime(t *testing.T) {
	unmounted(t)
	installed := beside(t) + "/SteamLinuxRuntime_sniper"
	platform := steamRuntime(t, copyOf(t, "runtime11both"), installed)
	if _, err := os.Lstat(platform + "/files/lib/x86_64-linux-gnu/libc.so.6"); err == nil {
		t.Fatal("the installed files have links")
	}
	l := launch{host: trees.Tree(t, "host13both"), display: xvfb.Start(t), flags: []string{"--bind", trees.ProbesI386(t) + ":/probes:ro"}}
	mesa := "Mesa " + mesaVersion(t, l.host)
	for _, l.runtime = range []string{installed, platform, platform + "/files"} {
		for _, argv := range [][]string{{"glxinfo", "-B"}, {"/probes/bin/egl_small"}} {
			l.argv = argv
			if out := l.ok(t).stdout; argv[0] == "glxinfo" && !strings.Contains(out, mesa) || !strings.Contains(out, "llvmpipe") {
				t.Errorf("%s in %s:\n%s", argv[0], l.runtime, tail(out))
			}
		}
	}
	l.argv = []string{"sh", "-c", "cat /etc/debian_version; ls -d /usr/bin/glxinfo /lib/x86_64-linux-gnu /usr/0? /files 2>/dev/null; true"}
	if out := l.ok(t).stdout; !strings.HasPrefix(out, "11.") || !strings.HasSuffix(out, "\n/lib/x86_64-linux-gnu\n/usr/bin/glxinfo\n") {
		t.Errorf("inside:\n%s", out)
	}
}

// In a container like pressure-vessel's, in which Steam starts games, the machine is at /run/host.
func TestInsideSteamContainer(t *testing.T) {
	unmounted(t)
	around, machine, runtime := trees.Tree(t, "runtime12"), trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	args := []string{"--unshare-user", "--ro-bind", around + "/usr", "/usr", "--ro-bind", around + "/etc", "/etc", "--proc", "/proc", "--dev", "/dev",
		"--tmpfs", "/run", "--ro-bind", machine + "/usr", "/run/host/usr", "--ro-bind", machine + "/etc", "/run/host/etc", "--bind", "/tmp", "/tmp",
		"--ro-bind", runtime, "/opt/runtime", "--ro-bind", binary, "/opt/capsule-run", "--dir", "/home/user", "--setenv", "HOME", "/home/user",
		"--chdir", "/home/user"}
	for _, d := range []string{"bin", "lib", "lib64"} {
		args = append(args, "--symlink", "usr/"+d, "/"+d, "--symlink", "usr/"+d, "/run/host/"+d)
	}
	args = append(args, "/opt/capsule-run", "--isolation=userns", "--host", "/run/host", "--runtime", "/opt/runtime", "--",
		"sh", "-c", "cat /etc/debian_version; glxinfo -B")
	cmd := exec.Command("bwrap", args...)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, xvfb.Start(t).Env()...)
	r := finish(t, cmd)
	if r.status != 0 || !strings.HasPrefix(r.stdout, "11.") || !strings.Contains(r.stdout, "Mesa "+mesaVersion(t, machine)) || r.stderr != "" {
		t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
	}
}
