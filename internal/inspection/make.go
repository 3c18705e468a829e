package inspection

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldso"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
)

// Rules are what the report is read by.
type Rules struct {
	Stack   *configs.Rules
	Devices *configs.Devices
}

// Side is one architecture: the host's stack, and the runtime's tree and plan where there is a runtime.
type Side struct {
	Stack *hostlibs.Stack
	Tree  *runtimetree.Tree
	Plan  *capsule.ArchPlan
}

// Make puts a report together. Runtime, and each side's tree and plan, may be nil.
func Make(version, hostDir string, runtime *Runtime, devices *hostgpu.Devices, sides []Side, rules Rules) (*Report, error) {
	r := &Report{Schema: Schema, Version: version, Host: Host{hostDir}, Runtime: runtime, Devices: devices,
		Architectures: []*Arch{}, Problems: []string{}}
	for _, s := range sides {
		m := maker{Side: s, rules: rules, devices: devices, versions: map[*hostlibs.Library]string{}}
		a, err := m.arch()
		if err != nil {
			return nil, err
		}
		r.Architectures = append(r.Architectures, a)
		r.Problems = append(r.Problems, m.problems...)
	}
	for _, g := range devices.GPUs {
		for _, note := range g.Notes {
			r.Problems = append(r.Problems, fmt.Sprintf("GPU %d: %s", g.Index, note))
		}
	}
	r.Problems = append(r.Problems, devices.Problems()...)
	return r, nil
}

// maker is the state of one architecture.
type maker struct {
	Side
	rules    Rules
	devices  *hostgpu.Devices
	versions map[*hostlibs.Library]string
	problems []string
}

func (m *maker) arch() (*Arch, error) {
	a := &Arch{Arch: m.Stack.Arch.Name, APIs: []*API{}, GPUs: []*Served{}, Software: []Serving{}, Libraries: []*Library{}, Manifests: []*Manifest{}}
	if m.Tree != nil {
		a.Libc, a.Loader = m.Tree.LibcVersion, m.Tree.Loader
	}
	a.HostLibc = capsule.GlibcVersion(func(soname string) *dynelf.File {
		if l := m.library(soname); l != nil {
			return l.File
		}
		return nil
	})
	for _, l := range m.Stack.Libraries {
		a.Libraries = append(a.Libraries, &Library{Soname: l.Name, Path: l.Path, Role: string(l.Role), API: l.API, Version: m.version(l),
			BuildID: hex.EncodeToString(l.File.BuildID), Why: l.Why, How: l.How, Side: m.side(l.Name), Unresolved: l.Unresolved})
		for _, u := range l.Unresolved {
			m.problems = append(m.problems, fmt.Sprintf("%s: %s, which %s needs, is not on the host", a.Arch, u, l.Name))
		}
	}
	for _, x := range m.Stack.Manifests {
		a.Manifests = append(a.Manifests, &Manifest{Kind: x.Kind, API: x.API, Path: x.Path, Library: x.LibraryPath, Skipped: x.Skipped})
	}
	for i := range m.rules.Stack.Families {
		api, err := m.api(&m.rules.Stack.Families[i])
		if err != nil {
			return nil, err
		}
		a.APIs = append(a.APIs, api)
	}
	for _, g := range m.devices.GPUs {
		a.GPUs = append(a.GPUs, &Served{GPU: g.Index, APIs: m.served(g)})
	}
	a.Software = m.software()
	more := slices.Concat(m.Stack.LeftOut, m.Stack.Problems)
	if m.Plan != nil {
		more = m.Plan.Warnings // which have them, too
	}
	for _, w := range more {
		m.problems = append(m.problems, a.Arch+": "+w)
	}
	return a, nil
}

const notOnHost = "not on the host"

// api is an API's table: what programs open, and what that opens.
func (m *maker) api(f *configs.Family) (*API, error) {
	out := &API{API: f.Name, FrontEnds: []*Part{}, Drivers: []*Part{}, Missing: []Missing{}}
	if m.Plan != nil {
		for _, b := range m.Plan.Boundaries {
			if b.API == f.Name {
				out.Boundary, out.Reason = b.Boundary, b.Reason
			}
		}
	}
	runtimes, err := m.runtimeFrontEnds(f, out.Boundary)
	if err != nil {
		return nil, err
	}
	out.FrontEnds = append(out.FrontEnds, runtimes...)
	var listed []*hostlibs.Library // one may have several of the names
	for _, name := range f.FrontEnds {
		switch l := m.frontEnd(f.Name, name); {
		case slices.ContainsFunc(runtimes, func(p *Part) bool { return p.Soname == name }):
		case l == nil:
			out.Missing = append(out.Missing, Missing{name, notOnHost})
		case out.Boundary == capsule.BoundaryDriver && m.side(l.Name) == "unused":
			out.Missing = append(out.Missing, Missing{name, "not in the runtime, whose loaders are used"})
		case !slices.Contains(listed, l):
			listed = append(listed, l)
			out.FrontEnds = append(out.FrontEnds, m.part(l))
		}
	}
	for _, l := range m.Stack.Libraries { // those that have a pattern in the rules
		if u := use(l, f.Name); u != nil && u.Role == hostlibs.RoleFrontEnd && out.Boundary != capsule.BoundaryDriver && !slices.Contains(listed, l) {
			out.FrontEnds = append(out.FrontEnds, m.part(l))
		}
	}
	out.Drivers = append(out.Drivers, m.drivers(f.Name)...)
	for _, x := range m.Stack.Manifests {
		if x.API == f.Name && x.Skipped != "" {
			out.Missing = append(out.Missing, Missing{x.Path, x.Skipped})
		}
	}
	return out, nil
}

// runtimeFrontEnds are those of the runtime that stay in charge at the driver boundary.
func (m *maker) runtimeFrontEnds(f *configs.Family, boundary string) ([]*Part, error) {
	if m.Tree == nil || boundary != capsule.BoundaryDriver {
		return nil, nil
	}
	var out []*Part
	for _, name := range f.FrontEnds {
		l, err := m.Tree.Library(name)
		if errors.Is(err, ldso.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, &Part{Soname: name, Path: l.Path, Side: "runtime", Role: "front-end", Version: fileVersion(l.Path)})
	}
	return out, nil
}

func (m *maker) library(name string) *hostlibs.Library {
	for _, l := range m.Stack.Libraries {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// frontEnd is what programs find by a name, which need not be the library's own.
func (m *maker) frontEnd(api, name string) *hostlibs.Library {
	for _, l := range m.Stack.Libraries {
		for _, u := range l.Uses {
			if u.API == api && u.Role == hostlibs.RoleFrontEnd && slices.Contains(u.Names, name) {
				return l
			}
		}
	}
	return nil
}

// use is what an API has a library for; nil if nothing. Of several a driver's counts before a front end's.
func use(l *hostlibs.Library, api string) *hostlibs.Use {
	var found *hostlibs.Use
	for i, u := range l.Uses {
		if u.API == api && (found == nil || found.Role == hostlibs.RoleFrontEnd) {
			found = &l.Uses[i]
		}
	}
	return found
}

// drivers are what an API's front ends open. A library may be one of several APIs, as NVIDIA's are.
func (m *maker) drivers(api string) []*Part {
	var out []*Part
	for _, l := range m.Stack.Libraries {
		u := use(l, api)
		if u == nil || u.Role == hostlibs.RoleFrontEnd {
			continue
		}
		p := m.part(l)
		p.Role = string(u.Role)
		if l.API != api { // l.Why tells of another one
			p.Why = p.Role + " of " + api + " too"
			if u.Module != nil && len(u.Names) > 0 {
				p.Why = p.Role + " by the name " + u.Names[0]
			}
			for _, x := range m.Stack.Manifests {
				if x.Library == l && x.API == api && x.Path != "" {
					p.Why = "named in " + x.Path
					break
				}
			}
		}
		for _, g := range m.devices.GPUs {
			if m.serves(g, l) {
				p.GPUs = append(p.GPUs, g.Index)
			}
			p.addServing(u, m.family(g))
		}
		if u.Module != nil && len(u.Names) > 1 {
			p.Names = u.Names
		}
		out = append(out, p)
	}
	return out
}

// addServing notes which of a file's names a family of GPUs uses.
func (p *Part) addServing(u *hostlibs.Use, f *configs.DeviceFamily) {
	if f == nil || u.Module == nil || len(u.Names) < 2 {
		return
	}
	for _, n := range u.Names {
		if slices.ContainsFunc(f.Libraries, func(pattern string) bool { ok, _ := path.Match(pattern, n); return ok }) &&
			!slices.Contains(p.Serving, n) {
			p.Serving = append(p.Serving, n)
		}
	}
}

func (m *maker) part(l *hostlibs.Library) *Part {
	return &Part{Soname: l.Name, Path: l.Path, Side: "host", Role: string(l.Role), Version: m.version(l), How: l.How, Why: l.Why}
}

// side is what the plan makes of a host library's name.
func (m *maker) side(name string) string {
	if m.Plan == nil {
		return ""
	}
	for _, l := range m.Plan.Libraries {
		if l.Soname == name {
			return string(l.Side)
		}
	}
	return "unused"
}

// names are those by which a library may be opened.
func names(l *hostlibs.Library) []string {
	out := []string{path.Base(l.Path), l.Name}
	for _, a := range l.Aliases {
		out = append(out, path.Base(a))
	}
	return out
}
