package capsule

import (
	"fmt"
	"path"
	"slices"

	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// HostProgram is a program of a driver, nvidia-smi for example. It runs as any program of the runtime does, on the runtime's
// C library and with the stubs, if it is not too new for that.
type HostProgram struct {
	Name   string
	Path   string // canonical, inside the host's root
	Source string // the same file's outside path
	Reason string
	File   *dynelf.File
}

// Program is a program of the host that the container has.
type Program struct {
	Name   string `json:"name"`
	Path   string `json:"path"`   // in the host's tree
	Inside string `json:"inside"` // in the container
	Reason string `json:"reason"`
}

// planPrograms shows the programs that can run, and says why others cannot.
func (p *planner) planPrograms() {
	for _, h := range p.in.Host.Programs {
		if why := p.cannotRun(h.File); why != "" {
			p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("%s is left out: %s", h.Name, why))
			continue
		}
		inside := path.Join(p.binDir(), h.Name)
		p.plan.Programs = append(p.plan.Programs, Program{Name: h.Name, Path: h.Path, Inside: inside, Reason: h.Reason})
		p.plan.mounts = append(p.plan.mounts, mount.Op{Kind: mount.Bind, Source: h.Source, Target: inside, ReadOnly: true,
			Why: h.Reason})
	}
}

// cannotRun says why the runtime's ld.so would refuse a program; empty if it would not.
func (p *planner) cannotRun(f *dynelf.File) string {
	if f.Interp != "" && f.Interp != p.in.Arch.Loader { // as in NixOS
		return fmt.Sprintf("it wants %s as its loader, not %s", f.Interp, p.in.Arch.Loader)
	}
	for _, name := range f.Needed {
		if p.in.Runtime.Libraries[name] == nil && !slices.ContainsFunc(p.in.Host.Libraries, func(l *HostLibrary) bool {
			return l.Name == name && p.loaded[l] && p.hasStub(l)
		}) {
			return fmt.Sprintf("it needs %s, of which a plan knows nothing", name)
		}
	}
	for _, need := range f.VersionNeeds {
		l := p.in.Runtime.Libraries[need.Library]
		if l == nil {
			continue
		}
		for i, version := range need.Versions {
			if !need.Weak[i] && !slices.ContainsFunc(l.File.VersionDefs, func(d dynelf.VersionDef) bool { return d.Name == version }) {
				return fmt.Sprintf("it needs %s of %s, which is newer than the runtime's", version, need.Library)
			}
		}
	}
	return ""
}

// programDirs are what the plan adds to PATH.
func programDirs(plans []*ArchPlan) []string {
	var out []string
	for _, p := range plans {
		for _, program := range p.Programs {
			if dir := path.Dir(program.Inside); !slices.Contains(out, dir) {
				out = append(out, dir)
			}
		}
	}
	return out
}
