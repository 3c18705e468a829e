package capsule

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// ErrRequested says that a library the user asked to encapsulate cannot be.
var ErrRequested = errors.New("cannot be encapsulated")

// Make plans. It fails only if what the user asked for cannot be: a library that cannot be encapsulated, a boundary for
// which the runtime has no loader.
func Make(in *Input) (*Plan, error) {
	if err := in.Boundary.check(in.Rules.Families); err != nil {
		return nil, err
	}
	dir := cmp.Or(in.Dir, Dir)
	plan := &Plan{Version: in.Version, Dir: dir, Boundary: in.Boundary.all(), Overrides: in.Boundary.ByAPI, Host: PlanHost{in.HostDir},
		Runtime:       PlanRuntime{Dir: in.RuntimeDir, Layout: in.RuntimeLayout},
		Architectures: []*ArchPlan{}, Mounts: []mount.Op{}}
	links := map[string]string{}
	for i, a := range in.Architectures {
		p, err := makeArch(a, in.Rules, in.Boundary, &planner{dir: dir, main: i == 0, several: len(in.Architectures) > 1, links: links})
		if err != nil {
			return nil, err
		}
		plan.Architectures = append(plan.Architectures, p)
	}
	plan.Environment = environment(plan.Architectures)               // what the runtime's loaders are told
	plan.Path = programDirs(plan.Architectures)                      // where the host's programs are
	plan.Cache = cache(in.Cache, plan.Architectures)                 // what ld.so finds where
	plan.Mounts = append(plan.Mounts, mounts(plan.Architectures)...) // what has to be visible for all that
	return plan, nil
}

// planner carries the decisions for one architecture from one step to the next.
type planner struct {
	dir   string // Plan.Dir
	in    *ArchInput
	rules Rules
	main  bool // the runtime's first architecture
	plan  *ArchPlan

	several bool              // architectures
	links   map[string]string // of all of them: what each link to a layer's manifest leads to

	layers     map[string]Side       // by the layer's name
	layerDirs  map[string]bool       // in which the host's loader finds both sides'
	leftOut    map[*HostLibrary]bool // libraries of layers that are the runtime's
	shared     map[string]bool       // SONAMEs answered by a proxy
	boundary   map[string]string     // by API
	loaded     map[*HostLibrary]bool // the host's libraries that the capsule may load
	object     map[string]uint32
	base       map[string]uint32 // Base objects by SONAME
	hostByName map[string]*HostLibrary
	answers    map[string]map[symbolKey]answer // by proxied SONAME

	stubFile map[*HostLibrary]string // below LibDir
	numbered map[string]int          // generated manifests by kind
}

func makeArch(in *ArchInput, rules Rules, boundary Boundaries, p *planner) (*ArchPlan, error) {
	p.in, p.rules, p.stubFile, p.numbered, p.layerDirs = in, rules, map[*HostLibrary]string{}, map[string]int{}, map[string]bool{}
	p.plan = &ArchPlan{Arch: in.Arch.Name, RuntimeLibc: in.Runtime.LibcVersion, Loader: in.Runtime.Loader, PathMap: []PathMap{}}
	p.plan.artefacts.Arch = in.Arch
	p.index()
	if err := p.checkRequested(); err != nil {
		return nil, err
	}
	if err := p.checkSizes(); err != nil { // before anything is made of the runtime's names
		return nil, err
	}
	if err := p.chooseBoundaries(boundary); err != nil { // stubs for front ends, or for the drivers behind them
		return nil, err
	}
	p.chooseLayers()                       // of layers that both sides have, whose
	p.chooseShared()                       // which SONAMEs the capsule shares with the runtime
	p.chooseLoaded()                       // which of the host's libraries it needs then
	p.numberObjects()                      // proxies and the host's libraries
	if err := p.planLayers(); err != nil { // how the loader finds those of the other side
		return nil, err
	} // beyond this point no object is added
	p.answerSymbols()                    // what each proxy hands out, and where it comes from
	p.describeHost()                     // host libraries: paths, closures, aliases
	p.planStubs()                        // what stands in the base namespace
	if err := p.announce(); err != nil { // what tells the runtime's loaders of them
		return nil, err
	}
	p.planData()       // files that drivers name by path
	p.planTools()      // programs that they start
	p.planStaticTLS()  // whether ld.so has set aside enough for it
	p.planMounts()     // what has to be visible
	p.planPrograms()   // what users expect beside the libraries
	p.reportDemands()  // which symbols the runtime is too old for, and who wants them
	p.reportWarnings() // what will not work
	return p.plan, nil
}

func (p *planner) index() {
	p.hostByName = map[string]*HostLibrary{}
	for _, l := range p.in.Host.Libraries {
		if p.hostByName[l.Name] == nil {
			p.hostByName[l.Name] = l
		}
	}
	p.plan.HostLibc = GlibcVersion(func(soname string) *dynelf.File {
		if l := p.hostByName[soname]; l != nil {
			return l.File
		}
		return nil
	})
}

func (p *planner) checkRequested() error {
	for _, l := range p.in.Host.Libraries {
		if !l.Requested {
			continue
		}
		if p.isLibc(l.Name) {
			return fmt.Errorf("%s %w: a process has one C library, the runtime's", l.Name, ErrRequested)
		}
		if slices.Contains(p.rules.Interop, l.Name) && p.in.Runtime.Libraries[l.Name] != nil {
			return fmt.Errorf("%s %w: its objects cross the boundary, both sides use the runtime's", l.Name, ErrRequested)
		}
	}
	return nil
}

// checkSizes refuses a library of the runtime with more symbols than a proxy may have.
func (p *planner) checkSizes() error {
	for _, name := range slices.Sorted(maps.Keys(p.in.Runtime.Libraries)) {
		if l := p.in.Runtime.Libraries[name]; len(l.Exports) > dso.MaxSymbols {
			return fmt.Errorf("the runtime's %s: %d symbols: %w", l.Path, len(l.Exports), dso.ErrTooLarge)
		}
	}
	return nil
}

// chooseShared: the C library always, but for what the runtime's has not and what stands alone; an interop library where
// the runtime has one, else the host's stays private to the capsule. Never two instances that exchange objects.
func (p *planner) chooseShared() {
	p.shared = map[string]bool{p.in.Arch.LoaderSoname: true}
	for _, name := range p.rules.Libc {
		if p.in.Runtime.Libraries[name] != nil || p.hostByName[name] != nil && !p.standsAlone(name) {
			p.shared[name] = true
		}
	}
	for _, name := range p.rules.Interop {
		if p.in.Runtime.Libraries[name] != nil && p.hostByName[name] != nil {
			p.shared[name] = true
		}
	}
	p.shareLoaders()
}

// shareLoaders: at the driver boundary the process's loader of an API is the runtime's. What of the host's needs that loader
// too is given the same: Monado takes the VkInstance that the program made with its libvulkan.
func (p *planner) shareLoaders() {
	runtimes := map[string]bool{}
	for _, f := range p.rules.Families {
		if p.boundary[f.Name] != BoundaryDriver {
			continue
		}
		for _, name := range f.Loaders {
			runtimes[name] = p.in.Runtime.Libraries[name] != nil
		}
	}
	p.reach(func(l *HostLibrary) bool {
		if runtimes[l.Name] {
			p.shared[l.Name] = true
		}
		return p.shared[l.Name]
	})
}

// standsAlone says that the host's library of that name may be loaded beside the runtime's libc. libmvec has no state;
// on aarch64, where it came with glibc 2.38, it calls public functions only, on x86-64 ld.so's private ones.
func (p *planner) standsAlone(name string) bool {
	return name == "libmvec.so.1" && !slices.ContainsFunc(p.hostByName[name].Imports,
		func(s dynelf.Symbol) bool { return s.Version == privateVersion })
}

// chooseLoaded keeps of the host's libraries what can be reached without crossing a shared one: libXau, say, which only
// the host's libxcb needs, has no place in a capsule that uses the runtime's.
func (p *planner) chooseLoaded() {
	p.loaded = p.reach(func(l *HostLibrary) bool { return p.shared[l.Name] })
}

// reach visits what the capsule's roots need or open, but for what stops it; it returns the rest.
func (p *planner) reach(stop func(*HostLibrary) bool) map[*HostLibrary]bool {
	reached := map[*HostLibrary]bool{}
	var visit func(l *HostLibrary)
	visit = func(l *HostLibrary) {
		if reached[l] || stop(l) {
			return
		}
		reached[l] = true
		for _, d := range slices.Concat(l.Deps, l.Opens) {
			visit(p.in.Host.Libraries[d])
		}
	}
	for _, l := range p.in.Host.Libraries {
		if p.isRoot(l) {
			visit(l)
		}
	}
	return reached
}

// numberObjects gives every object its index in the manifest: the runtime's libraries, the proxies, then the host's
// libraries in their order of loading.
func (p *planner) numberObjects() {
	m := &p.plan.artefacts.Manifest
	p.object, p.base = map[string]uint32{}, map[string]uint32{}
	names := slices.Sorted(maps.Keys(p.shared))
	for _, name := range names {
		l := p.in.Runtime.Libraries[name]
		if l == nil {
			continue // an old host's libpthread on a runtime without one: all of it is answered elsewhere
		}
		p.base[name] = uint32(len(m.Objects))
		m.Objects = append(m.Objects, manifest.Object{Kind: manifest.Base, Soname: name, BuildID: buildID(l.File.BuildID),
			Probe: probe(l.Exports)})
	}
	for _, name := range names {
		p.object[name] = uint32(len(m.Objects))
		m.Objects = append(m.Objects, manifest.Object{Kind: manifest.Proxy, Soname: name,
			Path: path.Join(p.proxyDir(), name)})
	}
	for _, l := range p.in.Host.Libraries {
		if !p.loaded[l] {
			continue
		}
		p.object[l.Path] = uint32(len(m.Objects))
		m.Objects = append(m.Objects, manifest.Object{Kind: manifest.Host, Soname: l.Name, BuildID: buildID(l.File.BuildID),
			Probe: probe(l.Exports), Path: path.Join(p.hostDir(), l.Path), Flags: p.flags(l)})
	}
}

// flags: a loader of layers opens what the program brings with it, too.
func (p *planner) flags(l *HostLibrary) manifest.Flags {
	for _, f := range p.rules.Families {
		if f.Layers && slices.ContainsFunc(l.Uses, func(u Use) bool { return u.API == f.Name && u.FrontEnd }) {
			return manifest.OpensOthers
		}
	}
	return 0
}

// probe chooses the function of the highest address: whatever moves in a library moves it.
func probe(exports []dynelf.Symbol) (last manifest.Probe) {
	for _, s := range exports {
		if s.Type == elf.STT_FUNC && s.Section != elf.SHN_ABS && s.Section != elf.SHN_UNDEF && s.Value > last.Value {
			last = manifest.Probe{Name: s.Name, Index: s.Index, Value: s.Value}
		}
	}
	return last
}

// buildID longer than the manifest's field is as good as none: symbols are then looked up by name.
func buildID(id []byte) []byte {
	if len(id) > 32 {
		return nil
	}
	return id
}
