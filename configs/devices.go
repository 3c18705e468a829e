package configs

import (
	_ "embed"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed devices.toml
var devices []byte

// DevicesDir has the machine's files for devices, in the form of devices.toml.
const DevicesDir = "/etc/capsule/devices.d"

// Devices is what devices.toml and further files say; see there for what each list is for.
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
	Name string `toml:"name"`
	// As for Family: extend adds to what an earlier file says, remove takes it out, neither replaces it.
	Extend      bool     `toml:"extend"`
	Remove      bool     `toml:"remove"`
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

// UserDevicesDir is where a user's files for devices are, empty if there is no such place.
func UserDevicesDir(getenv func(string) string) string {
	if dir := UserDir(getenv); dir != "" {
		return filepath.Join(filepath.Dir(dir), "devices.d")
	}
	return ""
}

// DefaultDevices returns the embedded rules.
func DefaultDevices() (*Devices, error) { return MergeDevices(nil) }

// MergeDevices reads the embedded rules and then the given files, of which each may change what came before it.
func MergeDevices(more []Source) (*Devices, error) {
	return merge[Devices](append([]Source{{"configs/devices.toml", devices}}, more...))
}

// apply changes d by what a later file says. A kernel driver belongs to the family that named it last.
func (d *Devices) apply(o *Devices, c *checker) error {
	d.Groups, d.Expected = union(d.Groups, o.Groups), union(d.Expected, o.Expected)
	d.Mesa, d.Software = union(d.Mesa, o.Mesa), union(d.Software, o.Software)
	for n, f := range o.Families {
		i := slices.IndexFunc(d.Families, func(x DeviceFamily) bool { return x.Name == f.Name })
		if i < 0 && (f.Extend || f.Remove) {
			return c.wrong(c.lineOf("", 0, "family", n), "there is no family %s of devices to change", f.Name)
		}
		for j := range d.Families {
			d.Families[j].Drivers = slices.DeleteFunc(slices.Clone(d.Families[j].Drivers),
				func(k string) bool { return j != i && slices.Contains(f.Drivers, k) })
		}
		switch {
		case f.Remove:
			d.Families = slices.Delete(d.Families, i, i+1)
		case f.Extend:
			x := &d.Families[i]
			x.Drivers, x.Libraries = union(x.Drivers, f.Drivers), union(x.Libraries, f.Libraries)
			x.DisplayOnly, x.OwnStack = x.DisplayOnly || f.DisplayOnly, x.OwnStack || f.OwnStack
			x.Nodes = replaceNodes(x.Nodes, f.Nodes)
		case i >= 0:
			d.Families[i] = f
		default:
			d.Families = append(d.Families, f)
		}
	}
	d.Shared = replaceNodes(d.Shared, o.Shared)
	return nil
}

// replaceNodes adds nodes; one of the same path takes the place of the earlier.
func replaceNodes(to, from []Nodes) []Nodes {
	to = slices.DeleteFunc(slices.Clone(to), func(n Nodes) bool {
		return slices.ContainsFunc(from, func(x Nodes) bool { return x.Path == n.Path })
	})
	return append(to, from...)
}

func (d *Devices) check(c *checker) error {
	for i, l := range slices.Concat(d.Mesa, d.Software) {
		key := "mesa"
		if i >= len(d.Mesa) {
			key = "software"
		}
		if !fileName(l) {
			return c.wrong(c.key(key), "library %q is not a pattern for a file name", l)
		}
	}
	driver := map[string]string{}
	for i, f := range d.Families {
		at := c.lineOf("", 0, "family", i)
		switch {
		case f.Name == "" || len(f.Drivers) == 0 && !f.Extend && !f.Remove:
			return c.wrong(at, "family %q needs a name and drivers", f.Name)
		case f.Extend && f.Remove:
			return c.wrong(at, "family %s: extend and remove exclude each other", f.Name)
		}
		for _, k := range f.Drivers {
			if other := driver[k]; other != "" {
				return c.wrong(at, "kernel driver %s belongs to %s and to %s", k, other, f.Name)
			}
			driver[k] = f.Name
		}
		for _, l := range f.Libraries {
			if !fileName(l) {
				return c.wrong(at, "family %s: library %q is not a pattern for a file name", f.Name, l)
			}
		}
		for n := range f.Nodes {
			if message := f.Nodes[n].wrong(); message != "" {
				return c.wrong(c.lineOf("family", i, "family.nodes", n), "family %s: %s", f.Name, message)
			}
		}
	}
	for n, x := range d.Shared {
		message := x.wrong()
		if message == "" && x.Of != "" {
			message = fmt.Sprintf("node %s: of is for the nodes of a family", x.Path)
		}
		if message != "" {
			return c.wrong(c.lineOf("", 0, "shared", n), "shared: %s", message)
		}
	}
	return nil
}

// fileName says whether a text is a pattern for names without directory.
func fileName(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err == nil && pattern != "" && !strings.Contains(pattern, "/")
}

// wrong says what is wrong with a rule, empty if nothing is.
func (n *Nodes) wrong() string {
	dir, _ := path.Split(n.Path)
	_, err := path.Match(n.Path, "")
	switch {
	case err != nil || path.Clean(n.Path) != n.Path || !strings.HasPrefix(n.Path, "/dev/") || strings.ContainsAny(dir, `*?[\`):
		return fmt.Sprintf("node %q is not a path below /dev with a pattern in its last component only", n.Path)
	case !slices.Contains([]string{"", OfFamily, OfGPU, OfCapability, OfSelf}, n.Of):
		return fmt.Sprintf("node %s: of = %q is none of family, gpu, capability and self", n.Path, n.Of)
	case (n.Sysfs == "") == (len(n.Majors) == 0):
		return fmt.Sprintf("node %s needs either sysfs or majors, by which the kernel vouches for it", n.Path)
	case n.Sysfs != "" && (!strings.HasPrefix(n.Sysfs, "/sys/") || path.Clean(n.Sysfs) != n.Sysfs):
		return fmt.Sprintf("node %s: %q is not a path below /sys", n.Path, n.Sysfs)
	case n.Minor != nil && (n.Sysfs != "" || n.Pattern()):
		return fmt.Sprintf("node %s: a minor number is for a single node of majors", n.Path)
	case n.Why == "":
		return fmt.Sprintf("node %s needs a reason (why)", n.Path)
	}
	return ""
}
