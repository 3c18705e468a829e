package configs

import (
	"strings"
	"testing"
)

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
		{"[[family]]\nname = \"F\"\n", "needs a name and drivers"},
		{family + family, "kernel driver d belongs to F and to F"},
		{family + "libraries = [\"a/b\"]\n", "not a pattern for a file name"},
		{family + "libraries = [\"[\"]\n", "not a pattern for a file name"},
		{node + "path = \"/etc/x\"\n", "not a path below /dev"},
		{node + "path = \"/dev/../etc/x\"\n", "not a path below /dev"},
		{node + "path = \"/dev/*/x\"\n", "not a path below /dev"},
		{node + "path = \"/dev/[\"\n", "not a path below /dev"},
		{node + "path = \"/dev/x\"\nof = \"me\"\n", `of = "me"`},
		{node + "path = \"/dev/x\"\nmajors = [\"m\"]\n", "either sysfs or majors"},
		{family + "[[family.nodes]]\nwhy = \"w\"\npath = \"/dev/x\"\n", "either sysfs or majors"},
		{family + "[[family.nodes]]\nwhy = \"w\"\npath = \"/dev/x\"\nsysfs = \"/sys/../etc/passwd\"\n", "not a path below /sys"},
		{node + "path = \"/dev/x\"\nminor = 1\n", "single node of majors"},
		{family + "[[family.nodes]]\npath = \"/dev/x\"\nsysfs = \"/sys/a\"\n", "needs a reason"},
		{"[[shared]]\npath = \"/dev/x\"\nsysfs = \"/sys/a\"\nwhy = \"w\"\nof = \"gpu\"\n", "of is for the nodes of a family"},
	} {
		d, err := ParseDevices("x.toml", []byte(c.text))
		if err == nil || d != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

// FuzzParseDevices: rules or an error, never both or none, and an error that names the file.
func FuzzParseDevices(f *testing.F) {
	f.Add(devices)
	f.Add([]byte("[[family]]\nname = \"a\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDevices("x.toml", b)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Fatal(err)
		}
	})
}
