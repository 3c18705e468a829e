package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/layout"
	"github.com/capsule-run/capsule-run/internal/ldso"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// input puts what discover and inspect found into the plan's terms.
func (s *Story) input(o *Options) (*capsule.Input, error) {
	rules, err := configs.Default()
	if err != nil {
		return nil, err
	}
	in := &capsule.Input{Version: Version, HostDir: s.Host.Dir(), RuntimeDir: s.Tree.Dir, RuntimeLayout: s.Tree.Layout,
		Boundary: o.Boundary,
		Cache:    s.Tree.Cache, Rules: capsule.Rules{Libc: rules.Libc, Interop: rules.Interop, Families: families(rules)}}
	for _, side := range s.Sides {
		a, err := side.input(rules)
		if err != nil {
			return nil, err
		}
		in.Architectures = append(in.Architectures, a)
	}
	return in, nil
}

// input reads what the plan may ask of the runtime, because the plan itself reads nothing.
func (s *Side) input(rules *configs.Rules) (*capsule.ArchInput, error) {
	in := &capsule.ArchInput{Arch: s.Tree.Arch, Host: s.host(rules),
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

func families(rules *configs.Rules) []capsule.Family {
	var out []capsule.Family
	for _, f := range rules.Families {
		out = append(out, capsule.Family{Name: f.Name, Group: f.Group, Loaders: f.Loaders})
	}
	return out
}

// driverRoles are the roles of what a loader itself opens.
func driverRoles(rules *configs.Rules) map[hostlibs.Role]bool {
	roles := map[hostlibs.Role]bool{}
	for _, f := range rules.Families {
		for _, l := range f.Libraries {
			roles[hostlibs.Role(l.Role)] = l.Driver
		}
		for _, m := range f.Manifests {
			roles[hostlibs.Role(m.Role)] = m.Driver
		}
	}
	return roles
}

func (s *Side) host(rules *configs.Rules) capsule.Host {
	drivers := driverRoles(rules)
	var h capsule.Host
	index := map[*hostlibs.Library]int{}
	for i, l := range s.Stack.Libraries {
		index[l] = i
	}
	for _, l := range s.Stack.Libraries {
		out := &capsule.HostLibrary{Name: l.Name, Path: l.Path, Source: s.Stack.Root.HostPath(l.Path), Aliases: l.Aliases,
			Reason: l.Why, FrontEnd: l.Role == hostlibs.RoleFrontEnd, Requested: l.Role == hostlibs.RoleRequested,
			Dependency: l.Role == hostlibs.RoleDependency, API: l.API, Driver: drivers[l.Role],
			File: l.File, Exports: l.Exports, Imports: l.Imports, Unresolved: l.Unresolved}
		for _, d := range l.Deps {
			out.Deps = append(out.Deps, index[d])
		}
		h.Libraries = append(h.Libraries, out)
	}
	for _, m := range s.Stack.Manifests {
		if m.Library != nil {
			h.Manifests = append(h.Manifests, capsule.HostManifest{API: m.API, Kind: m.Kind, Path: m.Path, Text: m.Text,
				Key: m.Rule.Key, Library: index[m.Library], Variables: m.Rule.Variables})
		}
	}
	for _, d := range s.Stack.Data {
		out := capsule.HostData{Path: d.Path, Reason: d.Why}
		for _, f := range d.Files {
			out.Files = append(out.Files, capsule.DataFile{Path: f.Path, Source: f.Source})
		}
		h.Data = append(h.Data, out)
	}
	return h
}

// launchRecord is what a warm launch needs of a build besides its files.
type launchRecord struct {
	Top    []layout.Top `json:"top"`
	Mounts []mount.Op   `json:"mounts"` // sources of generated files relative to the build
	// Tunable is what the program's GLIBC_TUNABLES gets.
	Tunable string `json:"tunable,omitempty"`
	// Environment is what the program's gets besides.
	Environment map[string]string `json:"environment,omitempty"`
}

func (s *Story) record() (build.Record, error) {
	l := launchRecord{Mounts: s.Plan.Mounts, Tunable: s.Plan.Tunable(), Environment: s.Plan.Environment}
	for _, t := range s.Tree.Top {
		top := layout.Top{Name: t.Name, Source: t.Source, Link: t.Link}
		if t.Link == "" && (t.Name == "etc" || t.Name == "var") {
			var err error
			if top.Entries, err = entries(s.Tree.Root, "/"+t.Name); err != nil {
				return build.Record{}, err
			}
		}
		l.Top = append(l.Top, top)
	}
	text, err := json.Marshal(l)
	if err != nil {
		return build.Record{}, fmt.Errorf("encode the launch: %w", err)
	}
	inputs := append([]rootfs.Access(nil), s.Host.Trace()...)
	return build.Record{Inputs: append(inputs, s.Tree.Root.Trace()...), Launch: text}, nil
}

// entries lists a directory of the runtime that the new root has as links. It is recorded as an input: a file that
// is added to the runtime's /etc must show.
func entries(root *rootfs.Root, dir string) ([]layout.Entry, error) {
	names, err := root.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []layout.Entry
	for _, name := range names {
		e := layout.Entry{Name: name}
		info, err := root.Lstat(path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if info.Mode&fs.ModeSymlink != 0 {
			if e.Link, err = root.Readlink(path.Join(dir, name)); err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

func launchOf(b *build.Built) (*launchRecord, error) {
	var l launchRecord
	if err := json.Unmarshal(b.Record.Launch, &l); err != nil {
		return nil, fmt.Errorf("read the launch record of %s: %w", b.Dir, err)
	}
	return &l, nil
}

// environ is the program's environment with what the plan adds. A variable that lists drivers is replaced: discovery has
// honoured what it said.
func (l *launchRecord) environ(environ []string) []string {
	out := slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		_, replaced := l.Environment[name]
		return replaced
	})
	for _, name := range slices.Sorted(maps.Keys(l.Environment)) {
		out = append(out, name+"="+l.Environment[name])
	}
	return capsule.SetTunable(out, l.Tunable)
}
