package hostlibs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// reportDenied tells of what this user may not read. Discovery goes on without it, as the host's own loaders would.
func (d *discovery) reportDenied() {
	for _, p := range d.unreadable() {
		d.problems = append(d.problems, p+": permission denied: left out")
	}
}

// unreadable are the files and directories that were looked for and may not be read, once each, without those below
// another one of them.
func (d *discovery) unreadable() []string {
	for _, p := range d.searcher.Denied() {
		d.denied[p] = true
	}
	var out []string
	for p := range d.denied {
		above := false
		for dir := p; dir != "/" && !above; {
			dir = path.Dir(dir)
			above = d.denied[dir]
		}
		if !above {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// deniedOf returns the file of a name that may not be read; empty if there is none.
func (d *discovery) deniedOf(name string) string {
	names := []string{name}
	if !path.IsAbs(name) {
		names = nil
		for _, dir := range d.libDirs {
			names = append(names, path.Join(dir, name))
		}
	}
	for _, n := range names {
		f, err := d.root.OpenFile(n)
		if err == nil {
			f.Close()
		}
		if p := rootfs.Denied(err); p != "" {
			return p
		}
	}
	return ""
}

// noStack says that there is nothing, and what could not be looked into.
func (d *discovery) noStack() error {
	err := fmt.Errorf("host %s: %w for %s", d.root.Dir(), ErrNoStack, d.arch.Name)
	if denied := d.unreadable(); len(denied) > 0 {
		return fault.WithHint(fmt.Errorf("%w; of what was looked for, %s may not be read", err, strings.Join(denied[:min(len(denied), 3)], ", ")),
			"let this user read it, or give --host another root")
	}
	if n := len(d.leftOut); n > 0 {
		return fault.WithHint(fmt.Errorf("%w; %s", err, strings.Join(d.leftOut[:min(n, 3)], "; ")),
			"install the packages that these files belong to again, or give --host another root")
	}
	packages := "libgl1 libegl1 libgl1-mesa-dri mesa-vulkan-drivers"
	if d.arch == arch.I386 {
		packages = "libgl1:i386 libegl1:i386 libgl1-mesa-dri:i386 mesa-vulkan-drivers:i386, after dpkg --add-architecture i386"
	}
	return fault.WithHint(err, "install the host's graphics drivers (Debian: "+packages+"), or give --host")
}
