//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// exposed is a host with things that nobody asked for beside those that are wanted.
func exposed(t *testing.T) string {
	host := copyOf(t, "host13")
	for _, dir := range []string{"/usr/share/drirc.d/", "/usr/share/vulkan/icd.d/", "/usr/share/glvnd/egl_vendor.d/", "/usr/share/libdrm/",
		"/usr/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/dri/", "/usr/share/", "/etc/", "/"} {
		put(t, host+dir+"capsule-secret", "secret\n", 0o644)
	}
	put(t, host+"/usr/share/drirc.d/20-directory.conf/capsule-secret", "secret\n", 0o644)
	put(t, host+"/usr/share/capsule-elsewhere/real", "elsewhere\n", 0o644)
	put(t, host+"/usr/share/capsule-elsewhere/capsule-secret", "secret\n", 0o644)
	must(t, os.Symlink("../capsule-elsewhere/real", host+"/usr/share/drirc.d/30-link.conf"))
	must(t, os.Symlink("/nonexistent", host+"/usr/share/drirc.d/31-dangling.conf"))
	must(t, os.Symlink("../../../..", host+"/usr/share/drirc.d/32-root.conf"))
	put(t, host+"/usr/share/vulkan/icd.d/relative.json",
		`{"file_format_version": "1.0.0", "ICD": {"library_path": "../../../lib/x86_64-linux-gnu/libvulkan_lvp.so", "api_version": "1.4.0"}}`, 0o644)
	return host
}

// Exactly what the plan names of the host is there, each file by a mount of its own, and nothing of it can be changed or
// be left towards the rest of the host.
func TestExposure(t *testing.T) {
	host := exposed(t)
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		l := launch{runtime: trees.Tree(t, "runtime11"), host: host}
		p, _ := planOf(t, l.runtime, host)
		wanted := map[string]string{} // target by source
		for _, m := range p.Mounts {
			if isHosts(m) && path.IsAbs(m.Source) {
				wanted[m.Target] = m.Source
			}
		}
		l.argv = []string{"cat", "/proc/self/mountinfo"}
		compareMounts(t, finish(t, as(l)).stdout, host, wanted, p)

		l.argv = []string{"find", "/usr/lib/capsule", "-xdev", "!", "-type", "d", "-printf", "%p %y %i\n"}
		compareFiles(t, finish(t, as(l)).stdout, p)

		l.argv = []string{"sh", "-c", escapes}
		r := finish(t, as(l))
		if r.stdout != "elsewhere\nread 30-link.conf\nend\n" {
			t.Errorf("escapes:\n%s", r.both())
		}
		l.argv = []string{"sh", "-c", changes}
		if r := finish(t, as(l)); r.stdout != "end\n" {
			t.Errorf("changes:\n%s", r.both())
		}
	})
	compareTrees(t, host)
}

// compareMounts: each mount that shows a file of the host is one of the plan's with the same target, and read-only.
func compareMounts(t *testing.T, mountinfo, host string, wanted map[string]string, p *capsule.Plan) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(mountinfo), "\n") {
		f := strings.Fields(line) // proc(5): the path in its file system, the place, the options
		root, place, options := f[3], f[4], strings.Split(f[5], ",")
		if strings.HasPrefix(place, "/usr/lib/capsule/") && !slices.Contains(options, "ro") {
			t.Errorf("can be written: %s", line)
		}
		_, inside, isHost := strings.Cut(root, "/"+filepath.Base(host))
		if !isHost {
			if wanted[place] != "" && !rewritten(p, place) {
				t.Errorf("not of the host: %s", line)
			}
			continue
		}
		if seen[place] || wanted[place] != host+inside {
			t.Errorf("the plan has %q there, or it is mounted twice: %s", wanted[place], line)
		}
		seen[place] = true
	}
	for place := range wanted {
		if !seen[place] {
			t.Errorf("in the plan, and not mounted: %s", place)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d files of the host", len(seen))
	}
}

// rewritten: the source of such a library is one of the generated files.
func rewritten(p *capsule.Plan, place string) bool {
	return slices.ContainsFunc(p.Mounts, func(m mount.Op) bool { return m.Target == place && !path.IsAbs(m.Source) })
}

// compareFiles: whatever is below /usr/lib/capsule is the target of a mount of the plan, or below
// that of a generated directory.
func compareFiles(t *testing.T, found string, p *capsule.Plan) {
	t.Helper()
	count := 0
	for _, line := range strings.Split(strings.TrimSpace(found), "\n") {
		f := strings.Fields(line)
		name, kind := f[0], f[1]
		if !slices.ContainsFunc(p.Mounts, func(m mount.Op) bool {
			return m.Target == name || !path.IsAbs(m.Source) && strings.HasPrefix(name, m.Target+"/")
		}) || kind != "f" {
			t.Errorf("nobody asked for %s", line)
		}
		count++
	}
	if count < 40 {
		t.Errorf("%d files:\n%s", count, found)
	}
}

// escapes tries to read a file of the host that the plan does not name through every mount. What is said is what could be
// read. The link is shown as the file that it leads to; its neighbours there are not.
const escapes = `
find / \( -path /proc -o -path /sys -o -path /tmp -o -path /root -o -path /var \) -prune -o -name capsule-secret -print 2>/dev/null
for d in $(find /usr/lib/capsule -type d); do
	for up in . .. ../.. ../../.. ../../../..; do
		cat "$d/$up/capsule-secret" "$d/$up/capsule-elsewhere/capsule-secret" 2>/dev/null
	done
done
for f in $(find /usr/lib/capsule -type f -path '*/share/*'); do
	exec 9<"$f"
	cat /proc/self/fd/9/../capsule-secret "$f/../capsule-secret" 2>/dev/null
	case $f in *.conf) [ -L "$f" ] && echo "a link: $f"; grep -q elsewhere "$f" && cat "$f" && echo "read ${f##*/}";; esac
done
cat /proc/self/root/usr/share/capsule-secret /proc/self/root/capsule-secret /proc/self/cwd/../../../../../capsule-secret 2>/dev/null
echo end`

// changes tries to write, and to make what is read-only writable: also from a user namespace with mounts of its own, in
// which the kernel keeps the flags of mounts that come from outside.
const changes = `
for f in $(find /usr/lib/capsule -type f); do
	(: >>"$f") 2>/dev/null && echo "opened $f"
	chmod 777 "$f" 2>/dev/null && echo "changed $f"
	touch "$f" 2>/dev/null && echo "touched $f"
	mv "$f" "$f.x" 2>/dev/null && echo "moved $f"
	rm -f "$f" 2>/dev/null && echo "removed $f"
	(: >"${f%/*}/new") 2>/dev/null && echo "made ${f%/*}/new"
	ln -s x "${f%/*}/new" 2>/dev/null && echo "linked ${f%/*}/new"
done
if [ "$(id -u)" != 0 ]; then
	first=$(find /usr/lib/capsule -type f -path '*/share/*' | head -n 1)
	# mount(2) with MS_REMOUNT | MS_BIND, umount2(2) with MNT_DETACH
	unshare -rm perl -e 'for my $m (@ARGV) {
		my ($none, $n) = ("none", 0); $m .= "";
		print "writable: $m\n" if !syscall(165, $none, $m, $none, 0x1020 + $n, 0 + $n);
		print "uncovered: $m\n" if !syscall(166, $m, 2 + $n); }' "$first" /usr/lib/capsule/x86_64-linux-gnu/lib /usr
fi
echo end`

// compareTrees: the host's tree is as it was.
func compareTrees(t *testing.T, host string) {
	t.Helper()
	text, err := os.ReadFile(host + "/usr/share/capsule-elsewhere/real")
	if err != nil || string(text) != "elsewhere\n" {
		t.Errorf("the host's file is %q now (%v)", text, err)
	}
}

// A manifest whose library's path counts from its own directory leads to the host's library.
func TestRelativeManifest(t *testing.T) {
	host := exposed(t)
	others, _ := filepath.Glob(host + "/usr/share/vulkan/icd.d/lvp_icd*")
	for _, name := range others {
		must(t, os.Remove(name))
	}
	if len(others) == 0 {
		t.Fatal("the host has no manifest of lavapipe")
	}
	l := launch{runtime: trees.Tree(t, "runtime11"), host: host, argv: []string{"vulkaninfo"}, display: xvfb.Start(t)}
	if r := l.run(t); !strings.Contains(r.stdout, "llvmpipe") {
		t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
	}
}
