//go:build integration

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// A device node of the host is in the container with its number; a file of that name is not taken for one.
func TestHookDevices(t *testing.T) {
	needsRoot(t, engines...)
	config := hookConfig(t, gpuHost(t))
	for _, engine := range engines {
		for gpu, want := range map[string]string{"all": "e2:80", "renderD128": "e2:80", "0000:00:02.0": "e2:80", "0": "e2:80"} {
			b := newBundle(t, engine, writableRoot(t, trees.Tree(t, "runtime11")), "sh", "-c", "stat -c %t:%T /dev/dri/renderD128; ls /dev/dri")
			if out := b.hook("createRuntime", config, "--gpu="+gpu).ok().stdout; out != want+"\nrenderD128\n" {
				t.Errorf("%s, %s: %s", engine, gpu, out)
			}
		}
	}
}

// gpuHost is a host with a GPU, 226:128: as much of sysfs as says so, and its node. card0 is a file, and no device.
func gpuHost(t *testing.T) string {
	t.Helper()
	host := writableRoot(t, trees.Tree(t, "host13"))
	const sysfs = "/sys/devices/pci0000:00/0000:00:02.0"
	for _, d := range []string{sysfs + "/drm/renderD128", sysfs + "/drm/card0", "/sys/bus/pci/drivers/i915", "/sys/class/drm", "/sys/dev/char", "/dev/dri"} {
		must(t, os.MkdirAll(host+d, 0o755))
	}
	for link, to := range map[string]string{
		sysfs + "/driver":                "../../../bus/pci/drivers/i915",
		sysfs + "/subsystem":             "../../../bus/pci",
		sysfs + "/drm/renderD128/device": "../..",
		sysfs + "/drm/card0/device":      "../..",
		"/sys/class/drm/renderD128":      "../../devices/pci0000:00/0000:00:02.0/drm/renderD128",
		"/sys/class/drm/card0":           "../../devices/pci0000:00/0000:00:02.0/drm/card0",
		"/sys/dev/char/226:128":          "../../devices/pci0000:00/0000:00:02.0/drm/renderD128",
		"/sys/dev/char/226:0":            "../../devices/pci0000:00/0000:00:02.0/drm/card0",
	} {
		must(t, os.Symlink(to, host+link))
	}
	must(t, os.WriteFile(host+sysfs+"/drm/renderD128/dev", []byte("226:128\n"), 0o644))
	must(t, os.WriteFile(host+sysfs+"/drm/card0/dev", []byte("226:0\n"), 0o644))
	must(t, os.WriteFile(host+sysfs+"/vendor", []byte("0x8086\n"), 0o644))
	must(t, os.WriteFile(host+sysfs+"/device", []byte("0x1234\n"), 0o644))
	must(t, unix.Mknod(host+"/dev/dri/renderD128", unix.S_IFCHR|0o666, int(unix.Mkdev(226, 128))))
	must(t, os.WriteFile(host+"/dev/dri/card0", nil, 0o644))
	return host
}

// Two calls of the hook for one container, of the kinds that entries in hooks.d, a bundle and CDI make: it has the libraries of
// the first and the nodes of both. Calls that cannot both be served start no container.
func TestHookTwice(t *testing.T) {
	needsRoot(t, engines...)
	machine, tree := writableRoot(t, trees.Tree(t, "host13")), trees.Tree(t, "runtime11")
	twoGPUs(t, machine)
	config := hookConfig(t, machine)
	for i, c := range []struct {
		name          string
		first, second []string
		config        string // of the second call
		nodes, told   string
	}{
		{"another GPU", []string{"--gpu=0"}, []string{"--gpu=1"}, config, "renderD128 renderD129", ""},
		{"the same GPU", []string{"--gpu=1"}, []string{"--gpu=1"}, config, "renderD129", ""},
		{"all besides", []string{"--gpu=1"}, []string{"--gpu=all"}, config, "renderD128 renderD129", ""},
		{"nodes by the engine", []string{"--gpu=0"}, []string{"--gpu=all", "--no-devices"}, config, "renderD128", ""},
		{"no nodes at first", []string{"--gpu=all", "--no-devices"}, []string{"--gpu=1"}, config, "renderD129", ""},
		{"nothing at first", []string{"--gpu=none"}, []string{"--gpu=1"}, config, "renderD129", ""},
		{"no such GPU", []string{"--gpu=0"}, []string{"--gpu=7"}, config, "", `no GPU "7"`},
		{"another host", []string{"--gpu=0"}, []string{"--gpu=0", "--host=" + trees.Tree(t, "host13")}, config, "", "has a capsule already, of the host "},
		{"other libraries", []string{"--gpu=0"}, []string{"--gpu=0"}, hookConfig(t, machine, `libraries = ["libz.so.1"]`), "",
			"has a capsule already, with the libraries "},
	} {
		engine := engines[i%len(engines)]
		t.Run(c.name+"/"+engine, func(t *testing.T) {
			uncapsuled(t)
			b := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", "echo $(ls /dev/dri); vulkaninfo --summary 2>/dev/null | grep driverInfo")
			r := b.hook("createRuntime", config, c.first...).hook("createContainer", c.config, c.second...).run()
			told := told(r, engine)
			if c.told != "" {
				if r.status == 0 || !strings.Contains(told, c.told) || !strings.Contains(told, "hint: ") {
					t.Errorf("exit status %d\n%s\n%s", r.status, r.both(), told)
				}
			} else if r.status != 0 || !strings.HasPrefix(r.stdout, c.nodes+"\n") || !strings.Contains(r.stdout, "Mesa") {
				t.Errorf("exit status %d, not %s\n%s", r.status, c.nodes, r.both())
			}
		})
	}
}

// twoGPUs gives a tree's sysfs two of them, with nodes of harmless devices.
func twoGPUs(t *testing.T, machine string) {
	t.Helper()
	fakeGPU(t, machine, "0000:01:00.0", "8086", "i915", "renderD128", "1:5")
	fakeGPU(t, machine, "0000:02:00.0", "8086", "i915", "renderD129", "1:7")
	must(t, os.MkdirAll(machine+"/dev/dri", 0o755))
	for name, minor := range map[string]uint32{"renderD128": 5, "renderD129": 7} {
		must(t, unix.Mknod(machine+"/dev/dri/"+name, unix.S_IFCHR|0o660, int(unix.Mkdev(1, minor))))
		must(t, os.Chmod(machine+"/dev/dri/"+name, 0o660)) // whatever the umask
	}
}

// hostileDevices are images and volumes with something else where the GPU's node goes. The command's first line is what is
// at /dev/dri/renderD128; message is as for hostileImages. A /dev that is a link itself is no matter of engines, which have
// their own trouble with it: TestDevices in hook/place.
var hostileDevices = []struct {
	name, message string
	make          func(h *hostileRun)
}{
	{"/dev/dri is a link out", "symbolic link", func(h *hostileRun) { h.dev(func(dev string) { must(h.t, os.Symlink(h.outside, dev+"/dri")) }) }},
	{"/dev/dri climbs out", "symbolic link", func(h *hostileRun) {
		h.dev(func(dev string) { must(h.t, os.Symlink(h.climb(h.outside), dev+"/dri")) })
	}},
	{"/dev/dri leads through proc", "/dev/dri", func(h *hostileRun) {
		h.dev(func(dev string) { must(h.t, os.Symlink("/proc/1/root"+h.outside, dev+"/dri")) })
	}},
	{"/dev/dri is a file", "not a directory", func(h *hostileRun) {
		h.dev(func(dev string) { must(h.t, os.WriteFile(dev+"/dri", nil, 0o644)) })
	}},
	{"the node is a link out", "symbolic link", func(h *hostileRun) {
		h.dev(func(dev string) {
			must(h.t, os.Mkdir(dev+"/dri", 0o755))
			must(h.t, os.Symlink(h.outside+"/file", dev+"/dri/renderD128"))
		})
	}},
	{"the node is a directory", "mount on the container's", func(h *hostileRun) {
		h.dev(func(dev string) { must(h.t, os.MkdirAll(dev+"/dri/renderD128", 0o755)) })
	}},
	{"the node is a file", "", func(h *hostileRun) {
		h.dev(func(dev string) {
			must(h.t, os.Mkdir(dev+"/dri", 0o755))
			must(h.t, os.WriteFile(dev+"/dri/renderD128", []byte("x"), 0o666))
		})
	}},
	{"the node is another device", "", func(h *hostileRun) { h.node(unix.S_IFCHR, 1, 5) }},
	{"the node is a block device of the number", "", func(h *hostileRun) { h.node(unix.S_IFBLK, 226, 128) }},
	{"the node is the device", "", func(h *hostileRun) { h.node(unix.S_IFCHR, 226, 128) }},
}

// dev gives the container a /dev that somebody has prepared, in place of the engine's: the image's own directory.
func (h *hostileRun) dev(make func(dev string)) {
	h.t.Helper()
	h.b.spec.Mounts = withoutMounts(h.b.spec.Mounts, "/dev")
	h.b.spec.Linux.MaskedPaths, h.b.spec.Linux.ReadonlyPaths = nil, nil
	make(h.root + "/dev")
}

func (h *hostileRun) node(kind, major, minor uint32) {
	h.dev(func(dev string) {
		must(h.t, os.Mkdir(dev+"/dri", 0o755))
		must(h.t, unix.Mknod(dev+"/dri/renderD128", kind|0o666, int(unix.Mkdev(major, minor))))
	})
}

func withoutMounts(mounts []specs.Mount, below string) []specs.Mount {
	var out []specs.Mount
	for _, m := range mounts {
		if m.Destination != below && !strings.HasPrefix(m.Destination, below+"/") {
			out = append(out, m)
		}
	}
	return out
}

// Where the GPU's node goes there is in the end that device, or no container.
func TestHookHostileDevices(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := gpuHost(t), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	outside := newOutside(t)
	untouched(t, tree, outside, "/dev")
	for _, engine := range engines {
		for _, c := range hostileDevices {
			t.Run(c.name+"/"+engine, func(t *testing.T) {
				unmounted(t)
				root := writableRoot(t, tree)
				b := newBundle(t, engine, root, "sh", "-c", "stat -c '%F %t:%T' /dev/dri/renderD128; "+searches)
				b.hook("createRuntime", config, "--gpu=all")
				c.make(&hostileRun{t, b, root, outside})
				r := b.run()
				told := told(r, engine)
				if strings.Contains(r.both(), secret) {
					t.Errorf("the host's word is in the container:\n%s", r.both())
				}
				switch {
				case c.message == "" && !strings.HasPrefix(r.stdout, "character special file e2:80\n"):
					t.Errorf("exit status %d\n%s\n%s", r.status, tail(r.both()), told)
				case c.message != "" && (r.status == 0 || !strings.Contains(told, c.message) || !strings.Contains(told, "hint: ")):
					t.Errorf("exit status %d, no refusal with %q\n%s\n%s", r.status, c.message, tail(r.both()), told)
				}
			})
		}
	}
}
