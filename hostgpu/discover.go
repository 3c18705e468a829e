package hostgpu

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// Tree returns the directory whose /dev, /sys and /proc are meant by a host's root: the root itself if it has a sysfs of
// its own, as a whole machine has, or one that was copied. A tree of libraries has none; the devices are then this
// machine's, for it is on them that its drivers will run.
func Tree(host string) string {
	root, err := rootfs.Open(host)
	if err != nil {
		return "/"
	}
	defer root.Close()
	if names, err := root.ReadDir("/sys"); err != nil || len(names) == 0 {
		return "/"
	}
	return root.Dir()
}

// Discover finds the GPUs below a root. A machine without any is no error: Devices.GPUs is empty.
func Discover(root *rootfs.Root, o Options) (*Devices, error) {
	d := &discovery{tree: tree{root}, rules: o.Rules, examine: o.Examine, nodes: map[string]*Node{}}
	if d.examine == nil {
		d.examine = byDescriptor
	}
	if d.rules == nil {
		var err error
		if d.rules, err = configs.DefaultDevices(); err != nil {
			return nil, err
		}
	}
	d.major, d.groups = d.majors(), d.groupNames()
	d.drm()         // what the kernel has a DRM device for
	d.pci()         // display controllers without one
	d.nvidiaGPUs()  // what NVIDIA's driver knows, in a container without sysfs for example
	d.ownNodes()    // GPUs that a node alone shows
	d.order()       // from here on no GPU is added
	d.families()    // nodes of a family's GPUs
	d.nvidiaParts() // partitions
	d.names()       // for people
	for _, g := range d.gpus {
		g.Usable = slices.ContainsFunc(g.Nodes, func(n *Node) bool { return n.State == Usable && n.own })
		d.notes(g)
	}
	out := &Devices{Root: root.Dir(), GPUs: d.gpus, Shared: []*Node{}}
	for i := range d.rules.Shared {
		out.Shared = append(out.Shared, d.rule(&d.rules.Shared[i])...)
	}
	if out.GPUs == nil {
		out.GPUs = []*GPU{}
	}
	return out, nil
}

// discovery is the state of one Discover.
type discovery struct {
	tree
	rules   *configs.Devices
	examine Examine
	major   map[string]uint32 // of the character devices that the kernel has drivers for
	groups  map[uint32]string
	nodes   map[string]*Node // by path: a node that several GPUs share is looked at once
	gpus    []*GPU
}

// family finds the rules for a kernel driver, nil for an unknown one.
func (d *discovery) family(driver string) *configs.DeviceFamily {
	for i, f := range d.rules.Families {
		if slices.Contains(f.Drivers, driver) {
			return &d.rules.Families[i]
		}
	}
	return nil
}

// gpu returns the GPU of a device in sysfs, and adds it if it is new.
func (d *discovery) gpu(sysfs string) *GPU {
	for _, g := range d.gpus {
		if g.sysfs == sysfs {
			return g
		}
	}
	g := &GPU{sysfs: sysfs, Nodes: []*Node{}, Bus: d.linked(sysfs + "/subsystem"), Address: path.Base(sysfs)}
	g.Driver = cmp.Or(d.linked(sysfs+"/driver"), d.uevent(sysfs)["DRIVER"])
	if g.Driver == "faux_driver" { // the bus of devices without hardware, Linux 6.14
		g.Driver = path.Base(sysfs)
	}
	// A virtio GPU, or a platform device of a PCI bridge, is below its PCI device.
	for at := sysfs; at != "/" && at != "."; at = path.Dir(at) {
		if !pciAddress().MatchString(path.Base(at)) {
			continue
		}
		g.Address, g.Vendor, g.Device = path.Base(at), d.hex(at+"/vendor"), d.hex(at+"/device")
		g.Primary = d.text(at+"/boot_vga") == "1"
		break
	}
	if g.Driver != "" {
		g.DriverVersion, _, _ = strings.Cut(d.text("/sys/module/"+path.Base(g.Driver)+"/version"), "\n")
	}
	if f := d.family(g.Driver); f != nil {
		g.Family, g.DisplayOnly = f.Name, f.DisplayOnly
	}
	d.gpus = append(d.gpus, g)
	return g
}

// ownNodes adds the GPUs that have no DRM device, but a node of their driver's own.
func (d *discovery) ownNodes() {
	for _, f := range d.rules.Families {
		for i := range f.Nodes {
			if f.Nodes[i].Of != configs.OfSelf {
				continue
			}
			for _, n := range d.rule(&f.Nodes[i]) {
				if n.State == Missing && f.Nodes[i].Pattern() {
					continue
				}
				class := path.Dir(sysfsOf(&f.Nodes[i], n.Path))
				at, err := d.Resolve(class + "/device")
				if err != nil {
					if at, err = d.Resolve(class); err != nil {
						at = n.Path // nothing in sysfs vouches for it, which the node says
					}
				}
				g := d.gpu(at)
				g.Family, g.Driver = f.Name, cmp.Or(g.Driver, f.Drivers[0])
				n.own = true
				g.Nodes = append(g.Nodes, n)
			}
		}
	}
}

// order sorts the GPUs: PCI by address, then the others by theirs.
func (d *discovery) order() {
	pci := func(g *GPU) int {
		if pciAddress().MatchString(g.Address) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(d.gpus, func(a, b *GPU) int {
		return cmp.Or(pci(a)-pci(b), strings.Compare(a.Address, b.Address), strings.Compare(a.sysfs, b.sysfs))
	})
	for i, g := range d.gpus {
		g.Index = i
	}
}

// families gives each GPU the nodes of its family.
func (d *discovery) families() {
	for _, g := range d.gpus {
		f := d.family(g.Driver)
		if f == nil {
			continue
		}
		for i := range f.Nodes {
			r := &f.Nodes[i]
			if len(r.Drivers) > 0 && !slices.Contains(r.Drivers, g.Driver) {
				continue
			}
			switch r.Of {
			case "", configs.OfFamily:
				g.Nodes = append(g.Nodes, d.rule(r)...)
			case configs.OfGPU:
				if g.number != "" {
					p := r.Path[:strings.IndexAny(r.Path+"*", `*?[\`)] + g.number
					n := d.ruleNode(r, p)
					n.own = true
					g.Nodes = append(g.Nodes, n)
				}
			}
		}
	}
}

// groupNames reads the host's /etc/group, by which a hint names the group of a node.
func (d *discovery) groupNames() map[uint32]string {
	out := map[uint32]string{}
	for l := range strings.Lines(d.text("/etc/group")) {
		f := strings.Split(strings.TrimSpace(l), ":")
		if len(f) < 3 {
			continue
		}
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil && out[uint32(gid)] == "" {
			out[uint32(gid)] = f[0]
		}
	}
	return out
}

// notes says what a GPU as a whole lacks.
func (d *discovery) notes(g *GPU) {
	note := func(text string) { g.Notes = append(g.Notes, text) }
	render := slices.ContainsFunc(g.Nodes, func(n *Node) bool { return n.Why == whyRender })
	display := slices.ContainsFunc(g.Nodes, func(n *Node) bool { return n.Why == whyDisplay })
	switch {
	case g.Driver == "" && g.Bus != "":
		note("no kernel driver is bound to it")
	case g.Driver == "vfio-pci" || g.Driver == "pci-stub":
		note("kept for a virtual machine by " + g.Driver)
	case g.DisplayOnly:
		note("a display only: programs render on the processor")
	case display && !render:
		who := "it"
		if g.Driver != "" {
			who = "its driver " + g.Driver
		}
		note(who + " has no render node")
	case g.Family == familyNVIDIA && !display:
		note("nvidia-drm is not loaded: no GBM, no Wayland, no EGL without X11 (modprobe nvidia-drm modeset=1)")
	}
	if g.Family == familyNVIDIA && g.number == "" {
		note("/proc/driver/nvidia does not tell which /dev/nvidiaN it is")
	}
}
