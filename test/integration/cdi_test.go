//go:build integration

package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// withCDI lets a podman find the specifications of a directory, and no others. Podman has the names of their directories
// compiled in, so it runs in a mount namespace in which they have been mounted over, as has the cache of root's hook.
func (p *podman) withCDI(specs string) *podman {
	dirs := []string{"/run/cdi", "/etc/cdi", "/var/cache/capsule-run/builds"}
	for _, dir := range dirs {
		must(p.t, os.MkdirAll(dir, 0o755))
		p.t.Cleanup(func() { os.Remove(dir) }) // if it is empty
	}
	script := "set -e; specs=$1; shift\nfor d in " + strings.Join(dirs, " ") + `; do mount -t tmpfs -o mode=755 tmpfs "$d"; done
cp "$specs"/* /run/cdi/
exec "$@"`
	p.prefix = append([]string{"unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh", specs}, p.prefix...)
	return p
}

// generated makes a specification as it would be on a host, and returns its directory.
func generated(t *testing.T, host string, more ...string) string {
	t.Helper()
	specs := shared(t)
	argv := append([]string{installed(t), "cdi", "generate", "--no-groups", "--host", host, "--output", specs + "/capsule-gpu.json"}, more...)
	if out := outputOf(t, []string{"PATH=/usr/bin:/bin", "HOME=" + home}, argv...); out != "" {
		t.Errorf("cdi generate says: %s", out)
	}
	return specs
}

const gpuAll = "capsule.dev/gpu=all"

// Debian 11's and 12's programs in a container say by CDI what they say under the launcher: the same driver of Debian 13.
func TestCDIPodman(t *testing.T) {
	needsPodman(t)
	host, display := trees.Tree(t, "host13"), xvfb.Start(t)
	specs := generated(t, host)
	p := asRoot(t, shared(t)).withCDI(specs)
	for name, tree := range hookTrees(t) {
		want := reference(t, tree, host, display, "sh", "-c", drivers)
		untouched(t, host, tree)
		for _, engine := range engines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				r := p.container(engine, append(withDisplay(display), "--device", gpuAll, "--rootfs", tree+":O", "sh", "-c", drivers)...)
				if r.stdout != want {
					t.Errorf("exit status %d\n%s\nby the launcher:\n%s", r.status, r.both(), want)
				}
			})
		}
	}
	// A container that asks for nothing gets nothing, and a GPU that is not there starts no container.
	tree := trees.Tree(t, "runtime11")
	if r := p.container("runc", "--rootfs", tree+":O", "sh", "-c", "ls -d /run/capsule || echo without"); r.stdout != "without\n" {
		t.Errorf("without the device: %s", r.both())
	}
	if r := p.container("runc", "--device", "capsule.dev/gpu=99", "--rootfs", tree+":O", "echo", "started"); r.status == 0 ||
		!strings.Contains(r.stderr, "capsule.dev/gpu=99") {
		t.Errorf("a GPU that is not there: exit status %d, %s", r.status, r.both())
	}
}

// The same for a user's own podman.
func TestCDIRootless(t *testing.T) {
	needsPodman(t)
	host, tree, display := trees.Tree(t, "host13"), trees.Tree(t, "runtime12"), xvfb.Start(t)
	want := reference(t, tree, host, display, "sh", "-c", drivers)
	self := filepath.Join(shared(t), "capsule-run") // where the user may execute it
	must(t, exec.Command("cp", binary, self).Run())
	p := asUser(t, newUser(t)).withCDI(generated(t, host, "--hook", self))
	p.image(tree, "localhost/debian12")
	if r := p.container("runc", append(withDisplay(display), "--device", gpuAll, "localhost/debian12", "sh", "-c", drivers)...); r.stdout != want {
		t.Errorf("exit status %d\n%s\nby the launcher:\n%s", r.status, r.both(), want)
	}
}

// fakeGPU gives a tree's sysfs in miniature a GPU with a render node of that number; none if render is empty.
func fakeGPU(t *testing.T, machine, address, vendor, driver, render, number string) {
	t.Helper()
	dir := machine + "/sys/devices/pci0000:00/" + address
	files := map[string]string{"vendor": "0x" + vendor, "device": "0x1234", "class": "0x030000", "uevent": "DRIVER=" + driver}
	if render != "" {
		files["drm/"+render+"/dev"] = number
	}
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(dir+"/"+name), 0o755))
		must(t, os.WriteFile(dir+"/"+name, []byte(text+"\n"), 0o644))
	}
	must(t, os.MkdirAll(machine+"/sys/class/drm", 0o755))
	must(t, os.MkdirAll(machine+"/sys/bus/pci/devices", 0o755))
	must(t, os.Symlink("../../../devices/pci0000:00/"+address, machine+"/sys/bus/pci/devices/"+address))
	if render != "" {
		must(t, os.Symlink("../..", dir+"/drm/"+render+"/device"))
		must(t, os.Symlink("../../devices/pci0000:00/"+address+"/drm/"+render, machine+"/sys/class/drm/"+render))
	}
}

// One of two GPUs, by its PCI address: the container has its nodes, those with the kernel's numbers, and no others. The
// machine is Debian 13 with a sysfs in miniature, in which harmless devices stand for GPUs.
func TestCDINodes(t *testing.T) {
	needsPodman(t)
	machine, runtime := writableRoot(t, trees.Tree(t, "host13")), trees.Tree(t, "runtime11")
	twoGPUs(t, machine)
	fakeGPU(t, machine, "0000:03:00.0", "8086", "i915", "renderD130", "1:9") // whose node is something else
	must(t, unix.Mknod(machine+"/dev/dri/renderD130", unix.S_IFCHR|0o660, int(unix.Mkdev(1, 8))))
	p := asRoot(t, shared(t)).withCDI(generated(t, machine))
	in := func(args ...string) result {
		return p.container("runc", append(args[:len(args)-1:len(args)-1], "--rootfs", runtime+":O", "sh", "-c", args[len(args)-1])...)
	}
	const look = "cd /dev/dri && stat -c '%n %F %t:%T' *; ls -d /run/capsule/*-linux-gnu/lib"
	const device = " character special file 1:"
	for name, want := range map[string]string{
		"0000:02:00.0": "renderD129" + device + "7\n",
		"0":            "renderD128" + device + "5\n",
		"all":          "renderD128" + device + "5\nrenderD129" + device + "7\n",
		// Several devices are joined, whatever the order and whichever is another name of one of them; the hook runs once.
		"1 0":              "renderD128" + device + "5\nrenderD129" + device + "7\n",
		"1 all":            "renderD128" + device + "5\nrenderD129" + device + "7\n",
		"1 0000:02:00.0 1": "renderD129" + device + "7\n",
	} {
		var args []string
		for _, n := range strings.Fields(name) {
			args = append(args, "--device", "capsule.dev/gpu="+n)
		}
		if r := in(append(args, look)...); r.status != 0 || !strings.HasPrefix(r.stdout, want+"/run/capsule/") {
			t.Errorf("%s: exit status %d, %s", name, r.status, r.both())
		}
	}
	// Somebody else than root in the container can open the node, though its mode says nothing of others.
	r := in("--user", "1000:1000", "--device", "capsule.dev/gpu=0", "head -c 3 /dev/dri/renderD128 | od -An -tx1; id -u")
	if strings.Join(strings.Fields(r.stdout), " ") != "00 00 00 1000" {
		t.Errorf("as a user: exit status %d, %s", r.status, r.both())
	}
	if r := in("--device", "capsule.dev/gpu=2", look); r.status == 0 {
		t.Errorf("a GPU whose node is another device was given:\n%s", r.stdout)
	}
}

// Whatever user namespace root's podman gives a container, the hook is root's: by CDI as by
// hooks.d the container gets the host's driver.
func TestPodmanUserNamespace(t *testing.T) {
	needsPodman(t)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime12")
	hooks := filepath.Join(shared(t), "hooks.d")
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	outputOf(t, env, installed(t), "hook", "install", "--dir", hooks, "--config", hookConfig(t, host), "--cache", hookCache())
	subordinate(t, "containers")
	p := rootOn("overlay", t, hooks).withCDI(generated(t, host)) // vfs would copy the image for each container
	p.image(tree, "localhost/debian12")
	const show = "cat /proc/self/uid_map; vulkaninfo --summary 2>/dev/null | grep driverInfo"
	for _, engine := range engines {
		for by, ask := range map[string][]string{"CDI": {"--device", gpuAll}, "hooks.d": {"--annotation", "dev.capsule.gpu=all"}} {
			for name, ids := range map[string][]string{
				"uidmap": {"--uidmap", "0:200000:65536", "--gidmap", "0:200000:65536"},
				"auto":   {"--userns=auto:size=65536"},
			} {
				t.Run(engine+"/"+by+"/"+name, func(t *testing.T) {
					uncapsuled(t)
					untouched(t, host, tree)
					args := append(append(slices.Clone(ids), ask...), "localhost/debian12", "sh", "-c", show)
					r := p.container(engine, args...)
					if map0 := strings.Fields(r.stdout + " - - -"); r.status != 0 || map0[0] != "0" || map0[1] == "0" ||
						!strings.Contains(r.stdout, "Mesa "+mesaVersion(t, host)) {
						t.Errorf("exit status %d\n%s", r.status, r.both())
					}
				})
			}
		}
	}
}

// subordinate gives a user of /etc/subuid and /etc/subgid 65536 ids for a test, as Podman's --userns=auto takes them.
func subordinate(t *testing.T, user string) {
	t.Helper()
	for _, name := range []string{"/etc/subuid", "/etc/subgid"} {
		before, err := os.ReadFile(name)
		must(t, err)
		must(t, os.WriteFile(name, append(bytes.Clone(before), user+":300000000:65536\n"...), 0o644))
		t.Cleanup(func() { must(t, os.WriteFile(name, before, 0o644)) })
	}
}
