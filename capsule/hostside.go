package capsule

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// describeHost enters the host libraries' closures and paths into the manifest and the plan.
func (p *planner) describeHost() {
	m := &p.plan.artefacts.Manifest
	m.RootPath = path.Join(LibDir(p.in.Arch), "libcapsule-root.so")
	m.HostDir = HostDir(p.in.Arch)
	for _, l := range p.in.Host.Libraries {
		if p.shared[l.Name] {
			continue
		}
		index := p.object[l.Path]
		closure := p.closure(l)
		m.Objects[index].Closure = closure
		for _, alias := range append([]string{l.Path}, l.Aliases...) {
			m.Aliases = append(m.Aliases, manifest.Alias{Path: alias, Object: index})
		}
		decision := Library{Soname: l.Name, Side: SideHost, Path: l.Path, Inside: m.Objects[index].Path, Reason: l.Reason}
		for _, i := range closure {
			decision.Needs = append(decision.Needs, m.Objects[i].Soname)
		}
		p.plan.Libraries = append(p.plan.Libraries, decision)
		for _, name := range l.Unresolved {
			p.plan.Warnings = append(p.plan.Warnings,
				fmt.Sprintf("%s needs %s, which the host does not have: it cannot be loaded", l.Name, name))
		}
	}
	sort.SliceStable(m.Aliases, func(a, b int) bool { return m.Aliases[a].Path < m.Aliases[b].Path })
}

// closure returns what must be open before l, dependencies first, l itself not included. The runtime's libraries
// end it: a proxy has no dependencies.
func (p *planner) closure(l *HostLibrary) []uint32 {
	var order []uint32
	seen := map[uint32]bool{}
	var visit func(l *HostLibrary)
	visit = func(l *HostLibrary) {
		index := p.objectOf(l)
		if seen[index] {
			return
		}
		seen[index] = true
		if !p.shared[l.Name] {
			for _, d := range l.Deps {
				visit(p.in.Host.Libraries[d])
			}
		}
		order = append(order, index)
	}
	visit(l)
	return order[:len(order)-1]
}

// planData maps what drivers name by absolute paths to what is mounted of the host.
func (p *planner) planData() {
	m := &p.plan.artefacts.Manifest
	p.plan.PathMap = []PathMap{}
	for _, d := range p.in.Host.Data {
		to := path.Join(ShareDir, d.Path)
		p.plan.PathMap = append(p.plan.PathMap, PathMap{From: d.Path, To: to, Why: d.Reason})
		m.Maps = append(m.Maps, manifest.PathMap{From: d.Path, To: to})
	}
}

// planMounts lists what the launcher or the hook makes visible besides the runtime itself. Sources of generated
// files are relative: they are filled in when the artefacts have a place (Plan.MountsFrom).
func (p *planner) planMounts() {
	add := func(op mount.Op) { p.plan.Mounts = append(p.plan.Mounts, op) }
	add(mount.Op{Kind: mount.Bind, Source: "lib", Target: LibDir(p.in.Arch), ReadOnly: true, Why: "stubs and libcapsule"})
	add(mount.Op{Kind: mount.Bind, Source: "proxy", Target: ProxyDir(p.in.Arch), ReadOnly: true, Why: "proxies"})
	for _, l := range p.in.Host.Libraries {
		if !p.shared[l.Name] {
			add(mount.Op{Kind: mount.Bind, Source: l.Source, Target: path.Join(HostDir(p.in.Arch), l.Path), ReadOnly: true, Why: l.Reason})
		}
	}
	seen := map[string]bool{}
	for _, d := range p.in.Host.Data {
		for _, f := range d.Files {
			if !seen[f.Path] {
				seen[f.Path] = true
				add(mount.Op{Kind: mount.Bind, Source: f.Source, Target: path.Join(ShareDir, f.Path), ReadOnly: true, Why: d.Reason})
			}
		}
	}
}

// MountsFrom returns the plan's mounts with the generated files taken from dir.
func (p *Plan) MountsFrom(dir string) []mount.Op {
	ops := append([]mount.Op(nil), p.Mounts...)
	for i := range ops {
		if ops[i].Kind == mount.Bind && !strings.HasPrefix(ops[i].Source, "/") {
			ops[i].Source = path.Join(dir, ops[i].Source)
		}
	}
	return ops
}
