package stages

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldso"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// input puts what discover and inspect found into the plan's terms.
func (s *Story) input(w *Wishes) (*capsule.Input, error) {
	rules := s.Rules
	families, err := families(rules)
	if err != nil {
		return nil, err
	}
	in := &capsule.Input{Version: w.Version, HostDir: s.Host.Dir(), Dir: w.Dir, RuntimeDir: s.Tree.Dir, RuntimeLayout: s.Tree.Layout,
		Boundary: w.Boundary,
		Cache:    s.Tree.Cache, Rules: capsule.Rules{Libc: rules.Libc, Interop: rules.Interop, Families: families}}
	for _, side := range s.Sides {
		a, err := side.input(w, rules)
		if err != nil {
			return nil, err
		}
		if a.Host.Links, err = hostLinks(s.Host); err != nil {
			return nil, err
		}
		if a.Runtime.Layers, err = side.runtimeLayers(w, rules); err != nil {
			return nil, err
		}
		in.Architectures = append(in.Architectures, a)
	}
	return in, nil
}

// hostLinks are the links at the top of the host's root that lead to directories: /lib to /usr/lib, say.
func hostLinks(root *rootfs.Root) ([]capsule.HostLink, error) {
	names, err := root.ReadDir("/")
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	var links []capsule.HostLink
	for _, name := range names {
		from := "/" + name
		if info, err := root.Lstat(from); err != nil || info.Mode&fs.ModeSymlink == 0 {
			continue
		}
		to, err := root.Stat(from)
		if err != nil || !to.Mode.IsDir() || to.Path == "/" {
			continue // of no use to a path
		}
		links = append(links, capsule.HostLink{From: from, To: to.Path})
	}
	return links, nil
}

// input reads what the plan may ask of the runtime, because the plan itself reads nothing.
func (s *Side) input(w *Wishes, rules *configs.Rules) (*capsule.ArchInput, error) {
	in := &capsule.ArchInput{Arch: s.Tree.Arch, Host: s.host(w, rules),
		Runtime: capsule.Runtime{LibcVersion: s.Tree.LibcVersion, Loader: s.Tree.Loader,
			Libraries: map[string]*capsule.RuntimeLibrary{}}}
	wanted := append([]string{s.Tree.Arch.LoaderSoname}, rules.Libc...)
	for _, f := range rules.Families {
		wanted = append(wanted, f.Loaders...)
	}
	for _, name := range append(wanted, rules.Interop...) {
		l, err := s.Tree.Library(name)
		if errors.Is(err, ldso.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		exports, err := l.Exports()
		if err != nil {
			return nil, err
		}
		in.Runtime.Libraries[name] = &capsule.RuntimeLibrary{Name: name, Path: l.Path, File: l.File, Exports: exports}
	}
	root, err := cshim.Object(s.Tree.Arch, cshim.CapsuleRoot)
	if err != nil {
		return nil, fault.WithHint(err, "build capsule-run with `make build`, which compiles them first")
	}
	if in.Root, _, err = dynelf.Symbols(bytes.NewReader(root), int64(len(root))); err != nil {
		return nil, fmt.Errorf("read the capsule root: %w", err)
	}
	return in, nil
}

func families(rules *configs.Rules) ([]capsule.Family, error) {
	var out []capsule.Family
	for _, f := range rules.Families {
		g := capsule.Family{Name: f.Name, Group: f.Group, Loaders: f.Loaders, BundledLoader: f.BundledLoader, Optional: f.Optional,
			Layers: slices.ContainsFunc(f.Manifests, func(m configs.Manifests) bool { return m.BothSides })}
		for _, c := range f.Criteria {
			k := capsule.Criterion{Loader: c.Loader, Exports: c.Exports, Needs: c.Needs, Why: c.Why}
			var err error
			if c.LoaderFile != "" {
				if k.LoaderFile, err = regexp.Compile(c.LoaderFile); err == nil {
					k.DriverSymbol, err = regexp.Compile(c.DriverSymbol)
				}
			}
			if err != nil {
				return nil, fmt.Errorf("%s: family %s: %w", f.File, f.Name, err)
			}
			g.Criteria = append(g.Criteria, k)
		}
		out = append(out, g)
	}
	return out, nil
}

func (s *Side) host(w *Wishes, rules *configs.Rules) capsule.Host {
	h := capsule.Host{Problems: slices.Concat(s.Stack.LeftOut, s.Stack.Problems, withoutShell(s.Tree.Root, s.Stack.Tools))}
	index := map[*hostlibs.Library]int{}
	for i, l := range s.Stack.Libraries {
		index[l] = i
	}
	for _, l := range s.Stack.Libraries {
		out := &capsule.HostLibrary{Name: l.Name, Path: l.Path, Source: s.Stack.Root.HostPath(l.Path), Aliases: l.Aliases,
			Reason: l.Why, Uses: uses(l), Requested: l.Role == hostlibs.RoleRequested,
			File: l.File, Exports: l.Exports, Imports: l.Imports, Unresolved: l.Unresolved}
		out.Found = string(l.Found)
		for _, d := range l.Deps {
			out.Deps = append(out.Deps, index[d])
		}
		for _, o := range l.Opens {
			out.Opens = append(out.Opens, index[o])
		}
		h.Libraries = append(h.Libraries, out)
	}
	for _, m := range s.Stack.Manifests {
		if m.Rule.BothSides {
			if m.Library != nil || m.OnlyCombines() {
				h.Layers = append(h.Layers, layer(w, m, index))
			}
		} else if m.Library != nil {
			r := m.Rule
			h.Manifests = append(h.Manifests, capsule.HostManifest{API: m.API, Kind: m.Kind, Path: m.Path, Text: m.Text,
				Key: r.Key, Library: index[m.Library], Driver: r.Driver, Single: r.First, Variables: r.Variables,
				DirectoryVariable: r.DirectoryVariable,
				Replaces:          append(slices.Clone(r.FilesEnvironment), r.DirectoriesEnvironment, r.AddEnvironment)})
		}
	}
	for _, p := range s.Stack.Programs {
		h.Programs = append(h.Programs, capsule.HostProgram{Name: p.Name, Path: p.Path, Source: s.Stack.Root.HostPath(p.Path),
			Reason: p.Why, File: p.File})
	}
	for _, d := range s.Stack.Data {
		h.Data = append(h.Data, capsule.HostData{Path: d.Path, Reason: d.Why, Tree: d.Tree, Files: dataFiles(d.Files)})
	}
	h.Tools = tools(s.Stack)
	for _, f := range s.Stack.Settings {
		h.Settings = append(h.Settings, capsule.LayerSettings(f))
	}
	return h
}

// withoutShell says of each tool that its script has nothing to run it.
func withoutShell(runtime *rootfs.Root, tools []*hostlibs.Tool) []string {
	var out []string
	for _, t := range tools {
		if _, err := runtime.Stat("/bin/sh"); err != nil {
			out = append(out, fmt.Sprintf("drivers cannot start %s (%s): the runtime has no /bin/sh", t.Path, t.Rule.Why))
		}
	}
	return out
}

func tools(s *hostlibs.Stack) []capsule.HostTool {
	var out []capsule.HostTool
	for _, p := range s.Tools {
		out = append(out, capsule.HostTool{Path: p.Path, Reason: p.Rule.Why, File: capsule.DataFile(p.File),
			Loader: capsule.DataFile(p.Loader), Libraries: dataFiles(p.Libraries), Files: dataFiles(p.Files),
			Arguments: p.Rule.Arguments, DirectoryArgument: p.Rule.DirectoryArgument})
	}
	return out
}

func dataFiles(files []hostlibs.File) []capsule.DataFile {
	var out []capsule.DataFile
	for _, f := range files {
		out = append(out, capsule.DataFile(f))
	}
	return out
}

// layer in the plan's terms; index is nil for the runtime's, whose libraries the plan need not know.
func layer(w *Wishes, m *hostlibs.Manifest, index map[*hostlibs.Library]int) capsule.LayerManifest {
	l := capsule.LayerManifest{API: m.API, Kind: m.Kind, Name: m.Name, Path: m.Path, Text: m.Text, Key: m.Key,
		Opens: m.Opens, Relative: m.Opens != m.LibraryPath, Library: -1, Directory: m.Rule.Directory,
		DirectoriesKey: m.Rule.DirectoriesKey, DirectoriesLayer: m.Rule.DirectoriesLayer}
	if v := m.Rule.DirectoriesEnvironment; v != "" && w.Getenv != nil && w.Getenv(v) != "" {
		l.Variable, l.Value = v, w.Getenv(v)
	}
	if m.Library != nil {
		l.Library = index[m.Library]
	}
	return l
}

// runtimeLayers are those that the runtime's own loader would find.
func (s *Side) runtimeLayers(w *Wishes, rules *configs.Rules) ([]capsule.LayerManifest, error) {
	found, err := hostlibs.BothSides(s.Tree.Root, s.Tree.Arch, hostlibs.Options{Getenv: w.Getenv, Rules: rules})
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	var out []capsule.LayerManifest
	for _, m := range found {
		if m.Skipped == "" || m.OnlyCombines() {
			out = append(out, layer(w, m, nil))
		}
	}
	return out, nil
}

func uses(l *hostlibs.Library) []capsule.Use {
	var out []capsule.Use
	for _, u := range l.Uses {
		use := capsule.Use{API: u.API, FrontEnd: u.Role == hostlibs.RoleFrontEnd, Driver: u.Driver, Layer: u.Layer}
		if u.Module == nil {
			use.Names = slices.DeleteFunc(slices.Clone(u.Names), func(n string) bool { return n == l.Name })
		}
		if m := u.Module; m != nil && u.Driver {
			use.Module = &capsule.Module{Directory: m.Directory, Names: u.Names, Variable: m.Variable, Replaces: []string{m.Environment}}
		}
		out = append(out, use)
	}
	return out
}
