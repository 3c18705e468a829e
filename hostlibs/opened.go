package hostlibs

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldso"
)

// maxOpened bounds the libraries that are taken for what others open.
const maxOpened = 512

// opened adds what the libraries open with dlopen, and what that needs. The most trustworthy sign of a library goes
// first, so that it has that label: what the opener itself says, the rules' lists, a release that belongs together, and
// last the names among its constants. What these lead to is not looked through again: a name in a name's library is
// nobody's driver.
func (d *discovery) opened() error {
	if err := d.declared(); err != nil {
		return err
	}
	constants, err := d.constants()
	if err != nil {
		return err
	}
	for _, c := range constants {
		for _, name := range c.names {
			if _, err := d.open(c.by, name, FoundConstant, "named by a string constant of "+c.by.Name); err != nil {
				return err
			}
		}
	}
	return d.declared()
}

// declared follows notes, lists and versions until there is nothing new.
func (d *discovery) declared() error {
	for i := 0; i < len(d.all); i++ { // d.all grows meanwhile
		l := d.all[i]
		if d.private(l) {
			continue
		}
		for _, stage := range []func(*Library) error{d.notes, d.lists, d.versions} {
			if err := stage(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// private says that a library's own business is none of the capsule's: it is shared with the runtime in the process.
func (d *discovery) private(l *Library) bool {
	return slices.Contains(d.rules.Libc, l.Name) || slices.Contains(d.rules.Interop, l.Name) || l.Name == d.arch.LoaderSoname
}

// notes: of the alternatives of one entry the first that is there.
func (d *discovery) notes(l *Library) error {
	for _, n := range l.File.Dlopen {
		why := "opened by " + l.Name
		if n.Feature != "" {
			why += " for " + n.Feature
		}
		if n.Priority != "" {
			why += ", " + n.Priority
		}
		for _, name := range n.Sonames {
			there, err := d.open(l, name, FoundNote, why+" (.note.dlopen)")
			if err != nil {
				return err
			}
			if there {
				break
			}
		}
	}
	return nil
}

func (d *discovery) lists(l *Library) error {
	version := fileVersion(l.Path)
	for _, rule := range d.rules.Opens {
		if ok, _ := path.Match(rule.Library, l.Name); !ok {
			continue
		}
		for _, name := range rule.Names {
			if strings.Contains(name, "$VERSION") && version == "" {
				continue
			}
			name = strings.ReplaceAll(name, "$VERSION", version)
			if _, err := d.open(l, name, FoundList, fmt.Sprintf("opened by %s (%s)", l.Name, rule.File)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileVersion is what follows ".so." in a file's name, if it is a release of its own: 550.163.01, not 1.
func fileVersion(file string) string {
	_, version, _ := strings.Cut(path.Base(file), ".so.")
	if strings.Trim(version, "0123456789.") != "" || !strings.Contains(version, ".") {
		return ""
	}
	return version
}

// versions adds the other libraries of a release.
func (d *discovery) versions(l *Library) error {
	version := fileVersion(l.Path)
	if version == "" {
		return nil
	}
	for _, rule := range d.rules.Opens {
		if ok, _ := path.Match(rule.Library, l.Name); !ok || len(rule.SameVersion) == 0 {
			continue
		}
		for _, dir := range append([]string{path.Dir(l.Path)}, d.libDirs...) {
			for _, name := range d.matching(dir, "lib*.so."+version) {
				stem, _, _ := strings.Cut(name, ".so.")
				if !matchesAny(rule.SameVersion, stem) || matchesAny(rule.Except, stem) {
					continue
				}
				why := fmt.Sprintf("of the same version, %s, as %s (%s)", version, l.Name, rule.File)
				if _, err := d.open(l, path.Join(dir, name), FoundVersion, why); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

// constant names what one library's constants say.
type constant struct {
	by    *Library
	names []string
}

// constants looks through drivers and what they need.
func (d *discovery) constants() ([]constant, error) {
	rule := d.rules.Constants
	if rule.Off {
		return nil, nil
	}
	var wanted []*Library
	seen := map[*Library]bool{}
	var visit func(l *Library, dependency bool) error
	visit = func(l *Library, dependency bool) error {
		if seen[l] || d.private(l) {
			return nil
		}
		seen[l] = true
		st, err := d.root.Stat(l.Path)
		if err != nil {
			return err
		}
		if !dependency || rule.Largest == 0 || st.Size <= int64(rule.Largest)<<20 {
			wanted = append(wanted, l)
		}
		for _, dep := range l.Deps {
			if err := visit(dep, true); err != nil {
				return err
			}
		}
		return nil
	}
	for _, l := range d.all {
		if len(l.Uses) > 0 {
			if err := visit(l, false); err != nil {
				return nil, err
			}
		}
	}
	for _, l := range slices.Clone(wanted) { // what drivers open is theirs, too
		for _, o := range l.Opens {
			if err := visit(o, true); err != nil {
				return nil, err
			}
		}
	}
	out := make([]constant, len(wanted))
	err := d.each(wanted, func(i int, l *Library) error {
		return d.read(l, func(f io.ReaderAt, size int64) error {
			names, err := dynelf.Sonames(f, size)
			out[i] = constant{l, slices.DeleteFunc(names, func(n string) bool { return matchesAny(rule.Except, n) })}
			return err
		})
	})
	return out, err
}

// open adds a library that another one opens, with what it needs. One that the host does not have, or that is for programs
// and not for drivers, is no error and is left out; so is one that is damaged, which the opener would do without.
func (d *discovery) open(by *Library, name string, found Found, why string) (there bool, err error) {
	if d.byName[name] == by {
		return false, nil
	}
	file, how, err := d.find(name, ldso.Loader{Path: d.shown[by], File: by.File})
	if errors.Is(err, ldso.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l, fresh, err := d.add(file, how)
	if isDamage(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if fresh {
		if d.openedCount++; d.openedCount > maxOpened {
			return false, fmt.Errorf("host library %s: more than %d libraries are opened by others", d.outside(file), maxOpened)
		}
		l.Role, l.Why, l.Found = RoleOpened, why, found
		d.roots = append(d.roots, l)
		if err := d.closeOver(); err != nil {
			return false, err
		}
	}
	// A loader that is looked for where a driver runs is the program's, not the driver's.
	if found == FoundConstant && slices.ContainsFunc(l.Uses, func(u Use) bool { return u.Role == RoleFrontEnd }) {
		return false, nil
	}
	if l != by && !slices.Contains(by.Opens, l) && !slices.Contains(by.Deps, l) {
		by.Opens = append(by.Opens, l)
	}
	return true, nil
}
