//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// The user's directories are the host's and writable, the runtime's are not, whoever the user is.
func TestFilesInside(t *testing.T) {
	tree := copyOf(t, "runtime11") // nothing is written to an existing file, which the copy shares
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		tmp, err := os.MkdirTemp("/tmp", "capsule-test-")
		must(t, err)
		defer os.RemoveAll(tmp)
		must(t, os.Chmod(tmp, 0o777))
		must(t, os.WriteFile(tmp+"/outside", []byte("from outside\n"), 0o644))
		l := quick(t, "bash", "-c", `
			cat `+tmp+`/outside
			echo from inside >`+tmp+`/inside
			echo from inside >"$HOME/inside"
			for f in /usr/x /usr/lib/x /bin/x /lib/x /etc/debian_version /usr/lib/capsule/*/lib/x /usr/lib/capsule/*/host/usr/lib/*/libEGL* /usr/lib/capsule/x /etc/x /var/x /etc/alternatives/x; do
				(: >>$f) 2>/dev/null && echo "opened $f"
			done
			mkdir /usr/d 2>&1; rm -f /usr/bin/env 2>&1; mv /usr/bin/env /usr/bin/d 2>&1
			[ -c /dev/null ] && [ -r /proc/self/stat ] && [ -d /sys/kernel ] && echo devices
			cat /etc/debian_version`)
		l.runtime = tree
		cmd := as(l)
		r := finish(t, cmd)
		for _, want := range []string{"from outside\n", "\ndevices\n", "Read-only file system\n"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("no %q", want)
			}
		}
		if strings.Contains(r.stdout, "opened") || strings.Count(r.stdout, "Read-only") < 3 || !strings.HasPrefix(lastLine(r.stdout), "11.") {
			t.Errorf("inside:\n%s", r.both())
		}
		for _, f := range []string{tmp + "/inside", cmd.Dir + "/inside"} {
			if text, err := os.ReadFile(f); err != nil || string(text) != "from inside\n" {
				t.Errorf("%s: %q %v", f, text, err)
			}
		}
		os.Remove(cmd.Dir + "/inside")
	})
}

func lastLine(s string) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return all[len(all)-1]
}

// Of the host's root only what the plan names is there.
func TestHostRootIsNotVisible(t *testing.T) {
	marker := beside(t) + "/capsule-marker"
	must(t, os.WriteFile(marker, []byte("secret"), 0o644))
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		if r := finish(t, as(quick(t, "cat", marker))); r.status == 0 || r.stdout != "" {
			t.Errorf("%s can be read: %s", marker, r.both())
		}
		// /proc/PID/root of other processes is the kernel's and /proc the host's, for each by his rights.
		// /tmp is the host's, where other tests may have such files.
		find := `find / \( -path /proc -o -path /sys -o -path /tmp \) -prune -o \( -name capsule-marker -o -name Xvfb -o -name host13-\* \) -print 2>/dev/null`
		_, err := os.Stat("/usr/bin/Xvfb") // which the machine has and the runtime has not
		must(t, err)
		if r := finish(t, as(quick(t, "sh", "-c", find))); r.stdout != "" {
			t.Errorf("of the host: %s", r.stdout)
		}

		l := quick(t, "sh", "-c", `find /usr/lib/capsule/*-linux-gnu/host /usr/lib/capsule/share ! -type d 2>/dev/null`)
		found := strings.Fields(finish(t, as(l)).stdout)
		p, _ := planOf(t, l.runtime, l.host)
		var want []string
		for _, m := range p.Mounts {
			if isHosts(m) {
				want = append(want, m.Target)
			}
		}
		slices.Sort(found)
		slices.Sort(want)
		if !slices.Equal(found, want) || len(want) < 20 {
			t.Errorf("inside are %d files:\n%s\nin the plan %d:\n%s", len(found), strings.Join(found, "\n"), len(want), strings.Join(want, "\n"))
		}
	})
}

// isHosts says whether a mount of the plan shows something of the host.
func isHosts(m mount.Op) bool {
	rest, ok := strings.CutPrefix(m.Target, "/usr/lib/capsule/")
	if !ok || m.Kind == mount.Dir {
		return false
	}
	first, second, _ := strings.Cut(rest, "/")
	second, _, _ = strings.Cut(second, "/")
	return first == "share" || second == "host"
}

// The kernel's two interfaces for mounts give the same view, though the older one has no overlay
// for rooms (package mount).
func TestMountInterfaces(t *testing.T) {
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		const show = `find / -xdev -maxdepth 2 -printf '%p %y %m %l\n' 2>&1 | sort; find /run /etc -path /run/udev -prune -o -printf '%p %y %m %l\n' 2>&1 | sort
			cut -d' ' -f4-6 /proc/self/mountinfo | grep -v -E '` + othersMounts + `' | grep -v -E ' (/etc|/var|/usr/lib)(/[^/]+)? ' |
			sed 's,/g-[0-9]*/,/generation/,' | sort # one that another test has made a link of meanwhile has the build made anew`
		var views [2]string
		for i, api := range []string{"new", "old"} {
			l := quick(t, "sh", "-c", show)
			l.flags = []string{"--mount-api=" + api}
			r := finish(t, as(l))
			if r.status != 0 || strings.Count(r.stdout, "\n") < 200 {
				t.Fatalf("%s: exit status %d\n%s", api, r.status, tail(r.both()))
			}
			views[i] = r.stdout
		}
		if views[0] != views[1] {
			t.Errorf("the views differ:\n%s", difference(t, views[0], views[1]))
		}
	})
}

func difference(t *testing.T, a, b string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "new"), []byte(a), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte(b), 0o644))
	out, _ := exec.Command("diff", dir+"/new", dir+"/old").CombinedOutput()
	return tail(string(out))
}
