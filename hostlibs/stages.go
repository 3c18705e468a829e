package hostlibs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

func (d *discovery) frontEnds() error {
	for _, f := range d.rules.Families {
		for _, name := range f.FrontEnds {
			l, err := d.addRoot(name, Use{API: f.Name, Role: RoleFrontEnd, Names: []string{name}}, fmt.Sprintf("front end of %s (%s)", f.Name, f.File))
			if err = d.tolerate(&f, err, true); err != nil {
				return err
			}
			d.any = d.any || l != nil
		}
	}
	return nil
}

// tolerate turns what is wrong with a file into a word in Stack.LeftOut, where a loader would pass
// over the file. indispensable says that none would: programs link with it, or the user names it.
// Even then one that may not be read is left out, and one of an API that not every host has: who
// starts a game need not mend OpenCL first.
func (d *discovery) tolerate(f *configs.Family, err error, indispensable bool) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission), isRefusal(err) && !(indispensable && required(f)):
		d.leaveOut(f, err.Error())
		return nil
	}
	return err
}

// required says that an API is one that no host is without.
func required(f *configs.Family) bool { return len(f.Loaders) > 0 && !f.Optional }

// refusals are errors about a file itself. Others (the machine is short of memory, a disk fails)
// say nothing of it.
var refusals = []error{ErrManifest, ErrUnusable, dynelf.ErrNotELF, dynelf.ErrTruncated, dynelf.ErrCorrupt, rootfs.ErrTooLarge,
	rootfs.ErrNotRegular, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG}

// leaveOut tells of a driver that is, once.
func (d *discovery) leaveOut(f *configs.Family, why string) {
	if text := fmt.Sprintf("%s: %s: left out", f.Name, why); !slices.Contains(d.leftOut, text) {
		d.leftOut = append(d.leftOut, text)
	}
}

// drivers finds what front ends open without a manifest: vendor libraries by name, modules by directory.
func (d *discovery) drivers() error {
	for i := range d.rules.Families {
		f := &d.rules.Families[i]
		for _, rule := range f.Libraries {
			if err := d.driverLibraries(f, rule); err != nil {
				return err
			}
		}
		for j := range f.Modules {
			if err := d.modules(f, &f.Modules[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *discovery) driverLibraries(f *configs.Family, rule configs.Libraries) error {
	names, err := d.searcher.Match(rule.Match)
	if err != nil {
		return err
	}
	for _, dir := range d.dirs {
		names = append(names, d.matching(dir, rule.Match)...)
	}
	for _, name := range names {
		why := fmt.Sprintf("%s of %s, named %s (%s)", rule.Role, f.Name, rule.Match, f.File)
		l, err := d.addRoot(name, Use{API: f.Name, Role: Role(rule.Role), Driver: rule.Driver, Names: []string{name}}, why)
		if err = d.tolerate(f, err, rule.Role == string(RoleFrontEnd)); err != nil {
			return err
		}
		d.any = d.any || l != nil
	}
	return nil
}

func (d *discovery) modules(f *configs.Family, rule *configs.Modules) error {
	dirs, by := list(d.getenv(rule.Environment)), " in "+rule.Environment
	if len(dirs) == 0 {
		by = ""
		for _, dir := range d.libDirs {
			dirs = append(dirs, path.Join(dir, rule.Directory))
		}
	}
	for _, dir := range dirs {
		for _, name := range d.matching(dir, rule.Match) {
			file, how, err := d.searcher.Find(path.Join(dir, name))
			if err != nil || slices.Contains(rule.Except, name) {
				continue // for another architecture, or a link to nothing
			}
			use := Use{API: f.Name, Role: Role(rule.Role), Driver: rule.Driver, Module: rule, Names: []string{name}}
			l, err := d.addRootFile(file, how, use, fmt.Sprintf("%s in %s%s", rule.Role, dir, by))
			if err = d.tolerate(f, err, false); err != nil {
				return err
			}
			d.any = d.any || l != nil
		}
	}
	return nil
}

// requested adds what the user names. A library that is part of the stack already becomes a requested one unless it
// is a front end, which gets a stub anyway.
func (d *discovery) requested() error {
	for _, name := range d.wanted {
		l, err := d.addRoot(name, Use{Role: RoleRequested}, "asked for by --library")
		if err != nil {
			return err
		}
		if denied := d.deniedOf(name); l == nil && denied != "" {
			return fault.WithHint(fmt.Errorf("%s: host library %s: %w", name, denied, fs.ErrPermission),
				"--library asks for it, so it must be readable")
		}
		if l == nil {
			return fault.WithHint(fmt.Errorf("%s: %w %s", name, ErrRequested, d.root.Dir()),
				"give --library a SONAME that the host's ldconfig -p lists, or an absolute path")
		}
		d.any = true
		if l.Role != RoleFrontEnd {
			l.Role, l.Why, l.Found = RoleRequested, "asked for by --library", FoundRequest
		}
	}
	return nil
}

// matching lists the names in a directory that match a pattern, sorted; none if there is no such directory.
func (d *discovery) matching(dir, pattern string) []string {
	if !path.IsAbs(dir) {
		return nil
	}
	names, err := d.root.ReadDir(dir)
	if p := rootfs.Denied(err); p != "" {
		d.denied[p] = true
	}
	if err != nil {
		return nil
	}
	var out []string
	for _, n := range names {
		if ok, _ := path.Match(pattern, n); ok {
			out = append(out, n)
		}
	}
	return out
}

// list splits a colon-separated variable, without empty elements.
func list(s string) []string {
	var out []string
	for _, e := range strings.Split(s, ":") {
		if e != "" {
			out = append(out, e)
		}
	}
	return out
}
