package hostgpu

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// machine makes a tree out of lines "path = content" ("|" ends a line of it), "path -> target" and
// "path : MAJOR:MINOR MODE UID GID [denied]", a file that stands for a device node.
func machine(t testing.TB, lines ...string) *rootfs.Root {
	t.Helper()
	dir := t.TempDir()
	for _, l := range lines {
		p, target, link := strings.Cut(l, " -> ")
		p, node, isNode := strings.Cut(p, " : ")
		p, content, _ := strings.Cut(p, " = ")
		full := filepath.Join(dir, p)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, full)
		case isNode:
			err = os.WriteFile(full, []byte("node "+node), 0o644)
		case strings.HasSuffix(p, "/"):
			err = os.MkdirAll(full, 0o755)
		default:
			err = os.WriteFile(full, []byte(strings.ReplaceAll(content, "|", "\n")+"\n"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// standIn reads the files that stand for nodes.
func standIn(r *rootfs.Root, p string) (NodeInfo, error) {
	b, err := r.ReadFile(p, 1000)
	if err != nil {
		return NodeInfo{}, err
	}
	i := NodeInfo{Access: !strings.Contains(string(b), "denied")}
	_, err = fmt.Sscanf(string(b), "node %d:%d %o %d %d", &i.Major, &i.Minor, &i.Mode, &i.UID, &i.GID)
	i.Char = err == nil
	return i, nil
}

// pciGPU is a GPU on the PCI bus with its DRM devices, without nodes.
func pciGPU(address, vendor, device, driver string, drm ...string) []string {
	dir := "sys/devices/pci0000:00/" + address
	lines := []string{dir + "/vendor = 0x" + vendor, dir + "/device = 0x" + device, dir + "/class = 0x030000",
		dir + "/uevent = PCI_SLOT_NAME=" + address, "sys/bus/pci/devices/" + address + " -> ../../../devices/pci0000:00/" + address,
		dir + "/subsystem -> ../../../bus/pci"}
	if driver != "" {
		lines = append(lines, dir+"/driver -> ../../../bus/pci/drivers/"+driver, "sys/bus/pci/drivers/"+driver+"/")
	}
	for _, l := range drm {
		lines = append(lines, drmDevice(dir, l)...)
	}
	return lines
}

// drmDevice is "card0 226:0" below a device.
func drmDevice(dir, text string) []string {
	name, number, _ := strings.Cut(text, " ")
	return []string{dir + "/drm/" + name + "/dev = " + number, dir + "/drm/" + name + "/uevent = DEVNAME=dri/" + name + "|DEVTYPE=drm_minor",
		dir + "/drm/" + name + "/device -> ../..", "sys/class/drm/" + name + " -> ../../" + strings.TrimPrefix(dir, "sys/") + "/drm/" + name}
}

const procDevices = "proc/devices = Character devices:|  1 mem|195 nvidia-frontend|234 nvidia-caps|510 nvidia-uvm||Block devices:|  8 sd|510 fake"

func nvidiaProcOf(address, minor string) []string {
	return []string{"proc/driver/nvidia/gpus/" + address + "/information = Model: \t\t NVIDIA GeForce GTX 1650|IRQ:   \t\t 130|" +
		"GPU UUID: \t GPU-11111111-2222-3333-4444-55555555555" + minor + "|Bus Location: \t " + address + "|Device Minor: \t " + minor,
		"proc/driver/nvidia/version = NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.247.01  Thu|GCC version: gcc"}
}

var nvidiaNodes = []string{"dev/nvidia0 : 195:0 666 0 0", "dev/nvidiactl : 195:255 666 0 0", "dev/nvidia-modeset : 195:254 666 0 0",
	"dev/nvidia-uvm : 510:0 666 0 0"}

func look(t testing.TB, lines ...[]string) *Devices {
	t.Helper()
	d, err := Discover(machine(t, slices.Concat(lines...)...), Options{Examine: standIn})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// summary is one line a GPU, and one for the shared nodes.
func summary(d *Devices) string {
	var b strings.Builder
	nodes := func(list []*Node) {
		for _, n := range list {
			fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(n.Path, "/dev/"), n.State)
		}
	}
	for _, g := range d.GPUs {
		fmt.Fprintf(&b, "%d %s %s %s %s works=%v:", g.Index, cmp.Or(g.Bus, "-"), g.Address, cmp.Or(g.Driver, "-"), cmp.Or(g.Family, "-"), g.Usable)
		nodes(g.Nodes)
		for _, p := range g.Partitions {
			fmt.Fprintf(&b, " gi%d/ci%d:", p.GPUInstance, p.ComputeInstance)
			nodes(p.Nodes)
		}
		b.WriteString("\n")
	}
	if len(d.Shared) > 0 {
		b.WriteString("shared:")
		nodes(d.Shared)
		b.WriteString("\n")
	}
	return b.String()
}

var intel = append(pciGPU("0000:00:02.0", "8086", "3ea0", "i915", "card0 226:0", "renderD128 226:128"),
	"sys/devices/pci0000:00/0000:00:02.0/boot_vga = 1", "dev/dri/card0 : 226:0 660 0 44", "dev/dri/renderD128 : 226:128 660 0 105",
	"dev/dri/by-path/pci-0000:00:02.0-card -> ../card0", "dev/dri/by-path/pci-0000:00:02.0-render -> ../renderD128",
	"etc/group = root:x:0:|video:x:44:user|render:x:105:")

func TestMachines(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines [][]string
		want  string
		notes string // of the first GPU
	}{
		{"no GPU", [][]string{{"sys/class/"}}, "", ""},
		{"no sysfs at all", [][]string{{"etc/"}}, "", ""},
		{"Intel and NVIDIA laptop", [][]string{intel, pciGPU("0000:01:00.0", "10de", "1f91", "nvidia", "card1 226:1", "renderD129 226:129"),
			nvidiaProcOf("0000:01:00.0", "0"), nvidiaNodes, {procDevices, "dev/dri/card1 : 226:1 660 0 44", "dev/dri/renderD129 : 226:129 660 0 105"}},
			"0 pci 0000:00:02.0 i915 Intel works=true: dri/card0=usable dri/renderD128=usable\n" +
				"1 pci 0000:01:00.0 nvidia NVIDIA works=true: dri/card1=usable dri/renderD129=usable nvidia0=usable nvidiactl=usable nvidia-modeset=usable nvidia-uvm=usable\n", ""},
		{"two AMD, the second first in DRM", [][]string{
			pciGPU("0000:0b:00.0", "1002", "73bf", "amdgpu", "card0 226:0", "renderD128 226:128"),
			pciGPU("0000:03:00.0", "1002", "73bf", "radeon", "card1 226:1", "renderD129 226:129"),
			{"dev/dri/card0 : 226:0 660 0 44", "dev/dri/renderD128 : 226:128 666 0 105", "dev/dri/card1 : 226:1 660 0 44", "dev/dri/renderD129 : 226:129 666 0 105"}},
			"0 pci 0000:03:00.0 radeon AMD works=true: dri/card1=usable dri/renderD129=usable\n" +
				"1 pci 0000:0b:00.0 amdgpu AMD works=true: dri/card0=usable dri/renderD128=usable\n", ""},
		{"AMD with kfd", [][]string{pciGPU("0000:03:00.0", "1002", "73bf", "amdgpu", "card0 226:0", "renderD128 226:128"),
			{"dev/dri/card0 : 226:0 660 0 44", "dev/dri/renderD128 : 226:128 666 0 105", "dev/kfd : 511:0 660 0 105", "sys/class/kfd/kfd/dev = 511:0"}},
			"0 pci 0000:03:00.0 amdgpu AMD works=true: dri/card0=usable dri/renderD128=usable kfd=usable\n", ""},
		{"AMD, kfd in the kernel and not in /dev", [][]string{pciGPU("0000:03:00.0", "1002", "73bf", "amdgpu", "card0 226:0"),
			{"dev/dri/card0 : 226:0 660 0 44", "sys/class/kfd/kfd/dev = 511:0"}},
			"0 pci 0000:03:00.0 amdgpu AMD works=false: dri/card0=usable kfd=missing\n", "its driver amdgpu has no render node"},
		{"NVIDIA without DRM", [][]string{pciGPU("0000:01:00.0", "10de", "1f91", "nvidia"), nvidiaProcOf("0000:01:00.0", "0"), nvidiaNodes, {procDevices}},
			"0 pci 0000:01:00.0 nvidia NVIDIA works=true: nvidia0=usable nvidiactl=usable nvidia-modeset=usable nvidia-uvm=usable\n",
			"nvidia-drm is not loaded: no GBM, no Wayland, no EGL without X11 (modprobe nvidia-drm modeset=1)"},
		{"NVIDIA without uvm", [][]string{pciGPU("0000:01:00.0", "10de", "1f91", "nvidia"), nvidiaProcOf("0000:01:00.0", "0"), nvidiaNodes[:3],
			{"proc/devices = Character devices:|195 nvidia|195 nvidiactl|195 nvidia-modeset"}},
			"0 pci 0000:01:00.0 nvidia NVIDIA works=true: nvidia0=usable nvidiactl=usable nvidia-modeset=usable nvidia-uvm=missing\n",
			"nvidia-drm is not loaded: no GBM, no Wayland, no EGL without X11 (modprobe nvidia-drm modeset=1)"},
		{"NVIDIA in a container without sysfs", [][]string{nvidiaProcOf("0000:01:00.0", "1"), {"sys/", procDevices, "dev/nvidia1 : 195:1 666 0 0", "dev/nvidiactl : 195:255 666 0 0"}},
			"0 pci 0000:01:00.0 nvidia NVIDIA works=true: nvidia1=usable nvidiactl=usable nvidia-modeset=missing nvidia-uvm=missing\n",
			"nvidia-drm is not loaded: no GBM, no Wayland, no EGL without X11 (modprobe nvidia-drm modeset=1)"},
		{"NVIDIA divided", [][]string{pciGPU("0000:01:00.0", "10de", "20b0", "nvidia"), nvidiaProcOf("0000:01:00.0", "0"), nvidiaNodes,
			{procDevices, "proc/driver/nvidia/capabilities/gpu0/mig/gi1/access = DeviceFileMinor: 12|DeviceFileMode: 292|DeviceFileModify: 1",
				"proc/driver/nvidia/capabilities/gpu0/mig/gi1/ci0/access = DeviceFileMinor: 13|DeviceFileMode: 292",
				"dev/nvidia-caps/nvidia-cap12 : 234:12 444 0 0", "dev/nvidia-caps/nvidia-cap13 : 234:14 444 0 0"}},
			"0 pci 0000:01:00.0 nvidia NVIDIA works=true: nvidia0=usable nvidiactl=usable nvidia-modeset=usable nvidia-uvm=usable" +
				" gi1/ci0: nvidia-caps/nvidia-cap12=usable nvidia-caps/nvidia-cap13=foreign\n",
			"nvidia-drm is not loaded: no GBM, no Wayland, no EGL without X11 (modprobe nvidia-drm modeset=1)"},
		{"NVIDIA with nouveau", [][]string{pciGPU("0000:01:00.0", "10de", "1f91", "nouveau", "card0 226:0", "renderD128 226:128"),
			{"dev/dri/card0 : 226:0 660 0 44", "dev/dri/renderD128 : 226:128 666 0 105"}},
			"0 pci 0000:01:00.0 nouveau Nouveau works=true: dri/card0=usable dri/renderD128=usable\n", ""},
		{"kept for a virtual machine", [][]string{pciGPU("0000:01:00.0", "10de", "1f91", "vfio-pci")},
			"0 pci 0000:01:00.0 vfio-pci - works=false:\n", "kept for a virtual machine by vfio-pci"},
		{"no driver", [][]string{pciGPU("0000:01:00.0", "10de", "1f91", "")}, "0 pci 0000:01:00.0 - - works=false:\n", "no kernel driver is bound to it"},
		{"a network card", [][]string{{"sys/devices/pci0000:00/0000:00:03.0/class = 0x020000", "sys/bus/pci/devices/0000:00:03.0 -> ../../../devices/pci0000:00/0000:00:03.0"}}, "", ""},
		{"WSL", [][]string{{"sys/class/misc/dxg/dev = 10:125", "dev/dxg : 10:125 666 0 0", "sys/class/misc/udmabuf/dev = 10:122", "dev/udmabuf : 10:122 660 0 36"}},
			"0 - dxg dxgkrnl WSL works=true: dxg=usable\nshared: udmabuf=usable\n", ""},
		{"WSL, a file named dxg", [][]string{{"dev/dxg = text"}}, "0 - dxg dxgkrnl WSL works=false: dxg=foreign\n", ""},
		{"Mali beside a display", [][]string{{"sys/devices/platform/fb000000.gpu/uevent = DRIVER=mali|OF_NAME=gpu",
			"sys/devices/platform/fb000000.gpu/misc/mali0/dev = 10:55", "sys/devices/platform/fb000000.gpu/misc/mali0/device -> ../..",
			"sys/class/misc/mali0 -> ../../devices/platform/fb000000.gpu/misc/mali0", "dev/mali0 : 10:55 660 0 44",
			"sys/devices/platform/display-subsystem/uevent = DRIVER=rockchip-drm"},
			drmDevice("sys/devices/platform/display-subsystem", "card0 226:0"), {"dev/dri/card0 : 226:0 660 0 44"}},
			"0 - display-subsystem rockchip-drm - works=false: dri/card0=usable\n1 - fb000000.gpu mali Mali works=true: mali0=usable\n",
			"its driver rockchip-drm has no render node"},
		{"virtio", [][]string{{"sys/devices/pci0000:00/0000:00:01.0/vendor = 0x1af4", "sys/devices/pci0000:00/0000:00:01.0/device = 0x1050",
			"sys/devices/pci0000:00/0000:00:01.0/class = 0x038000", "sys/bus/pci/devices/0000:00:01.0 -> ../../../devices/pci0000:00/0000:00:01.0",
			"sys/devices/pci0000:00/0000:00:01.0/virtio0/uevent = DRIVER=virtio_gpu"},
			drmDevice("sys/devices/pci0000:00/0000:00:01.0/virtio0", "card0 226:0"),
			drmDevice("sys/devices/pci0000:00/0000:00:01.0/virtio0", "renderD128 226:128"),
			{"dev/dri/card0 : 226:0 660 0 44", "dev/dri/renderD128 : 226:128 666 0 105"}},
			"0 - 0000:00:01.0 virtio_gpu Virtio works=true: dri/card0=usable dri/renderD128=usable\n", ""},
		{"vkms on the faux bus", [][]string{drmDevice("sys/devices/faux/vkms", "card0 226:0"),
			{"sys/bus/faux/drivers/faux_driver/", "sys/devices/faux/vkms/driver -> ../../../bus/faux/drivers/faux_driver", "dev/dri/card0 : 226:0 660 0 44"}},
			"0 - vkms vkms Display works=false: dri/card0=usable\n", "a display only: programs render on the processor"},
		{"simpledrm", [][]string{{"sys/devices/platform/simple-framebuffer.0/uevent = DRIVER=simple-framebuffer"},
			drmDevice("sys/devices/platform/simple-framebuffer.0", "card0 226:0"), {"dev/dri/card0 : 226:0 660 0 44"}},
			"0 - simple-framebuffer.0 simple-framebuffer Display works=false: dri/card0=usable\n", "a display only: programs render on the processor"},
		{"no permission", [][]string{pciGPU("0000:00:02.0", "8086", "3ea0", "xe", "card0 226:0", "renderD128 226:128"),
			{"dev/dri/card0 : 226:0 660 0 44 denied", "dev/dri/renderD128 : 226:128 660 0 105 denied"}},
			"0 pci 0000:00:02.0 xe Intel works=false: dri/card0=no-access dri/renderD128=no-access\n", ""},
		{"swapped nodes", [][]string{pciGPU("0000:00:02.0", "8086", "3ea0", "i915", "card0 226:0", "renderD128 226:128"),
			{"dev/dri/card0 : 8:0 660 0 44", "dev/dri/renderD128 -> card0"}},
			"0 pci 0000:00:02.0 i915 Intel works=false: dri/card0=foreign dri/renderD128=foreign\n", ""},
		{"garbage in sysfs", [][]string{{"sys/class/drm/card0/dev = x:y:z", "sys/class/drm/card0/uevent = DEVNAME=../../etc/shadow", "sys/class/drm/card0/device -> ..",
			"sys/class/drm/cardx/dev = 226:0", "sys/class/drm/version = drm 1.1.0", "dev/dri/card0 : 226:0 660 0 44"}},
			"0 - drm - - works=false: dri/card0=unverified\n", "it has no render node"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := look(t, c.lines...)
			if got := summary(d); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			var notes []string
			if len(d.GPUs) > 0 {
				notes = d.GPUs[0].Notes
			}
			if got := strings.Join(notes, "|"); got != c.notes {
				t.Errorf("notes %q, not %q", got, c.notes)
			}
			one, _ := json.Marshal(d.GPUs)
			two, _ := json.Marshal(look(t, c.lines...).GPUs)
			if string(one) != string(two) {
				t.Errorf("not twice the same:\n%s\n%s", one, two)
			}
		})
	}
}

func TestDetails(t *testing.T) {
	d := look(t, intel, pciGPU("0000:01:00.0", "10de", "1f91", "nvidia"), nvidiaProcOf("0000:01:00.0", "0"), []string{procDevices, "sys/module/i915/version = 1.6",
		"usr/share/misc/pci.ids = # list|1002  AMD|8086  Intel Corporation|\t3ea0  WhiskeyLake-U GT2 [UHD Graphics 620]|\t\t1028 0869  Vostro|10de  NVIDIA|C 03  Display|10de  no vendor"})
	g := d.GPUs[0]
	if g.Name != "Intel Corporation WhiskeyLake-U GT2 [UHD Graphics 620]" || g.Vendor != "8086" || g.Device != "3ea0" || !g.Primary || g.DriverVersion != "1.6" {
		t.Errorf("%+v", g)
	}
	if n := g.Nodes[0]; !slices.Equal(n.Links, []string{"/dev/dri/by-path/pci-0000:00:02.0-card"}) || n.Group != "video" || n.Mode != "0660" || !n.NeedsGroup() {
		t.Errorf("%+v", n)
	}
	n := d.GPUs[1]
	if n.Name != "NVIDIA GeForce GTX 1650" || n.UUID != "GPU-11111111-2222-3333-4444-555555555550" || n.DriverVersion != "535.247.01" {
		t.Errorf("%+v", n)
	}
}

func TestProblems(t *testing.T) {
	d := look(t, pciGPU("0000:00:02.0", "8086", "3ea0", "xe", "card0 226:0", "renderD128 226:128"), []string{"etc/group = root:x:0:|gpu:x:7:",
		"dev/dri/card0 : 226:0 660 0 7 denied", "dev/dri/renderD128 : 1:3 666 0 0"})
	want := []string{"/dev/dri/card0 may not be opened by this user (mode 0660, group gpu): add the user to the group gpu (usermod -aG), and log in again",
		"/dev/dri/renderD128 is device 1:3, not 226:128"}
	if got := d.Problems(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Real nodes: the number is read from the inode, whatever the name, and a link is followed inside the root only.
func TestByDescriptor(t *testing.T) {
	r := machine(t, append(pciGPU("0000:00:02.0", "8086", "3ea0", "i915", "card0 226:0", "card1 226:1", "renderD128 1:3"),
		"dev/dri/card0 = a file", "dev/dri/card1 -> /dev/null")...)
	if err := unix.Mknod(filepath.Join(r.Dir(), "dev/dri/renderD128"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err != nil {
		if os.Geteuid() == 0 && os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skipf("device nodes cannot be made here: %v", err)
	}
	d, err := Discover(r, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "0 pci 0000:00:02.0 i915 Intel works=true: dri/card0=foreign dri/card1=missing dri/renderD128=usable\n"
	if got := summary(d); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// /dev/null of this machine, under another number in a miniature sysfs.
	info, err := byDescriptor(openRoot(t, "/"), "/dev/null")
	if err != nil || !info.Char || info.Major != 1 || info.Minor != 3 || !info.Access {
		t.Errorf("%+v, %v", info, err)
	}
}

func openRoot(t *testing.T, dir string) *rootfs.Root {
	t.Helper()
	r, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestTree(t *testing.T) {
	whole, libraries := machine(t, "sys/class/"), machine(t, "usr/lib/")
	if got := Tree(whole.Dir()); got != whole.Dir() {
		t.Errorf("a whole machine: %s", got)
	}
	if got := Tree(libraries.Dir()); got != "/" {
		t.Errorf("a tree of libraries: %s", got)
	}
}

// FuzzDiscover: whatever sysfs and /proc say, there is an answer, with one state for each node and no control character.
func FuzzDiscover(f *testing.F) {
	f.Add([]byte("226:0"), []byte("DEVNAME=dri/card0"), []byte("Character devices:\n195 nvidia\n"), []byte("Device Minor: 0\nModel: x\n"), []byte("8086  Intel\n"))
	f.Fuzz(func(t *testing.T, dev, uevent, devices, information, ids []byte) {
		r := machine(t, pciGPU("0000:01:00.0", "8086", "1f91", "nvidia", "card0 226:0")...)
		for name, content := range map[string][]byte{"sys/class/drm/card0/dev": dev, "sys/class/drm/card0/uevent": uevent, "proc/devices": devices,
			"proc/driver/nvidia/gpus/0000:01:00.0/information": information, "usr/share/misc/pci.ids": ids} {
			full := filepath.Join(r.Dir(), name)
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d, err := Discover(r, Options{})
		if err != nil || len(d.GPUs) == 0 {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, g := range d.GPUs {
			if g.Name == "" || strings.ContainsFunc(g.Name+g.UUID+g.DriverVersion, func(r rune) bool { return r < ' ' }) {
				t.Fatalf("%q", g.Name)
			}
			for _, n := range g.Nodes {
				if n.State == "" || !strings.HasPrefix(n.Path, "/dev/") {
					t.Fatalf("%+v", n)
				}
			}
		}
	})
}
