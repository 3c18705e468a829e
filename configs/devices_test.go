package configs

import (
	"strings"
	"testing"
)

func parseDevices(name string, data []byte) (*Devices, error) {
	d, _, err := parse[Devices](Source{name, data})
	return d, err
}

func TestDefaultDevices(t *testing.T) {
	d, err := DefaultDevices()
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, f := range d.Families {
		for _, n := range f.Nodes {
			paths[n.Path] = true
		}
	}
	for _, n := range d.Shared {
		paths[n.Path] = true
	}
	for _, p := range []string{"/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-caps/nvidia-cap[0-9]*",
		"/dev/kfd", "/dev/dxg", "/dev/udmabuf", "/dev/mali[0-9]*"} {
		if !paths[p] {
			t.Errorf("no rule for %s", p)
		}
	}
}

func TestParseDevicesErrors(t *testing.T) {
	family := "[[family]]\nname = \"F\"\ndrivers = [\"d\"]\n"
	node := family + "[[family.nodes]]\nwhy = \"w\"\nsysfs = \"/sys/a\"\n"
	for _, c := range []struct{ text, want string }{
		{"group = []\n", `x.toml:1: unknown key "group"`},
		{family + "[[family.nodes]]\npth = \"/dev/x\"\n", `x.toml:5: unknown key "family.nodes.pth"`},
		{family + "[[family.nodes]]\nminor = \"x\"\n", "x.toml:5: "},
		{"[[family]]\nname = \"F\"\n", "x.toml:1: family \"F\" needs a name and drivers"},
		{family + family, "x.toml:4: kernel driver d belongs to F and to F"},
		{family + "extend = true\nremove = true\n", "x.toml:1: family F: extend and remove exclude each other"},
		{"mesa = [\"a/b\"]\n", "x.toml:1: library \"a/b\""},
		{"mesa = []\n\nsoftware = [\"a/b\"]\n", "x.toml:3: library \"a/b\""},
		{family + "libraries = [\"a/b\"]\n", "not a pattern for a file name"},
		{family + "libraries = [\"[\"]\n", "not a pattern for a file name"},
		{node + "path = \"/etc/x\"\n", "x.toml:4: family F: node \"/etc/x\" is not a path below /dev"},
		{node + "path = \"/dev/../etc/x\"\n", "not a path below /dev"},
		{node + "path = \"/dev/*/x\"\n", "not a path below /dev"},
		{node + "path = \"/dev/[\"\n", "not a path below /dev"},
		{node + "path = \"/dev/x\"\nof = \"me\"\n", `of = "me"`},
		{node + "path = \"/dev/x\"\nmajors = [\"m\"]\n", "either sysfs or majors"},
		{family + "[[family.nodes]]\nwhy = \"w\"\npath = \"/dev/x\"\n", "either sysfs or majors"},
		{family + "[[family.nodes]]\nwhy = \"w\"\npath = \"/dev/x\"\nsysfs = \"/sys/../etc/passwd\"\n", "not a path below /sys"},
		{node + "path = \"/dev/x\"\nminor = 1\n", "single node of majors"},
		{family + "[[family.nodes]]\npath = \"/dev/x\"\nsysfs = \"/sys/a\"\n", "needs a reason"},
		{"[[shared]]\npath = \"/dev/x\"\nsysfs = \"/sys/a\"\nwhy = \"w\"\nof = \"gpu\"\n", "x.toml:1: shared: node /dev/x: of is for the nodes of a family"},
	} {
		d, err := parseDevices("x.toml", []byte(c.text))
		if err == nil || d != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

// A later file replaces a family, adds to one, takes one out, and takes over a kernel driver.
func TestMergeDevices(t *testing.T) {
	parse := func(text string) (*Devices, error) { return MergeDevices([]Source{{"m.toml", []byte(text)}}) }
	family := func(d *Devices, name string) *DeviceFamily {
		for i := range d.Families {
			if d.Families[i].Name == name {
				return &d.Families[i]
			}
		}
		return nil
	}
	base, err := DefaultDevices()
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse("groups = [\"gpu\"]\n[[family]]\nname = \"WSL\"\nremove = true\n[[family]]\nname = \"AMD\"\nextend = true\nlibraries = [\"libmine.so\"]\n" +
		"[[family.nodes]]\npath = \"/dev/kfd\"\nsysfs = \"/sys/x\"\nwhy = \"mine\"\n[[family]]\nname = \"Mine\"\ndrivers = [\"nouveau\"]\n[[family]]\nname = \"Intel\"\ndrivers = [\"i915\"]\n" +
		"[[shared]]\npath = \"/dev/mine\"\nmajors = [\"m\"]\nminor = 0\nwhy = \"w\"\n")
	if err != nil {
		t.Fatal(err)
	}
	amd := family(d, "AMD")
	if family(d, "WSL") != nil || len(amd.Nodes) != 1 || amd.Nodes[0].Why != "mine" || len(amd.Libraries) != len(family(base, "AMD").Libraries)+1 {
		t.Errorf("%+v", amd)
	}
	if len(family(d, "Nouveau").Drivers) != 0 || len(family(d, "Intel").Libraries) != 0 || len(d.Shared) != len(base.Shared)+1 || len(d.Groups) != len(base.Groups)+1 {
		t.Errorf("%+v", d)
	}
	if again, _ := DefaultDevices(); len(family(again, "Nouveau").Drivers) == 0 {
		t.Error("the defaults have changed")
	}
	if _, err := parse("[[family]]\nname = \"Nobody\"\nremove = true\n"); err == nil || err.Error() != "m.toml:1: there is no family Nobody of devices to change" {
		t.Error(err)
	}
}

// FuzzParseDevices: rules or an error, never both or none, and an error that names the file.
func FuzzParseDevices(f *testing.F) {
	f.Add(devices)
	f.Add([]byte("[[family]]\nname = \"a\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseDevices("x.toml", b)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Fatal(err)
		}
	})
}
