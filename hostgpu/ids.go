package hostgpu

import (
	"cmp"
	"strings"
)

// pciIDs are where distributions keep the PCI ID Repository's list (Debian's pci.ids, hwdata elsewhere).
var pciIDs = []string{"/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids", "/usr/share/pci.ids"}

// maxIDs is five times what the list has today, in bytes.
const maxIDs = 8 << 20

// names gives each GPU that has none a name for people.
func (d *discovery) names() {
	want := map[string]map[string]string{}
	for _, g := range d.gpus {
		if g.Vendor != "" && g.Name == "" {
			if want[g.Vendor] == nil {
				want[g.Vendor] = map[string]string{}
			}
			want[g.Vendor][g.Device] = ""
		}
	}
	vendors := map[string]string{}
	for _, p := range pciIDs {
		if len(want) == 0 {
			break
		}
		if b, err := d.ReadFile(p, maxIDs); err == nil {
			vendors = lookup(string(b), want)
			break
		}
	}
	for _, g := range d.gpus {
		switch {
		case g.Name != "":
		case vendors[g.Vendor] != "":
			g.Name = vendors[g.Vendor] + " " + cmp.Or(want[g.Vendor][g.Device], "device "+g.Device)
		case g.Vendor != "":
			g.Name = cmp.Or(g.Family, "PCI device") + " " + g.Vendor + ":" + g.Device
		case g.Family != "":
			g.Name = g.Family
		default:
			g.Name = cmp.Or(g.Driver, g.Address)
		}
	}
}

// lookup reads the list once: a line "10de  NVIDIA Corporation" begins a vendor, "\t1c82  GP107" is a device of it. It
// returns the vendors' names and enters the devices' in want.
func lookup(text string, want map[string]map[string]string) map[string]string {
	vendors := map[string]string{}
	var devices map[string]string
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\r\n")
		switch {
		case l == "" || l[0] == '#' || strings.HasPrefix(l, "\t\t"):
		case l[0] == '\t':
			if id, name, ok := strings.Cut(l[1:], "  "); ok && devices != nil {
				if _, asked := devices[id]; asked && devices[id] == "" {
					devices[id] = short(name)
				}
			}
		default:
			id, name, _ := strings.Cut(l, "  ")
			if devices = want[id]; devices != nil {
				vendors[id] = short(name)
			}
			if strings.HasPrefix(l, "C ") { // classes follow, which look like vendors
				return vendors
			}
		}
	}
	return vendors
}

// short is a name of a length that fits a table.
func short(name string) string {
	r := []rune(clean(name))
	return string(r[:min(len(r), 80)])
}
