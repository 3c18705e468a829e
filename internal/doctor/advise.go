package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// findPlan tells what inspection and plan warn of.
func (d *doctor) findPlan() {
	for _, a := range d.lacking {
		hint := "install the host's drivers for it"
		if a == "i386" {
			hint = "install the 32-bit drivers" + packages(osRelease(d.Host))
		}
		d.found(report.Note, "", "the host has no graphics stack for "+a+", which the runtime has programs for: these have no GPU", hint)
	}
	s := d.report.Stack
	if s == nil {
		return
	}
	var known []string // which findDevices has told, or findLaunch
	if s.Devices != nil {
		known = s.Devices.Problems()
		for _, g := range s.Devices.GPUs {
			for _, n := range g.Notes {
				known = append(known, fmt.Sprintf("GPU %d: %s", g.Index, n))
			}
		}
	}
	for _, p := range s.Problems {
		if slices.Contains(known, p) || strings.HasSuffix(p, "aborts with its name when called") || // which is told below
			d.broken != nil && strings.Contains(p, d.broken.Error()) {
			continue
		}
		d.found(d.weigh(), "", p, problemHint(p))
	}
	if d.report.Plan == nil {
		return
	}
	for _, a := range d.report.Plan.Architectures {
		missing := a.Symbols.Missing
		if len(missing) == 0 {
			continue
		}
		var names []string
		for _, m := range missing[:min(3, len(missing))] {
			names = append(names, m.Symbol+" of "+m.Library)
		}
		if more := len(missing) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		d.found(d.weigh(), "", fmt.Sprintf("%s: the runtime is too old for %s: a program ends when the driver calls one", a.Arch, strings.Join(names, ", ")),
			"most drivers never do; capsule-run plan lists who may, and a newer runtime has them")
	}
}

// problemHint is what to do about a line of `inspect`.
func problemHint(p string) string {
	switch {
	case strings.HasSuffix(p, "is not on the host"):
		return "install the package that has it; the driver that needs it cannot be loaded"
	case strings.Contains(p, "the host has no ") && strings.Contains(p, " driver for the kernel's "):
		return "install the host's package with that driver (capsule-run inspect lists what each GPU has)"
	case strings.HasSuffix(p, ": left out"):
		return "install the package that the file belongs to again, or what it needs; a file that no package has may be removed"
	case strings.Contains(p, "exports data"):
		return "few programs do; --boundary API=driver leaves the runtime its own library, where it has one"
	}
	return "capsule-run inspect and capsule-run plan tell more"
}

// weigh is what something is worth that may matter: a warning where something does not work of which the cause is not known.
func (d *doctor) weigh() report.Severity {
	if d.broken != nil {
		return report.Warning
	}
	for _, s := range d.report.Scenes {
		if (s.Verdict == report.CapsuleFails || s.Verdict == report.Differs) && d.launches[s.Arch] == nil {
			return report.Warning
		}
	}
	return report.Note
}

// findSession tells what could not be tried for want of a session.
func (d *doctor) findSession() {
	for _, s := range []struct{ session, variable string }{{"X11", "DISPLAY"}, {"Wayland", "WAYLAND_DISPLAY"}} {
		without := func(x report.Scene) bool { return d.report.NoSession(&x) == s.session }
		if slices.ContainsFunc(d.report.Scenes, without) {
			d.found(report.Note, "", s.session+" was not tried: "+s.variable+" is not set", "run it in a session of "+s.session+" to have that tried")
		}
	}
}

// findUnreached tells of sessions that are there by name alone, by the step in which scenes found that out.
func (d *doctor) findUnreached(scenes map[string][]*report.Scene) {
	for _, step := range slices.Sorted(maps.Keys(scenes)) {
		var names []string
		for _, s := range scenes[step] {
			if !slices.Contains(names, s.Name) { // another architecture's has the same
				names = append(names, s.Name)
			}
		}
		d.found(report.Warning, "", fmt.Sprintf("the session cannot be reached: %s (%s)", scenes[step][0].Native.Error, strings.Join(names, ", ")),
			connecting[step])
	}
}

// connecting are the steps in which a scene connects to the session, each with what to do where it cannot.
var connecting = map[string]string{
	"XOpenDisplay":       "start capsule-run in the session, as the user whose it is; DISPLAY names its X server, XAUTHORITY the file that lets programs in",
	"wl_display_connect": "start capsule-run in the session, as the user whose it is; WAYLAND_DISPLAY names the compositor's socket in XDG_RUNTIME_DIR",
}

// giveDevices is how a container is given the GPU, by the engine's name in container.
var giveDevices = map[string]string{
	"podman":  "start the container with the GPU's devices, --device /dev/dri for example (docs/podman.md)",
	"docker":  "start the container with the GPU's devices, --device /dev/dri for example (docs/podman.md)",
	"flatpak": "give the Flatpak the GPU: flatpak run --device=dri, or for good flatpak override --user --device=dri",
	"snap":    "give the snap the GPU: snap connect with its name and :opengl",
}

// packages names what has 32-bit drivers in the distributions that we know, by os-release(5); empty for another.
func packages(release map[string]string) string {
	for _, id := range append([]string{release["ID"]}, strings.Fields(release["ID_LIKE"])...) {
		switch id {
		case "debian", "ubuntu":
			return ": dpkg --add-architecture i386, then apt update, apt install libgl1-mesa-dri:i386 libgl1:i386 libegl1:i386 mesa-vulkan-drivers:i386"
		case "fedora":
			return ": dnf install mesa-dri-drivers.i686 mesa-libGL.i686 mesa-vulkan-drivers.i686"
		case "arch":
			return ": enable multilib in /etc/pacman.conf, then pacman -S lib32-mesa and the lib32-vulkan driver for the GPU"
		case "opensuse", "suse":
			return ": zypper install Mesa-32bit Mesa-dri-32bit"
		}
	}
	return ""
}
