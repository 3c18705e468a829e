package capsule

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// HostManifest is a file by which a loader finds a driver.
type HostManifest struct {
	API, Kind string
	Path      string // inside the host's root; empty for a driver that a variable names
	Text      []byte
	Key       []string // leads to the library's path in the JSON; nil: the file is the path
	Library   int      // index into Host.Libraries
	// Driver marks the manifests of drivers: others are not shown to the runtime's loaders.
	Driver bool
	// Single says that the variables hold one file, not a list.
	Single bool
	// Variables of the environment by which the runtime's loader is told of such files, and DirectoryVariable of their
	// directory. Replaces are the other variables that name such files: discovery has honoured them.
	Variables         []string
	DirectoryVariable string
	Replaces          []string
}

// Module is how a loader opens a driver by path: under any of Names in a directory that Variable tells it.
type Module struct {
	Directory string // below the stubs' directory
	Names     []string
	Variable  string
	Replaces  []string
}

// GeneratedFile is an artefact that the plan holds itself.
type GeneratedFile struct {
	File string // below the artefact directory
	Text []byte
}

// announce gives the runtime's loaders, at the driver boundary, what leads them to the stubs.
func (p *planner) announce() error {
	for _, m := range p.in.Host.Manifests {
		l := p.in.Host.Libraries[m.Library]
		if p.boundary[m.API] != BoundaryDriver || !m.Driver || !p.loaded[l] {
			continue
		}
		if err := p.announceManifest(m, path.Join(p.libDir(), p.stubFile[l])); err != nil {
			return err
		}
	}
	for _, l := range p.in.Host.Libraries {
		for _, u := range l.Uses {
			if u.Module != nil && p.loaded[l] && p.stubbed(l, u) {
				p.announceAs(u.Module.Variable, path.Join(p.libDir(), u.Module.Directory))
				p.replace(u.Module.Replaces)
			}
		}
	}
	return nil
}

// announceManifest writes a manifest that names a stub. Files of all architectures with a common directory lie in one.
func (p *planner) announceManifest(m HostManifest, stub string) error {
	if m.Single && p.several && path.Dir(stub) == p.libDir() {
		stub = path.Base(stub) // one file for all architectures: ld.so has a stub of that name for each that has the driver
	}
	text := []byte(stub + "\n")
	if m.Key != nil {
		var err error
		if text, err = withLibrary(m.Text, m.Key, stub); err != nil {
			return fmt.Errorf("manifest %s: %w", m.Path, err)
		}
	}
	base := path.Base(m.Path)
	if m.Path == "" {
		base = path.Base(stub) + ".icd"
	}
	// Numbered, because two directories may have a file of the same name, and loaders sort what they find. A file that a
	// variable names keeps its own name, by which users and games choose drivers (VK_LOADER_DRIVERS_SELECT).
	p.numbered[m.Kind]++
	name := fmt.Sprintf("%02d/%s", p.numbered[m.Kind], base)
	dir := path.Join(p.in.Arch.Triplet, "manifests", m.Kind)
	inside := path.Join(p.manifestDir(), m.Kind)
	if m.DirectoryVariable != "" {
		dir, inside = path.Join("manifests", m.Kind), path.Join(p.commonManifestDir(), m.Kind)
		name = fmt.Sprintf("%s-%02d-%s", p.in.Arch.Triplet, p.numbered[m.Kind], base)
	}
	p.plan.artefacts.Generated = append(p.plan.artefacts.Generated, GeneratedFile{File: path.Join(dir, name), Text: text})
	for _, v := range m.Variables {
		p.setVariable(variable{v, path.Join(inside, name), m.Single})
	}
	p.announceAs(m.DirectoryVariable, inside)
	p.replace(m.Replaces)
	return nil
}

// announceAs adds a path to a variable of the program's environment, once.
func (p *planner) announceAs(name, value string) { p.setVariable(variable{name: name, value: value}) }

func (p *planner) setVariable(v variable) {
	if v.name != "" && !slices.Contains(p.plan.variables, v) {
		p.plan.variables = append(p.plan.variables, v)
	}
}

// replace takes variables out of the environment that would add what discovery has added already.
func (p *planner) replace(names []string) {
	p.plan.replaced = append(p.plan.replaced, names...)
}

// withLibrary replaces the library's path in a manifest.
func withLibrary(text []byte, key []string, library string) ([]byte, error) {
	return editLayers(text, []layerEdit{{key: key, library: library}})
}

type variable struct {
	name, value string
	single      bool // the variable holds one path: the first
}

// environment is what the program needs so that the runtime's loaders find the drivers: a list of paths a variable, of
// all architectures. An empty value takes a variable away.
func environment(plans []*ArchPlan) map[string]string {
	lists := map[string][]string{}
	out := map[string]string{}
	for _, p := range plans {
		for _, v := range p.variables {
			if !slices.Contains(lists[v.name], v.value) && !(v.single && len(lists[v.name]) > 0) {
				lists[v.name] = append(lists[v.name], v.value)
			}
		}
		for _, name := range p.replaced {
			if name != "" {
				out[name] = ""
			}
		}
	}
	for name, values := range lists {
		out[name] = strings.Join(values, ":")
	}
	return out
}
