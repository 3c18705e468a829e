// Package hostgpu finds the GPUs of a machine and the device nodes that lead to them, below any root: by the kernel's DRM
// and PCI devices in sysfs, by NVIDIA's driver in /proc, and by nodes that configs/devices.toml names.
//
// It exists because the libraries of a GPU stack say what could be used, and only the devices what there is: the plan,
// `inspect` and the CDI specification name them, and say which are missing or may not be opened. A node is taken only
// if its type and number are what the kernel says: never by its name. The package opens no device, loads no module and
// makes no node.
package hostgpu

import "github.com/capsule-run/capsule-run/configs"

// Devices is what a machine has, in an order that depends on the machine alone.
type Devices struct {
	// Root is the directory below which /dev, /sys and /proc were looked at.
	Root string `json:"root"`
	// GPUs are sorted by address, those on the PCI bus first.
	GPUs []*GPU `json:"gpus"`
	// Shared are nodes that belong to no GPU in particular.
	Shared []*Node `json:"shared"`
}

// GPU is a graphics processor, or a display controller that the kernel has a DRM device for.
type GPU struct {
	Index int `json:"index"` // its place in Devices.GPUs
	// Bus is the kernel's subsystem ("pci", "platform", "virtio"); empty for one that only a node shows.
	Bus string `json:"bus"`
	// Address is "0000:01:00.0" on the PCI bus (a virtio GPU has that of its PCI device), else the device's name in sysfs.
	Address string `json:"address"`
	// Vendor and Device are PCI's numbers, four hexadecimal digits each; empty elsewhere.
	Vendor string `json:"vendor"`
	Device string `json:"device"`
	Name   string `json:"name"` // for people: by pci.ids, by the driver, or of the family
	// Driver is the kernel's, DriverVersion what its module says; most drivers have no version but the kernel's.
	Driver        string `json:"driver"`
	DriverVersion string `json:"driver_version,omitempty"`
	Family        string `json:"family"` // in configs/devices.toml; empty for an unknown driver
	UUID          string `json:"uuid,omitempty"`
	Primary       bool   `json:"primary"` // the firmware showed its messages on it (boot_vga)
	// Usable says that this user's programs can render with it: a node of its own is usable.
	Usable      bool         `json:"usable"`
	DisplayOnly bool         `json:"display_only"`
	Nodes       []*Node      `json:"nodes"`
	Partitions  []*Partition `json:"partitions,omitempty"`
	// Notes say what does not work, and why.
	Notes []string `json:"notes,omitempty"`

	sysfs  string // canonical path of its device in sysfs
	number string // NVIDIA's device minor
}

// Partition is a part of a GPU that can be given alone: NVIDIA's multi-instance GPU (MIG).
type Partition struct {
	GPUInstance     int     `json:"gpu_instance"`
	ComputeInstance int     `json:"compute_instance"`
	Nodes           []*Node `json:"nodes"` // besides those of the GPU
}

// State says whether a node can be used.
type State string

const (
	Usable     State = "usable"
	NoAccess   State = "no-access"  // it is the device, but this user may not open it
	Missing    State = "missing"    // the kernel has the device, /dev has not
	Foreign    State = "foreign"    // something else has its name
	Unverified State = "unverified" // the kernel does not say which number it should have
)

// Node is a device node that should be there.
type Node struct {
	Path    string   `json:"path"` // inside the root, as the kernel or the rule names it
	Links   []string `json:"links,omitempty"`
	Why     string   `json:"why"`
	State   State    `json:"state"`
	Problem string   `json:"problem,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Major   uint32   `json:"major"`
	Minor   uint32   `json:"minor"`
	Mode    string   `json:"mode,omitempty"` // permission bits, octal
	UID     uint32   `json:"uid"`
	GID     uint32   `json:"gid"`
	// Group is what the host calls GID, empty if it has no name for it.
	Group string `json:"group,omitempty"`

	// Source is the node's path outside of the root.
	Source string `json:"-"`
	bits   uint32
	own    bool // leads to one GPU, by which programs render
}

// Real tells whether the node is what its name says, be it usable by this user or not.
func (n *Node) Real() bool { return n.State == Usable || n.State == NoAccess }

// Own tells whether the node leads to one GPU, and not to all of a family.
func (n *Node) Own() bool { return n.own }

// NeedsGroup tells whether who is neither root nor the owner can open the node by its group alone.
func (n *Node) NeedsGroup() bool { return n.GID != 0 && n.bits&0o060 == 0o060 && n.bits&0o006 != 0o006 }

// Problems says, one line each, which nodes cannot be used and what to do.
func (d *Devices) Problems() []string {
	var out []string
	seen := map[*Node]bool{}
	add := func(nodes []*Node) {
		for _, n := range nodes {
			if n.State == Usable || seen[n] {
				continue
			}
			seen[n] = true
			line := n.Path + " " + n.Problem
			if n.Hint != "" {
				line += ": " + n.Hint
			}
			out = append(out, line)
		}
	}
	for _, g := range d.GPUs {
		add(g.Nodes)
		for _, p := range g.Partitions {
			add(p.Nodes)
		}
	}
	add(d.Shared)
	return out
}

// Options of Discover.
type Options struct {
	// Rules say which nodes belong to what; nil means configs.DefaultDevices.
	Rules *configs.Devices
	// Examine looks at a node; nil means by its descriptor. Tests have trees in which a file stands for a node.
	Examine Examine
}
