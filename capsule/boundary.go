package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Where the capsule begins.
const (
	// BoundaryFrontend puts stubs in place of the libraries that programs use: the host's loaders and drivers.
	BoundaryFrontend = "frontend"
	// BoundaryDriver leaves the runtime its own loaders and puts stubs in place of the vendor libraries behind them.
	BoundaryDriver = "driver"
	// BoundaryAuto takes the driver boundary for each API whose loaders the runtime has, else the frontend.
	BoundaryAuto = "auto"
)

// ErrBoundary says that the runtime has not the loaders which the asked-for boundary needs.
var ErrBoundary = errors.New("the runtime has no loader for the driver boundary")

// Family is what a plan knows of an API.
type Family struct {
	Name string
	// Group names the families that must have the same boundary, because their loaders share state (libGLdispatch).
	Group string
	// Loaders are the SONAMEs that the runtime needs for the driver boundary; none: the API has no such boundary.
	Loaders []string
	// Layers says that its loader finds layers too.
	Layers bool
}

// BoundaryDecision says where the capsule begins for an API, and why.
type BoundaryDecision struct {
	API      string `json:"api"`
	Boundary string `json:"boundary"`
	Reason   string `json:"reason"`
}

// HostManifest is a JSON file by which a loader finds a driver.
type HostManifest struct {
	API, Kind string
	Path      string // inside the host's root
	Text      []byte
	Key       []string // leads to the library's path in the JSON
	Library   int      // index into Host.Libraries
	// Variables of the environment by which the runtime's loader is told of such files.
	Variables []string
}

// GeneratedFile is an artefact that the plan holds itself.
type GeneratedFile struct {
	File string // below the artefact directory
	Text []byte
}

// chooseBoundaries decides for each group of APIs.
func (p *planner) chooseBoundaries(wanted string) error {
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
		boundary, reason := p.groupBoundary(group, wanted)
		if wanted == BoundaryDriver && boundary != BoundaryDriver && len(f.Loaders) > 0 {
			return fmt.Errorf("%s: %w: %s", f.Name, ErrBoundary, reason)
		}
		for _, g := range group {
			p.boundary[g.Name], reasons[g.Name] = boundary, reason
		}
	}
	for _, f := range p.rules.Families {
		if slices.ContainsFunc(p.in.Host.Libraries, func(l *HostLibrary) bool { return l.API == f.Name }) {
			p.plan.Boundaries = append(p.plan.Boundaries, BoundaryDecision{f.Name, p.boundary[f.Name], reasons[f.Name]})
		}
	}
	return nil
}

func (p *planner) groupBoundary(group []Family, wanted string) (boundary, reason string) {
	if wanted == BoundaryFrontend {
		return BoundaryFrontend, "as asked for, or by default"
	}
	var all []string
	for _, f := range group {
		if len(f.Loaders) == 0 {
			return BoundaryFrontend, "its loader and its drivers are one library"
		}
		for _, name := range f.Loaders {
			if p.in.Runtime.Libraries[name] == nil {
				return BoundaryFrontend, "the runtime has no " + name
			}
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return BoundaryDriver, "the runtime has " + english(slices.Compact(all))
}

// hasStub says which libraries programs, or at the driver boundary the runtime's loaders, open.
func (p *planner) hasStub(l *HostLibrary) bool {
	driver := p.boundary[l.API] == BoundaryDriver
	if p.leftOut[l] {
		return l.Requested
	}
	return l.Requested || l.FrontEnd && !driver || l.Driver && driver
}

// isRoot says which libraries the capsule has for their own sake.
func (p *planner) isRoot(l *HostLibrary) bool {
	if l.FrontEnd && p.boundary[l.API] == BoundaryDriver {
		return false // the runtime's own is used
	}
	if p.leftOut[l] {
		return l.Requested
	}
	return !l.Dependency
}

// planManifests gives the runtime's loaders, at the driver boundary, manifests that name the stubs.
func (p *planner) planManifests() error {
	for _, m := range p.in.Host.Manifests {
		l := p.in.Host.Libraries[m.Library]
		if p.boundary[m.API] != BoundaryDriver || !l.Driver || !p.loaded[l] {
			continue
		}
		text, err := withLibrary(m.Text, m.Key, path.Join(LibDir(p.in.Arch), l.Name))
		if err != nil {
			return fmt.Errorf("manifest %s: %w", m.Path, err)
		}
		name := path.Join(m.Kind, path.Base(m.Path))
		p.plan.artefacts.Generated = append(p.plan.artefacts.Generated,
			GeneratedFile{File: path.Join(p.in.Arch.Triplet, "manifests", name), Text: text})
		for _, v := range m.Variables {
			p.plan.manifests = append(p.plan.manifests, variable{v, path.Join(ManifestDir(p.in.Arch), name)})
		}
	}
	return nil
}

// withLibrary replaces the library's path in a manifest.
func withLibrary(text []byte, key []string, library string) ([]byte, error) {
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	at := whole
	for _, k := range key[:len(key)-1] {
		next, ok := at[k].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("has no object %q", k)
		}
		at = next
	}
	at[key[len(key)-1]] = library
	return json.MarshalIndent(whole, "", "  ")
}

type variable struct{ name, value string }

// environment is what the program needs so that the runtime's loaders find the drivers: a list of files a variable.
func environment(plans []*ArchPlan) map[string]string {
	lists := map[string][]string{}
	for _, p := range plans {
		for _, v := range p.manifests {
			lists[v.name] = append(lists[v.name], v.value)
		}
	}
	out := map[string]string{}
	for name, files := range lists {
		out[name] = strings.Join(files, ":")
	}
	return out
}
