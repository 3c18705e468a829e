package capsule

import (
	"fmt"
	"path"
	"slices"
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
	Key             []string // leads to the library's path in the JSON; its second part is an index in a file of several
	Opens           string   // what a loader opens; empty for a layer that only combines others
	Relative        bool     // Opens is not as written in the file: that counts from the file's directory
	Library         int      // index into Host.Libraries; -1: the runtime's, or none
	Directory       string   // where loaders look for such files, below /etc for one
	// Variable is one that names such directories in place of all others, if it is set, to Value.
	Variable, Value string
	// DirectoriesKey is where the layer may list directories, beside its library, in place of those that loaders know: for
	// the layers whose DirectoriesLayer is its name.
	DirectoriesKey, DirectoriesLayer string
}

// LayerSettings is a file that tells a loader of layers by the paths of their manifests.
type LayerSettings struct {
	API, Path string
	Manifests []string
}

// namedByPath returns a file by which the user names layers of the host that only the host's loader would find: in the
// runtime there is nothing at their paths.
func (p *planner) namedByPath(api string) string {
	at := func(layers []LayerManifest, file string) bool {
		return slices.ContainsFunc(layers, func(l LayerManifest) bool { return l.Path == file })
	}
	for _, s := range p.in.Host.Settings {
		for _, m := range s.Manifests {
			if s.API == api && at(p.in.Host.Layers, m) && !at(p.in.Runtime.Layers, m) {
				return s.Path
			}
		}
	}
	return ""
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
	for _, file := range layerFiles(host) {
		if err := p.showHostsFile(file, runtime); err != nil {
			return fmt.Errorf("manifest %s: %w", file[0].Path, err)
		}
	}
	opened := map[string]bool{}
	for _, file := range layerFiles(runtime) {
		if err := p.showRuntimesFile(file, opened); err != nil {
			return fmt.Errorf("manifest %s: %w", file[0].Path, err)
		}
	}
	return nil
}

func (p *planner) showHostsFile(file, runtime []LayerManifest) error {
	var edits []layerEdit
	var shown []LayerManifest
	for _, l := range file {
		if l.Library >= 0 && !p.loaded[p.in.Host.Libraries[l.Library]] {
			continue // its library is one that the capsule shares with the runtime
		}
		e := layerEdit{key: l.Key}
		if l.Relative && l.Library >= 0 {
			e.library = p.in.Host.Libraries[l.Library].Path
		}
		if l.DirectoriesKey != "" {
			e.directories, e.further = l.DirectoriesKey, layerDirs(runtime, l.Name)
		}
		edits, shown = append(edits, e), append(shown, l)
	}
	if len(shown) == 0 {
		return nil
	}
	text, err := editLayers(file[0].Text, edits)
	if err != nil {
		return err
	}
	p.mapLayers(file[0])
	p.generate(file[0].Path, text)
	for _, l := range shown {
		reason := "the host's loader finds it"
		if p.has(runtime, l.Name) {
			reason += "; both sides have it, and it goes with the loader"
		}
		p.decideLayer(l, SideHost, path.Join(p.manifestDir(), file[0].Path), reason)
	}
	return nil
}

// showRuntimesFile: what is told from a library of the host with the same path or name is where it seems to be.
func (p *planner) showRuntimesFile(file []LayerManifest, opened map[string]bool) error {
	m := &p.plan.artefacts.Manifest
	p.mapLayers(file[0]) // if only to hide them
	var edits []layerEdit
	var shown []LayerManifest
	for _, l := range file {
		if p.layers[l.Name] != SideRuntime {
			continue
		}
		e := layerEdit{key: l.Key}
		if l.Opens != "" {
			e.library = path.Join(p.dir, p.in.Arch.Triplet, "base", l.Opens)
			if !opened[e.library] {
				opened[e.library] = true
				m.Aliases = append(m.Aliases, manifest.Alias{Path: e.library, Object: uint32(len(m.Objects))})
				m.Objects = append(m.Objects, manifest.Object{Kind: manifest.Base, Soname: l.Opens, Path: l.Opens})
			}
		}
		edits, shown = append(edits, e), append(shown, l)
	}
	if len(shown) == 0 {
		return nil
	}
	text, err := editLayers(file[0].Text, edits)
	if err != nil {
		return err
	}
	name := path.Join(path.Dir(file[0].Path), "runtime-"+path.Base(file[0].Path))
	p.generate(name, text)
	for _, l := range shown {
		p.decideLayer(l, SideRuntime, path.Join(p.manifestDir(), name),
			"a manifest for the host's loader; the library is opened in the program's own namespace")
	}
	return nil
}

// mapLayers leads the host's loader to our directory in place of one that it knows.
func (p *planner) mapLayers(l LayerManifest) {
	dir := path.Dir(l.Path)
	if !p.layerDirs[dir] {
		p.layerDirs[dir] = true
		p.mapPath(p.behindLinks(dir), path.Join(p.manifestDir(), dir), l.Kind+" manifests of both sides")
	}
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
	shown := map[string]bool{}
	for _, file := range layerFiles(host) {
		if err := p.linkHostsFile(file, shown); err != nil {
			return fmt.Errorf("manifest %s: %w", file[0].Path, err)
		}
	}
	return nil
}

func (p *planner) linkHostsFile(file []LayerManifest, shown map[string]bool) error {
	var edits []layerEdit
	var layers []LayerManifest
	identity := file[0].Path // of what the link leads to
	for _, l := range file {
		if p.layers[l.Name] != SideHost || shown[l.Name] {
			continue // of several with one name a loader takes the first
		}
		e := layerEdit{key: l.Key, directories: l.DirectoriesKey} // it is to look everywhere: the host's are not where they were
		if l.Library >= 0 {
			library := p.in.Host.Libraries[l.Library]
			if !p.loaded[library] {
				continue
			}
			if e.library = p.stubFor(l, library); path.IsAbs(e.library) {
				identity = p.in.Arch.Triplet + ":" + file[0].Path
				if p.several {
					e.arch = libraryArch(p.in.Arch)
				}
			}
		}
		shown[l.Name] = true
		edits, layers = append(edits, e), append(layers, l)
	}
	if len(layers) == 0 {
		return nil
	}
	text, err := editLayers(file[0].Text, edits)
	if err != nil {
		return err
	}
	l := layers[0]
	to := path.Join(l.Kind, l.Path)
	p.generate(to, text)
	link := p.layerLink(path.Join("/etc", l.Directory), path.Base(l.Path), identity)
	p.plan.mounts = append(p.plan.mounts, mount.Op{Kind: mount.Symlink, Target: link,
		Text: path.Join(p.manifestDir(), to), Why: "a layer of the host, for the runtime's loader"})
	for _, l := range layers {
		p.decideLayer(l, SideHost, link, "a manifest for the runtime's loader; the library is a stub")
	}
	if l.Variable != "" { // it would keep the loader from looking in /etc
		p.announceAs(l.Variable, path.Join("/etc", l.Directory))
		for _, dir := range strings.FieldsFunc(l.Value, func(r rune) bool { return r == ':' }) {
			p.announceAs(l.Variable, dir)
		}
	}
	return nil
}

// layerLink names a link, which all architectures share that lead it to the same. Two directories of the host may have a
// file of the same name, one for each architecture for example.
func (p *planner) layerLink(dir, base, identity string) string {
	link := path.Join(dir, "host-"+base)
	for n := 2; p.links[link] != "" && p.links[link] != identity; n++ {
		link = path.Join(dir, fmt.Sprintf("host-%d-%s", n, base))
	}
	p.links[link] = identity
	return link
}

// stubFor is what the runtime's loader opens. A library without a directory, or with one that ld.so expands ($LIB), is
// one for each architecture with a manifest that all share: so is then its stub.
func (p *planner) stubFor(l LayerManifest, library *HostLibrary) string {
	if strings.Contains(l.Opens, "/") && !strings.Contains(l.Opens, "$") {
		return path.Join(p.libDir(), library.Name)
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
