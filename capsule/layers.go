package capsule

import (
	"fmt"
	"path"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// LayerManifest is a JSON file of either side by which a loader finds a layer. Drivers are the host's alone, but a program
// sees the layers of both sides: the host's overlay, the validation layer that its runtime brings.
type LayerManifest struct {
	API, Kind, Name string
	Path            string // inside its tree
	Text            []byte
	Key             []string // leads to the library's path in the JSON
	Opens           string   // what a loader opens; empty for a layer that only combines others
	Relative        bool     // Opens is not as written in the file: that counts from the file's directory
	Library         int      // index into Host.Libraries; -1: the runtime's, or none
	Directory       string   // where loaders look for such files, below /etc for one
}

// Layer is one decision: the layer of that name is that side's.
type Layer struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Side     Side   `json:"side"`
	Manifest string `json:"manifest"`          // in its tree
	Library  string `json:"library,omitempty"` // as its loader opens it
	Inside   string `json:"inside,omitempty"`  // the manifest in the container, where it is a generated one
	Reason   string `json:"reason"`
}

// chooseLayers decides of which layers a program sees one only. A layer that both sides have is that of the loader's side,
// since a layer and a loader agree on an interface that grows: the older the loader, the less of it.
func (p *planner) chooseLayers() {
	p.layers, p.leftOut = map[string]Side{}, map[*HostLibrary]bool{}
	claim := func(layers []LayerManifest, side Side) {
		for _, l := range layers {
			if _, taken := p.layers[l.Name]; !taken {
				p.layers[l.Name] = side
			}
		}
	}
	for _, f := range p.rules.Families {
		ofHost, ofRuntime := layersOf(f, p.in.Host.Layers), layersOf(f, p.in.Runtime.Layers)
		switch p.boundary[f.Name] {
		case BoundaryFrontend:
			claim(ofHost, SideHost)
			claim(ofRuntime, SideRuntime)
		case BoundaryDriver:
			claim(ofRuntime, SideRuntime)
			claim(ofHost, SideHost)
		default: // nothing of the host's is used
			claim(ofRuntime, SideRuntime)
		}
	}
	for _, l := range p.in.Host.Layers {
		if l.Library >= 0 && p.layers[l.Name] != SideHost {
			p.leftOut[p.in.Host.Libraries[l.Library]] = true
		}
	}
	for _, l := range p.in.Host.Layers { // a library may have several layers
		if l.Library >= 0 && p.layers[l.Name] == SideHost {
			delete(p.leftOut, p.in.Host.Libraries[l.Library])
		}
	}
}

func layersOf(f Family, layers []LayerManifest) []LayerManifest {
	var out []LayerManifest
	for _, l := range layers {
		if l.API == f.Name {
			out = append(out, l)
		}
	}
	return out
}

// planLayers shows the loader the layers of both sides.
func (p *planner) planLayers() error {
	p.plan.Layers = []Layer{}
	for _, f := range p.rules.Families {
		show := p.layersForHostsLoader
		if p.boundary[f.Name] != BoundaryFrontend { // without any boundary the loader is the runtime's, too
			show = p.layersForRuntimesLoader
		}
		if err := show(layersOf(f, p.in.Host.Layers), layersOf(f, p.in.Runtime.Layers)); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) decideLayer(l LayerManifest, side Side, inside, reason string) {
	p.plan.Layers = append(p.plan.Layers, Layer{Name: l.Name, Kind: l.Kind, Side: side, Manifest: l.Path, Library: l.Opens,
		Inside: inside, Reason: reason})
}

// layersForHostsLoader: it runs in the capsule and reads the directories that it knows. Each of them leads to one of ours,
// with the host's files as they are and the runtime's with a library's path that libcapsule opens in the base namespace:
// a layer of the runtime links the runtime's libstdc++, and may share state with what is preloaded there.
func (p *planner) layersForHostsLoader(host, runtime []LayerManifest) error {
	m := &p.plan.artefacts.Manifest
	mapped, opened := map[string]bool{}, map[string]bool{}
	show := func(l LayerManifest, name string, text []byte) (inside string) {
		dir := path.Dir(l.Path)
		if !mapped[dir] {
			mapped[dir] = true
			p.mapPath(p.behindLinks(dir), path.Join(ManifestDir(p.in.Arch), dir), l.Kind+" manifests of both sides")
		}
		if text != nil {
			p.generate(path.Join(dir, name), text)
		}
		return path.Join(ManifestDir(p.in.Arch), dir, name)
	}
	for _, l := range host {
		if l.Library >= 0 && !p.loaded[p.in.Host.Libraries[l.Library]] {
			continue // its library is one that the capsule shares with the runtime
		}
		reason, text := "the host's loader finds it", l.Text
		if p.has(runtime, l.Name) {
			reason += "; both sides have it, and it goes with the loader"
		}
		if l.Relative && l.Library >= 0 {
			var err error
			if text, err = withLibrary(l.Text, l.Key, p.in.Host.Libraries[l.Library].Path); err != nil {
				return fmt.Errorf("manifest %s: %w", l.Path, err)
			}
		}
		p.decideLayer(l, SideHost, show(l, path.Base(l.Path), text), reason)
	}
	for _, l := range runtime {
		if p.layers[l.Name] != SideRuntime {
			show(l, "", nil) // hidden
			continue
		}
		text := l.Text
		if l.Opens != "" {
			// Told from a library of the host with the same path or name by where it seems to be.
			alias := path.Join(Dir, p.in.Arch.Triplet, "base", l.Opens)
			var err error
			if text, err = withLibrary(l.Text, l.Key, alias); err != nil {
				return fmt.Errorf("manifest %s: %w", l.Path, err)
			}
			if !opened[alias] {
				opened[alias] = true
				m.Aliases = append(m.Aliases, manifest.Alias{Path: alias, Object: uint32(len(m.Objects))})
				m.Objects = append(m.Objects, manifest.Object{Kind: manifest.Base, Soname: l.Opens, Path: l.Opens})
			}
		}
		p.decideLayer(l, SideRuntime, show(l, "runtime-"+path.Base(l.Path), text),
			"a manifest for the host's loader; the library is opened in the program's own namespace")
	}
	return nil
}

// layersForRuntimesLoader: it finds the runtime's by itself. Those of the host are put where every loader looks, before
// the directories in which the runtime has its own: below /etc, which is ours already.
func (p *planner) layersForRuntimesLoader(host, runtime []LayerManifest) error {
	for _, l := range runtime {
		reason := "the runtime's loader finds it"
		if p.has(host, l.Name) {
			reason += "; both sides have it, and it goes with the loader"
		}
		p.decideLayer(l, SideRuntime, "", reason)
	}
	shown, linked := map[string]bool{}, map[string]int{}
	for _, l := range host {
		if p.layers[l.Name] != SideHost || shown[l.Name] {
			continue // of several with one name a loader takes the first
		}
		text := l.Text
		if l.Library >= 0 {
			library := p.in.Host.Libraries[l.Library]
			if !p.loaded[library] {
				continue
			}
			var err error
			if text, err = withLibrary(l.Text, l.Key, p.stubFor(l, library)); err != nil {
				return fmt.Errorf("manifest %s: %w", l.Path, err)
			}
		}
		shown[l.Name] = true
		file := path.Join(l.Kind, l.Path)
		p.generate(file, text)
		link := path.Join("/etc", l.Directory, "host-"+path.Base(l.Path))
		if linked[link]++; linked[link] > 1 { // two directories of the host may have a file of the same name
			link = path.Join(path.Dir(link), fmt.Sprintf("host-%d-%s", linked[link], path.Base(l.Path)))
		}
		p.plan.mounts = append(p.plan.mounts, mount.Op{Kind: mount.Symlink, Target: link,
			Text: path.Join(ManifestDir(p.in.Arch), file), Why: "a layer of the host, for the runtime's loader"})
		p.decideLayer(l, SideHost, link, "a manifest for the runtime's loader; the library is a stub")
	}
	return nil
}

// stubFor is what the runtime's loader opens. A library without a directory, or with one that ld.so expands ($LIB), is
// one for each architecture with a manifest that all share: so is then its stub.
func (p *planner) stubFor(l LayerManifest, library *HostLibrary) string {
	if strings.Contains(l.Opens, "/") && !strings.Contains(l.Opens, "$") {
		return path.Join(LibDir(p.in.Arch), library.Name)
	}
	return library.Name
}

func (p *planner) has(layers []LayerManifest, name string) bool {
	for _, l := range layers {
		if l.Name == name {
			return true
		}
	}
	return false
}

func (p *planner) generate(file string, text []byte) {
	p.plan.artefacts.Generated = append(p.plan.artefacts.Generated,
		GeneratedFile{File: path.Join(p.in.Arch.Triplet, "manifests", file), Text: text})
}
