package hostgpu

import (
	"path"
	"strings"

	"github.com/capsule-run/capsule-run/internal/pattern"
)

// What the kernel's DRM nodes are for (Linux, Documentation/gpu/drm-uapi.rst: "Render nodes").
const (
	whyDisplay = "display and rendering (DRM)"
	whyRender  = "rendering and compute (DRM)"
)

var drmName = pattern.Lazy(`^(card|renderD)[0-9]{1,7}$`)

// drm finds the GPUs that have DRM devices. A node's number is what its "dev" says, its name what its uevent says.
func (d *discovery) drm() {
	links := d.byPath()
	for _, name := range d.list("/sys/class/drm") {
		if !drmName().MatchString(name) {
			continue // card0-HDMI-A-1 is a connector, version a file
		}
		dir := "/sys/class/drm/" + name
		device, err := d.Resolve(dir + "/device")
		if err != nil {
			if device, err = d.Resolve(dir); err != nil { // a device without a parent
				continue
			}
		}
		w := wanted{path: "/dev/dri/" + name, why: whyDisplay, hint: "udev makes it; in a container or chroot the host's /dev/dri must be mounted"}
		if strings.HasPrefix(name, "renderD") {
			w.why = whyRender
		}
		if at := "/dev/" + d.uevent(dir)["DEVNAME"]; path.Clean(at) == at && at != "/dev" && !strings.HasPrefix(path.Base(at), ".") {
			w.path = at
		}
		w.major, w.minor, w.known = number(d.text(dir + "/dev"))
		n := d.node(w)
		if at, err := d.Resolve(w.path); err == nil {
			n.Links = links[at]
		}
		g := d.gpu(device)
		n.own = w.why == whyRender
		g.Nodes = append(g.Nodes, n)
	}
}

// byPath lists the links in /dev/dri/by-path by what they lead to.
func (d *discovery) byPath() map[string][]string {
	const dir = "/dev/dri/by-path/"
	out := map[string][]string{}
	for _, name := range d.list(dir) {
		if at, err := d.Resolve(dir + name); err == nil {
			out[at] = append(out[at], dir+name)
		}
	}
	return out
}

// pci finds display controllers (class 03, PCI Code and ID Assignment Specification) that have no DRM device: NVIDIA's
// without nvidia-drm, one that no driver is bound to, or one that is kept for a virtual machine.
func (d *discovery) pci() {
	for _, address := range d.list("/sys/bus/pci/devices") {
		dir, err := d.Resolve("/sys/bus/pci/devices/" + address)
		if err != nil || !pciAddress().MatchString(address) || !strings.HasPrefix(d.text(dir+"/class"), "0x03") {
			continue
		}
		known := false
		for _, g := range d.gpus {
			known = known || g.sysfs == dir || strings.HasPrefix(g.sysfs, dir+"/")
		}
		if !known {
			d.gpu(dir)
		}
	}
}
