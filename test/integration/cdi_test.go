//go:build integration

package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// podmanCDI runs Podman with a directory as the only one with CDI specifications. Podman has their names compiled in, so it
// runs in a mount namespace in which that directory is /run/cdi, and /etc/cdi and the hook's cache are empty.
func podmanCDI(t *testing.T, specs, rootfs string, args ...string) (string, error) {
	t.Helper()
	for _, tool := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(tool); err != nil || os.Geteuid() != 0 {
			if os.Getenv("CAPSULE_MUST_WORK") == "1" {
				t.Fatalf("%s as root is needed: %v", tool, err)
			}
			t.Skipf("%s as root is needed: %v", tool, err)
		}
	}
	for _, dir := range []string{"/run/cdi", "/etc/cdi", "/var/cache/capsule-run/builds"} { // to be mounted over
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir) // if it is empty
	}
	const script = `set -e
specs=$1; shift
for d in /run/cdi /etc/cdi /var/cache/capsule-run/builds; do
  mount -t tmpfs -o mode=755 tmpfs "$d"
done
cp "$specs"/* /run/cdi/
exec podman "$@"`
	store := t.TempDir()
	argv := []string{"-m", "--propagation", "private", "sh", "-c", script, "sh", specs, "--root", store + "/root", "--runroot", store + "/run",
		"--cgroup-manager", "cgroupfs", "--runtime", "runc", "run", "--rm", "--network", "none", "--ulimit", "nofile=1024:2048",
		"--ulimit", "nproc=1024:2048", "-v", "/tmp/.X11-unix:/tmp/.X11-unix"}
	cmd := exec.CommandContext(t.Context(), "unshare", append(append(argv, args[:len(args)-1]...), "--rootfs", rootfs+":O", "sh", "-c", args[len(args)-1])...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		return out.String() + errs.String(), err
	}
	return out.String(), nil
}

// Debian 11's glxinfo in a container of Podman's says by CDI what it says under the launcher: the same driver of Debian 13.
func TestCDIWithPodman(t *testing.T) {
	display := xvfb.Start(t)
	runtime, host := trees.Tree(t, "full11"), trees.Tree(t, "host13")
	specs := t.TempDir()
	file := filepath.Join(specs, "capsule-gpu.json")
	if out, err := exec.Command(binary, "cdi", "generate", "--no-groups", "--host", host, "--output", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("cdi generate: %v\n%s", err, out)
	}
	const glxinfo = "glxinfo -B | grep -vi 'memory'; cat /etc/debian_version; ls -d /run/capsule/*-linux-gnu/lib"
	want := launch{runtime: runtime, host: host, display: display, argv: []string{"sh", "-c", glxinfo}}.ok(t).stdout
	if !strings.Contains(want, "llvmpipe") || !strings.Contains(want, "Mesa 25") {
		t.Fatalf("not the host's driver:\n%s", want)
	}
	got, err := podmanCDI(t, specs, runtime, "--device", "capsule.dev/gpu=all", "-e", display.Env()[0], glxinfo)
	if err != nil {
		t.Fatalf("podman: %v\n%s", err, tail(got))
	}
	if strings.ReplaceAll(got, "\r", "") != want {
		t.Errorf("by the launcher:\n%s\nby CDI:\n%s", want, got)
	}

	// A container that asks for nothing gets nothing, and a GPU that is not there starts no container.
	if got, err := podmanCDI(t, specs, runtime, "ls -d /run/capsule || true"); err != nil || strings.Contains(got, "/run/capsule\n") {
		t.Errorf("without the device: %v\n%s", err, got)
	}
	if got, err := podmanCDI(t, specs, runtime, "--device", "capsule.dev/gpu=99", "echo started"); err == nil || !strings.Contains(got, "capsule.dev/gpu=99") {
		t.Errorf("a GPU that is not there: %v\n%s", err, got)
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
func TestCDINodesWithPodman(t *testing.T) {
	unmounted(t)
	machine, runtime := writable(t, trees.Tree(t, "host13")), trees.Tree(t, "full11")
	fakeGPU(t, machine, "0000:01:00.0", "8086", "i915", "renderD128", "1:5")
	fakeGPU(t, machine, "0000:02:00.0", "8086", "i915", "renderD129", "1:7")
	fakeGPU(t, machine, "0000:03:00.0", "8086", "i915", "renderD130", "1:9") // whose node is something else
	must(t, os.MkdirAll(machine+"/dev/dri", 0o755))
	for name, minor := range map[string]uint32{"renderD128": 5, "renderD129": 7, "renderD130": 8} {
		must(t, unix.Mknod(machine+"/dev/dri/"+name, unix.S_IFCHR|0o660, int(unix.Mkdev(1, minor))))
		must(t, os.Chmod(machine+"/dev/dri/"+name, 0o660)) // whatever the umask
	}
	specs := t.TempDir()
	out, err := exec.Command(binary, "cdi", "generate", "--no-groups", "--host", machine, "--output", specs+"/gpu.json").CombinedOutput()
	if err != nil {
		t.Fatalf("cdi generate: %v\n%s", err, out)
	}
	const look = "cd /dev/dri && stat -c '%n %F %t:%T' *; ls -d /run/capsule/*-linux-gnu/lib"
	const device = " character special file 1:"
	for name, want := range map[string]string{
		"0000:02:00.0": "renderD129" + device + "7\n",
		"0":            "renderD128" + device + "5\n",
		"all":          "renderD128" + device + "5\nrenderD129" + device + "7\n",
	} {
		got, err := podmanCDI(t, specs, runtime, "--device", "capsule.dev/gpu="+name, look)
		if err != nil || !strings.HasPrefix(got, want+"/run/capsule/") {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	// Somebody else than root in the container can open the node, though its mode says nothing of others.
	got, err := podmanCDI(t, specs, runtime, "--user", "1000:1000", "--device", "capsule.dev/gpu=0", "head -c 3 /dev/dri/renderD128 | od -An -tx1; id -u")
	if err != nil || strings.Join(strings.Fields(got), " ") != "00 00 00 1000" {
		t.Errorf("as a user: %v\n%s", err, got)
	}
	if got, err := podmanCDI(t, specs, runtime, "--device", "capsule.dev/gpu=2", look); err == nil {
		t.Errorf("a GPU whose node is another device was given:\n%s", got)
	}
}
