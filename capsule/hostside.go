package capsule

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// describeHost enters the host libraries' closures and paths into the manifest and the plan.
func (p *planner) describeHost() {
	m := &p.plan.artefacts.Manifest
	m.RootPath = path.Join(p.libDir(), "libcapsule-root.so")
	m.HostDir = p.hostDir()
	for _, l := range p.in.Host.Libraries {
		if !p.loaded[l] {
			continue
		}
		index := p.object[l.Path]
		closure := p.closure(l)
		m.Objects[index].Closure = closure
		for _, alias := range append([]string{l.Path}, l.Aliases...) {
			m.Aliases = append(m.Aliases, manifest.Alias{Path: alias, Object: index})
		}
		decision := Library{Soname: l.Name, Side: SideHost, Path: l.Path, Inside: m.Objects[index].Path, Reason: p.hostReason(l),
			Found: l.Found}
		for _, o := range l.Opens {
			decision.Opens = append(decision.Opens, p.in.Host.Libraries[o].Name)
		}
		for _, i := range closure {
			decision.Needs = append(decision.Needs, m.Objects[i].Soname)
		}
		p.plan.Libraries = append(p.plan.Libraries, decision)
		p.warnOfNames(l)
		p.warnOfABI(l)
		for _, name := range l.Unresolved {
			p.plan.Warnings = append(p.plan.Warnings,
				fmt.Sprintf("%s needs %s, which the host does not have: it cannot be loaded", l.Name, name))
		}
	}
	sort.SliceStable(m.Aliases, func(a, b int) bool { return m.Aliases[a].Path < m.Aliases[b].Path })
}

// warnOfNames: ld.so matches a DT_NEEDED with what is loaded by DT_SONAME. A library that another one needs under a
// third name would be searched among the runtime's.
func (p *planner) warnOfNames(l *HostLibrary) {
	known := map[string]bool{}
	for _, d := range l.Deps {
		known[p.in.Host.Libraries[d].Name] = true
		for _, u := range p.in.Host.Libraries[d].Uses {
			for _, name := range u.Names { // there is an alias of that name
				known[name] = p.stubbed(p.in.Host.Libraries[d], u)
			}
		}
	}
	for _, name := range l.Unresolved {
		known[name] = true // has a warning of its own
	}
	for _, name := range l.File.Needed {
		if !known[name] {
			p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf(
				"%s needs %s, a library whose DT_SONAME is another: it may be taken from the runtime", l.Name, name))
		}
	}
}

// closure returns what must be open before l, dependencies first, l itself not included. A proxy is opened after
// those that it needs.
func (p *planner) closure(l *HostLibrary) []uint32 {
	w := &closureWalk{p: p, seen: map[uint32]bool{}}
	w.host(l)
	return w.order[:len(w.order)-1]
}

// proxyClosure is the same for a proxy.
func (p *planner) proxyClosure(soname string) []uint32 {
	w := &closureWalk{p: p, seen: map[uint32]bool{}}
	w.proxy(soname)
	return w.order[:len(w.order)-1]
}

// closureWalk visits in post-order; a cycle is broken where it was entered.
type closureWalk struct {
	p     *planner
	seen  map[uint32]bool
	order []uint32
}

func (w *closureWalk) host(l *HostLibrary) {
	if w.p.shared[l.Name] {
		w.proxy(l.Name)
		return
	}
	index := w.p.object[l.Path]
	if w.seen[index] {
		return
	}
	w.seen[index] = true
	for _, d := range l.Deps {
		w.host(w.p.in.Host.Libraries[d])
	}
	w.order = append(w.order, index)
}

func (w *closureWalk) proxy(soname string) {
	index := w.p.object[soname]
	if w.seen[index] {
		return
	}
	w.seen[index] = true
	for _, name := range w.p.proxyNeeds(soname) {
		w.proxy(name)
	}
	w.order = append(w.order, index)
}

// proxyNeeds are the shared libraries among those that the real library needs: dlsym on libpthread.so.0, which is
// empty since glibc 2.34, finds pthread_create in libc.so.6.
func (p *planner) proxyNeeds(soname string) []string {
	var needed []string
	if l := p.in.Runtime.Libraries[soname]; l != nil {
		needed = l.File.Needed
	} else if l := p.hostByName[soname]; l != nil {
		needed = l.File.Needed
	}
	var shared []string
	for _, name := range needed {
		if p.shared[name] && name != soname {
			shared = append(shared, name)
		}
	}
	return shared
}

// planMounts lists what the launcher or the hook makes visible besides the runtime itself. Sources of generated
// files are relative: they are filled in when the artefacts have a place (PlaceMounts).
func (p *planner) planMounts() {
	add := func(op mount.Op) { p.plan.mounts = append(p.plan.mounts, op) }
	add(mount.Op{Kind: mount.Bind, Source: path.Join(p.in.Arch.Triplet, "lib"), Target: p.libDir(), ReadOnly: true,
		Why: "stubs and libcapsule"})
	add(mount.Op{Kind: mount.Bind, Source: path.Join(p.in.Arch.Triplet, "proxy"), Target: p.proxyDir(), ReadOnly: true,
		Why: "proxies"})
	if p.generates("manifests/") {
		add(mount.Op{Kind: mount.Bind, Source: "manifests", Target: p.commonManifestDir(), ReadOnly: true, Why: "manifests that name stubs"})
	}
	if p.generates(p.in.Arch.Triplet + "/manifests/") {
		add(mount.Op{Kind: mount.Bind, Source: path.Join(p.in.Arch.Triplet, "manifests"), Target: p.manifestDir(), ReadOnly: true,
			Why: "manifests of drivers and layers for the loaders of the other side"})
	}
	for _, l := range p.in.Host.Libraries {
		if p.loaded[l] {
			add(mount.Op{Kind: mount.Bind, Source: p.planRewritten(l), Target: path.Join(p.hostDir(), l.Path),
				ReadOnly: true, Why: p.hostReason(l)})
		}
	}
	p.mountTools(add)
	seen := map[string]bool{}
	for _, d := range p.in.Host.Data {
		for _, f := range d.Files {
			if !seen[f.Path] {
				seen[f.Path] = true
				add(mount.Op{Kind: mount.Bind, Source: f.Source, Target: path.Join(p.shareDir(), f.Path), ReadOnly: true, Why: d.Reason})
			}
		}
	}
}

// generates says whether there is a generated file below a directory.
func (p *planner) generates(dir string) bool {
	return slices.ContainsFunc(p.plan.artefacts.Generated, func(g GeneratedFile) bool { return strings.HasPrefix(g.File, dir) })
}

// mounts joins what the architectures want to see; data files are the same for all.
func mounts(plans []*ArchPlan) []mount.Op {
	seen := map[string]bool{}
	var out []mount.Op
	for _, p := range plans {
		for _, op := range p.mounts {
			if !seen[op.Target] {
				seen[op.Target] = true
				out = append(out, op)
			}
		}
	}
	return out
}

// PlaceMounts returns a plan's mounts with the generated files, whose sources are relative, taken from dir.
func PlaceMounts(ops []mount.Op, dir string) []mount.Op {
	ops = append([]mount.Op(nil), ops...)
	for i := range ops {
		if ops[i].Kind == mount.Bind && !strings.HasPrefix(ops[i].Source, "/") {
			ops[i].Source = path.Join(dir, ops[i].Source)
		}
	}
	return ops
}
