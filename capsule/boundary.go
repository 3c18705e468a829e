package capsule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Where the capsule begins.
const (
	// BoundaryFrontend puts stubs in place of the libraries that programs use: the host's loaders and drivers.
	BoundaryFrontend = "frontend"
	// BoundaryDriver leaves the runtime its own loaders and puts stubs in place of the vendor libraries behind them.
	BoundaryDriver = "driver"
	// BoundaryAuto takes the driver boundary for each API whose loaders the runtime has and that are new enough, else
	// the frontend.
	BoundaryAuto = "auto"
	// BoundaryNone is decided, never asked for: nothing of the host is used, and the runtime's own libraries are left alone.
	BoundaryNone = "none"
)

var (
	// ErrBoundary says that the runtime has not the loaders which the asked-for boundary needs.
	ErrBoundary = errors.New("the runtime has no loader for the driver boundary")
	// ErrNoAPI says that a boundary is asked for an API that no rule names.
	ErrNoAPI = errors.New("no such API")
	// ErrGroup says that different boundaries are asked for APIs that must have one.
	ErrGroup = errors.New("share state")
)

// BoundaryDecision says where the capsule begins for an API, and why.
type BoundaryDecision struct {
	API      string `json:"api"`
	Boundary string `json:"boundary"`
	Reason   string `json:"reason"`
}

// Boundaries is what is asked for.
type Boundaries struct {
	All   string            // BoundaryFrontend, BoundaryDriver or BoundaryAuto; empty means the last
	ByAPI map[string]string // by the family's name, in place of All
}

func (b Boundaries) all() string {
	if b.All == "" {
		return BoundaryAuto
	}
	return b.All
}

// check refuses names that no family has: a slip would otherwise be overlooked.
func (b Boundaries) check(families []Family) error {
	for _, api := range slices.Sorted(maps.Keys(b.ByAPI)) {
		if !slices.ContainsFunc(families, func(f Family) bool { return f.Name == api }) {
			var names []string
			for _, f := range families {
				names = append(names, f.Name)
			}
			return fmt.Errorf("boundary of %s: %w (there are %s)", api, ErrNoAPI, strings.Join(names, ", "))
		}
	}
	return nil
}

// chooseBoundaries decides for each group of APIs.
func (p *planner) chooseBoundaries(asked Boundaries) error {
	p.boundary = map[string]string{}
	reasons := map[string]string{}
	for _, f := range p.rules.Families {
		if _, done := p.boundary[f.Name]; done {
			continue
		}
		group := []Family{f}
		if f.Group != "" {
			group = slices.DeleteFunc(slices.Clone(p.rules.Families), func(o Family) bool { return o.Group != f.Group })
		}
		d, err := p.groupBoundary(group, asked)
		if err != nil {
			return err
		}
		for _, g := range group {
			p.boundary[g.Name], reasons[g.Name] = d.Boundary, d.Reason
			if d.API != "" && d.API != g.Name {
				reasons[g.Name] = fmt.Sprintf("%s, with which it shares state: %s", d.API, d.Reason)
			}
		}
	}
	for _, f := range p.rules.Families {
		if p.hostHas(f.Name) {
			p.plan.Boundaries = append(p.plan.Boundaries, BoundaryDecision{f.Name, p.boundary[f.Name], reasons[f.Name]})
		}
	}
	return nil
}

func (p *planner) hostHas(api string) bool {
	return slices.ContainsFunc(p.in.Host.Libraries, func(l *HostLibrary) bool { return l.use(api) != nil })
}

func (p *planner) hasDriver(api string) bool { return len(p.drivers(api)) > 0 }

func (p *planner) drivers(api string) (out []*HostLibrary) {
	for _, l := range p.in.Host.Libraries {
		if slices.ContainsFunc(l.Uses, func(u Use) bool { return u.API == api && u.Driver }) {
			out = append(out, l)
		}
	}
	return out
}

// groupBoundary decides for APIs that must have the same boundary. The decision names the API that decided, if one did.
func (p *planner) groupBoundary(group []Family, asked Boundaries) (d BoundaryDecision, err error) {
	wanted, by, err := groupWish(group, asked)
	if err != nil {
		return d, err
	}
	if len(group) == 1 && by == "" && group[0].Optional && p.hostHas(group[0].Name) && !p.hasDriver(group[0].Name) &&
		p.missingLoader(group) == "" {
		return BoundaryDecision{Boundary: BoundaryNone, Reason: "the host has no driver: the runtime's own libraries are left alone"}, nil
	}
	if wanted == BoundaryFrontend {
		return p.frontend(group, by, "as asked for"), nil
	}
	of, why := p.obstacle(group, wanted)
	if why == "" {
		return BoundaryDecision{Boundary: BoundaryDriver, Reason: p.driverReason(group)}, nil
	}
	hosted := slices.ContainsFunc(group, func(f Family) bool { return p.hostHas(f.Name) })
	insists := slices.ContainsFunc(group, func(f Family) bool { return len(f.Loaders) > 0 && !f.Optional }) || by != ""
	if wanted == BoundaryDriver && hosted && insists {
		if p.main {
			return d, fmt.Errorf("%s: %w: %s", cmp.Or(by, group[0].Name), ErrBoundary, why)
		}
		p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf(
			"%s is at the frontend boundary for %s programs, though the driver boundary was asked for: %s", group[0].Name, p.in.Arch.Name, why))
	}
	return p.frontend(group, of, why), nil
}

// frontend is the boundary that needs front ends of the host: NixOS, say, has only drivers in a known place.
func (p *planner) frontend(group []Family, of, why string) BoundaryDecision {
	has := slices.ContainsFunc(group, func(f Family) bool { return p.hasFrontEnd(f.Name) })
	if has {
		return BoundaryDecision{API: of, Boundary: BoundaryFrontend, Reason: why}
	}
	d := BoundaryDecision{API: of, Boundary: BoundaryNone, Reason: why + ", and the host has no front end"}
	for _, f := range group {
		if p.hostHas(f.Name) && !f.Optional {
			p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("%s is not the host's: %s", f.Name, d.Reason))
		}
	}
	return d
}

// groupWish returns what is asked for a group, and which of its APIs was named for it.
func groupWish(group []Family, asked Boundaries) (wanted, by string, err error) {
	wanted = asked.all()
	for _, f := range group {
		w := asked.ByAPI[f.Name]
		if w == "" {
			continue
		}
		if by != "" && w != wanted {
			return "", "", fmt.Errorf("%s and %s %w: they cannot be at the %s and the %s boundary", by, f.Name, ErrGroup, wanted, w)
		}
		wanted, by = w, f.Name
	}
	return wanted, by, nil
}

func (p *planner) missingLoader(group []Family) string {
	for _, f := range group {
		for _, name := range f.Loaders {
			if p.in.Runtime.Libraries[name] == nil {
				return name
			}
		}
	}
	return ""
}

// obstacle says why a group cannot have the driver boundary, and which API's; empty if it can.
func (p *planner) obstacle(group []Family, wanted string) (of, why string) {
	for _, f := range group {
		if f.BundledLoader {
			continue
		}
		if len(f.Loaders) == 0 {
			return f.Name, "its loader and its drivers are one library"
		}
		if name := p.missingLoader([]Family{f}); name != "" {
			return f.Name, "the runtime has no " + name
		}
		for i := range f.Criteria {
			if why := p.unmet(&f, &f.Criteria[i]); why != "" {
				return f.Name, why
			}
		}
		if file := p.namedByPath(f.Name); wanted == BoundaryAuto && file != "" && p.hasFrontEnd(f.Name) {
			return f.Name, file + " names layers by their paths on the host"
		}
	}
	return "", ""
}

func (p *planner) hasFrontEnd(api string) bool {
	return slices.ContainsFunc(p.in.Host.Libraries, func(l *HostLibrary) bool {
		return slices.ContainsFunc(l.Uses, func(u Use) bool { return u.API == api && u.FrontEnd })
	})
}

func (p *planner) driverReason(group []Family) string {
	var all []string
	for _, f := range group {
		if f.BundledLoader {
			return "programs bring their own loader"
		}
		all = append(all, f.Loaders...)
	}
	slices.Sort(all)
	reason := "the runtime has " + english(slices.Compact(all))
	if slices.ContainsFunc(group, func(f Family) bool { return len(f.Criteria) > 0 }) {
		reason += ", new enough"
	}
	return reason
}

// hasStub says which libraries programs, or at the driver boundary the runtime's loaders, open.
func (p *planner) hasStub(l *HostLibrary) bool {
	return l.Requested || slices.ContainsFunc(l.Uses, func(u Use) bool { return p.stubbed(l, u) })
}

// stubbed says whether a use is one by somebody outside of the capsule.
func (p *planner) stubbed(l *HostLibrary, u Use) bool {
	switch p.boundary[u.API] {
	case BoundaryDriver:
		return u.Driver || u.Layer && !p.leftOut[l]
	case BoundaryNone:
		return false
	}
	return u.FrontEnd
}

// isRoot says which libraries the capsule has for their own sake: at the driver boundary the runtime's own front ends are
// used.
func (p *planner) isRoot(l *HostLibrary) bool {
	return l.Requested || slices.ContainsFunc(l.Uses, func(u Use) bool {
		b := p.boundary[u.API]
		return b != BoundaryNone && !(u.FrontEnd && b == BoundaryDriver) && !(u.Layer && p.leftOut[l])
	})
}
