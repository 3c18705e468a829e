package hostlibs

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldso"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// Discover finds the stack of one architecture. A front end or driver that is not there is no
// error. A driver that is there and cannot be loaded is left out, with a word in LeftOut, as its
// loader would pass over it. A damaged front end is an error, and so is what the user asks for by
// name: the error names the file and has a hint (fault.Hint). A host without any is ErrNoStack.
func Discover(root *rootfs.Root, a *arch.Arch, o Options) (*Stack, error) {
	unusable := map[fileID]error{}
	for {
		// That a driver cannot be loaded shows last of all. It is then as if it had never been
		// found: what it needs or opens is no part of the stack, and nothing is searched by its
		// DT_RPATH.
		d, err := newDiscovery(root, a, o)
		if err != nil {
			return nil, err
		}
		d.unusable = unusable
		stack, err := d.discover()
		if err != nil || len(d.more) == 0 {
			return stack, err
		}
		maps.Copy(unusable, d.more)
	}
}

// discover looks once. Where d.more has something, what it found is not to be used.
func (d *discovery) discover() (*Stack, error) {
	for _, stage := range []func() error{
		d.frontEnds,
		d.drivers,
		d.manifests,
		d.requested,
		d.closure,
		d.findUnusable, // damaged, or without what they need
		d.checkLibc,
		d.opened, // from here on the graph has no new library
		d.symbols,
		d.findUnusable, // by their symbols
	} {
		if err := stage(); err != nil || len(d.more) > 0 {
			return nil, err
		}
	}
	if !d.any {
		return nil, d.noStack()
	}
	if err := d.dataFiles(); err != nil {
		return nil, err
	}
	d.findTools()
	d.reportDenied()
	return &Stack{Root: d.root, Arch: d.arch, Libraries: sorted(d.roots), Manifests: d.found, Data: d.data, Programs: d.programs(),
		Tools: d.tools, Settings: d.findSettings(), LeftOut: d.leftOut, Problems: d.problems}, nil
}

// discovery is the state of one Discover.
type discovery struct {
	root     *rootfs.Root
	arch     *arch.Arch
	rules    *configs.Rules
	getenv   func(string) string
	wanted   []string
	searcher *ldso.Searcher
	others   []*ldso.Searcher // of the other architectures, once they are asked for
	dirs     []string         // the configured ones
	libDirs  []string         // where modules may be: the loader's directories and the configured ones

	any    bool       // a front end or a driver was found
	roots  []*Library // in the order found; the closure starts from them
	all    []*Library
	found  []*Manifest
	data   []DataFile
	tools  []*Tool
	byName map[string]*Library
	byFile map[fileID]*Library
	closed int                   // how many of all have their Deps
	parent map[*Library]*Library // what made it needed first
	shown  map[*Library]string   // the path by which it was found first

	openedCount int
	leftOut     []string
	problems    []string
	denied      map[string]bool // outside paths of directories that this user may not list

	broken   map[*Library]error // which ld.so would refuse, and why
	unusable map[fileID]error   // drivers that an earlier look found to be so, or to need such a library
	more     map[fileID]error   // and those that this one did
}

// fileID identifies a file whatever its name: hard links are one library to ld.so.
type fileID struct{ dev, ino uint64 }

func newDiscovery(root *rootfs.Root, a *arch.Arch, o Options) (*discovery, error) {
	d := &discovery{root: root, arch: a, rules: o.Rules, getenv: o.Getenv, wanted: o.Libraries,
		byName: map[string]*Library{}, byFile: map[fileID]*Library{}, parent: map[*Library]*Library{},
		shown: map[*Library]string{}, denied: map[string]bool{}, broken: map[*Library]error{}, more: map[fileID]error{}}
	if d.getenv == nil {
		d.getenv = func(string) string { return "" }
	}
	var err error
	if d.rules == nil {
		if d.rules, err = configs.Default(); err != nil {
			return nil, err
		}
	}
	if d.searcher, err = ldso.New(root, a); err != nil {
		return nil, fault.WithHint(fmt.Errorf("host %s: %w", root.Dir(), err), "make the cache again with: ldconfig -r "+root.Dir())
	}
	d.libDirs = d.searcher.Dirs()
	d.dirs = d.directories()
	for _, dir := range d.dirs {
		if _, err := root.Stat(dir); err == nil {
			d.libDirs = append(d.libDirs, dir)
		}
	}
	return d, nil
}

// directories are those of the rules, with $HOME as the environment has it.
func (d *discovery) directories() []string {
	var out []string
	for _, dir := range d.rules.Directories {
		if below, ok := strings.CutPrefix(dir, "$HOME/"); ok {
			home := d.getenv("HOME")
			if !path.IsAbs(home) {
				continue
			}
			dir = path.Join(home, below)
		}
		if !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// find asks the loader's rules, and then looks in the configured directories.
func (d *discovery) find(name string, from ...ldso.Loader) (file, how string, err error) {
	file, how, err = d.searcher.Find(name, from...)
	if !errors.Is(err, ldso.ErrNotFound) || strings.Contains(name, "/") {
		return file, how, err
	}
	extra := ldso.Loader{Path: "/", File: &dynelf.File{RunPath: d.dirs}}
	if file, _, err := d.searcher.Find(name, extra); err == nil {
		return file, "directory of the rules", nil
	}
	return "", "", err
}

// addRoot adds a library that is wanted for itself, if the host has it.
func (d *discovery) addRoot(name string, use Use, why string) (*Library, error) {
	file, how, err := d.find(name)
	if errors.Is(err, ldso.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.addRootFile(file, how, use, why)
}

func (d *discovery) addRootFile(file, how string, use Use, why string) (*Library, error) {
	if err := d.isUnusable(file); err != nil {
		return nil, err
	}
	l, fresh, err := d.add(file, how)
	if err != nil {
		return nil, err
	}
	if fresh {
		l.Role, l.API, l.Why, l.Found = use.Role, use.API, why, use.found()
		d.roots = append(d.roots, l)
	}
	l.addUse(use)
	return l, nil
}

// addUse notes what a library is for, once for each API and role. A dependency and a request are of no API.
func (l *Library) addUse(use Use) {
	if use.API == "" {
		return
	}
	for i := range l.Uses {
		u := &l.Uses[i]
		if u.API != use.API || u.Role != use.Role {
			continue
		}
		u.Driver = u.Driver || use.Driver
		for _, n := range use.Names {
			if !slices.Contains(u.Names, n) {
				u.Names = append(u.Names, n)
			}
		}
		return
	}
	l.Uses = append(l.Uses, use)
}

// add reads a library once, however many paths lead to it; fresh says that it was not known yet.
func (d *discovery) add(file, how string) (l *Library, fresh bool, err error) {
	st, err := d.root.Stat(file)
	if err != nil {
		return nil, false, err
	}
	id := fileID{st.Dev, st.Ino}
	if l = d.byFile[id]; l != nil {
		d.alias(l, file)
		return l, false, nil
	}
	l = &Library{Path: st.Path, How: how}
	f, err := d.root.OpenFile(st.Path)
	if err != nil {
		return nil, false, fmt.Errorf("host library: %w", err)
	}
	defer f.Close()
	if l.File, err = dynelf.Read(f, st.Size); err != nil {
		return nil, false, d.damaged(st.Path, err)
	}
	if l.Name = l.File.Soname; l.Name == "" {
		l.Name = path.Base(st.Path)
	}
	d.byFile[id], d.shown[l] = l, file
	d.all = append(d.all, l)
	if d.byName[l.Name] == nil {
		d.byName[l.Name] = l
	}
	d.alias(l, file)
	return l, true, nil
}

// alias enters the paths by which a library may be opened, given one of them: that itself, the same name in its
// directory by the directory's canonical name, and its SONAME beside it.
func (d *discovery) alias(l *Library, file string) {
	file = path.Clean(file) // of a path with ".." after a link, the other two are right
	names := []string{file}
	if dir, err := d.root.Resolve(path.Dir(file)); err == nil {
		names = append(names, path.Join(dir, path.Base(file)))
	}
	names = append(names, path.Join(path.Dir(l.Path), l.Name), l.Path)
	for _, n := range names {
		st, err := d.root.Stat(n)
		if err != nil || n == l.Path || d.byFile[fileID{st.Dev, st.Ino}] != l {
			continue
		}
		l.addAlias(n)
	}
}

func (l *Library) addAlias(p string) {
	for i, a := range l.Aliases {
		if a == p {
			return
		}
		if a > p {
			l.Aliases = append(l.Aliases[:i], append([]string{p}, l.Aliases[i:]...)...)
			return
		}
	}
	l.Aliases = append(l.Aliases, p)
}

func (d *discovery) damaged(p string, err error) error {
	return fault.WithHint(fmt.Errorf("host library %s: %w", d.root.HostPath(p), err),
		"the file is damaged: install the package that it belongs to again")
}
