package configs

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
)

//go:embed devices.toml
var devices []byte

// Devices is the content of devices.toml; see there for what each list is for.
type Devices struct {
	Groups   []string       `toml:"groups"`
	Expected []string       `toml:"expected"`
	Mesa     []string       `toml:"mesa"`
	Software []string       `toml:"software"`
	Families []DeviceFamily `toml:"family"`
	Shared   []Nodes        `toml:"shared"`
}

// DeviceFamily is the kernel drivers, device nodes and user-space drivers that belong together.
type DeviceFamily struct {
	Name        string   `toml:"name"`
	Drivers     []string `toml:"drivers"`
	Libraries   []string `toml:"libraries"`
	DisplayOnly bool     `toml:"display-only"`
	OwnStack    bool     `toml:"own-stack"` // Mesa has no driver for it
	Nodes       []Nodes  `toml:"nodes"`
}

// Whose a node is.
const (
	OfFamily     = "family"     // of all GPUs of the family; the default
	OfGPU        = "gpu"        // of the GPU whose number the name ends with
	OfCapability = "capability" // of a part of a GPU
	OfSelf       = "self"       // of a GPU that nothing else shows
)

// Nodes are device nodes whose path matches a pattern, and how the kernel vouches for them.
type Nodes struct {
	Path     string   `toml:"path"`
	Of       string   `toml:"of"`
	Drivers  []string `toml:"drivers"` // of the family's, where not all have it
	Sysfs    string   `toml:"sysfs"`   // file with MAJOR:MINOR; {name} is the node's last component
	Majors   []string `toml:"majors"`  // names in /proc/devices, the first that is there counts
	Minor    *uint32  `toml:"minor"`
	Why      string   `toml:"why"`
	Hint     string   `toml:"hint"`
	Optional bool     `toml:"optional"` // its absence is not worth a word
}

// Pattern tells whether the path stands for several nodes.
func (n *Nodes) Pattern() bool { return strings.ContainsAny(n.Path, `*?[\`) }

// DefaultDevices returns the embedded rules.
func DefaultDevices() (*Devices, error) { return ParseDevices("configs/devices.toml", devices) }

// ParseDevices reads rules for devices. Errors are as those of Parse.
func ParseDevices(name string, data []byte) (*Devices, error) {
	var d Devices
	if err := decode(name, data, &d); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &d, nil
}

func (d *Devices) check() error {
	for _, l := range append(d.Mesa[:len(d.Mesa):len(d.Mesa)], d.Software...) {
		if _, err := path.Match(l, ""); err != nil || strings.Contains(l, "/") {
			return fmt.Errorf("library %q is not a pattern for a file name", l)
		}
	}
	driver := map[string]string{}
	for _, f := range d.Families {
		if f.Name == "" || len(f.Drivers) == 0 {
			return fmt.Errorf("family %q needs a name and drivers", f.Name)
		}
		for _, k := range f.Drivers {
			if other := driver[k]; other != "" {
				return fmt.Errorf("kernel driver %s belongs to %s and to %s", k, other, f.Name)
			}
			driver[k] = f.Name
		}
		for _, l := range f.Libraries {
			if _, err := path.Match(l, ""); err != nil || strings.Contains(l, "/") {
				return fmt.Errorf("family %s: library %q is not a pattern for a file name", f.Name, l)
			}
		}
		for _, n := range f.Nodes {
			if err := n.check(); err != nil {
				return fmt.Errorf("family %s: %w", f.Name, err)
			}
		}
	}
	for _, n := range d.Shared {
		if err := n.check(); err != nil {
			return fmt.Errorf("shared: %w", err)
		}
		if n.Of != "" {
			return fmt.Errorf("shared: node %s: of is for the nodes of a family", n.Path)
		}
	}
	return nil
}

func (n *Nodes) check() error {
	dir, _ := path.Split(n.Path)
	_, err := path.Match(n.Path, "")
	if err != nil || path.Clean(n.Path) != n.Path || !strings.HasPrefix(n.Path, "/dev/") || strings.ContainsAny(dir, `*?[\`) {
		return fmt.Errorf("node %q is not a path below /dev with a pattern in its last component only", n.Path)
	}
	switch n.Of {
	case "", OfFamily, OfGPU, OfCapability, OfSelf:
	default:
		return fmt.Errorf("node %s: of = %q is none of family, gpu, capability and self", n.Path, n.Of)
	}
	if (n.Sysfs == "") == (len(n.Majors) == 0) {
		return fmt.Errorf("node %s needs either sysfs or majors, by which the kernel vouches for it", n.Path)
	}
	if n.Sysfs != "" && (!strings.HasPrefix(n.Sysfs, "/sys/") || path.Clean(n.Sysfs) != n.Sysfs) {
		return fmt.Errorf("node %s: %q is not a path below /sys", n.Path, n.Sysfs)
	}
	if n.Minor != nil && (n.Sysfs != "" || n.Pattern()) {
		return fmt.Errorf("node %s: a minor number is for a single node of majors", n.Path)
	}
	if n.Why == "" {
		return fmt.Errorf("node %s needs a reason (why)", n.Path)
	}
	return nil
}
