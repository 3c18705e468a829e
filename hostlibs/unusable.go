package hostlibs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/capsule-run/capsule-run/configs"
)

// findUnusable notes the drivers that ld.so would refuse: they are damaged, or something is that
// they need, or that is not on the host. What programs link with, or the user asks for, is no
// driver among others: there damage is an error.
func (d *discovery) findUnusable() error {
	for _, l := range d.roots {
		if l.Role == RoleOpened {
			continue // its opener does without
		}
		driver := d.dispensable(l) && !slices.ContainsFunc(l.Uses, func(u Use) bool { return u.Role == RoleFrontEnd })
		by, why := d.refused(l, driver, map[*Library]bool{})
		if why == nil {
			continue
		}
		if !d.dispensable(l) {
			return why
		}
		st, err := d.root.Stat(l.Path)
		if err != nil {
			return err
		}
		if by != l {
			why = fmt.Errorf("host library %s cannot be loaded: %w", d.root.HostPath(l.Path), why)
		}
		d.more[fileID{st.Dev, st.Ino}] = why
	}
	return nil
}

// refused says why ld.so would not load a library, and for which of those that it needs; lacking
// says that what is missing counts.
func (d *discovery) refused(l *Library, lacking bool, seen map[*Library]bool) (by *Library, why error) {
	if seen[l] || d.private(l) {
		return nil, nil
	}
	seen[l] = true
	if err := d.broken[l]; err != nil {
		return l, err
	}
	for _, name := range l.Unresolved {
		// The runtime has those that both sides share.
		if lacking && !slices.Contains(d.rules.Interop, name) && !slices.Contains(d.rules.Libc, name) && name != d.arch.LoaderSoname {
			err := fmt.Errorf("%s, %w", name, ErrUnusable)
			if denied := d.deniedOf(name); denied != "" {
				err = fmt.Errorf("%s: %w", denied, fs.ErrPermission)
			}
			return l, fmt.Errorf("host library %s needs %w", d.root.HostPath(l.Path), err)
		}
	}
	for _, dep := range l.Deps {
		if by, why = d.refused(dep, lacking, seen); why != nil {
			return by, why
		}
	}
	return nil, nil
}

// dispensable says that programs go on without a library: it is a driver, or of an API that not
// every host has.
func (d *discovery) dispensable(l *Library) bool {
	if l.Role == RoleRequested || len(l.Uses) == 0 {
		return false
	}
	return !slices.ContainsFunc(l.Uses, func(u Use) bool {
		return u.Role == RoleFrontEnd && slices.ContainsFunc(d.rules.Families, func(f configs.Family) bool {
			return f.Name == u.API && required(&f)
		})
	})
}

// isUnusable is what an earlier look found out about a file.
func (d *discovery) isUnusable(file string) error {
	st, err := d.root.Stat(file)
	if err != nil {
		return nil // whoever opens it says so
	}
	return d.unusable[fileID{st.Dev, st.Ino}]
}

// isRefusal says that an error is about a file that a loader passes over.
func isRefusal(err error) bool {
	return slices.ContainsFunc(refusals, func(known error) bool { return errors.Is(err, known) })
}

// withoutLayer tells of a layer that is left out. A program that does not ask for it misses
// nothing, so no launch tells.
func (d *discovery) withoutLayer(api string, err error) {
	d.problems = append(d.problems, fmt.Sprintf("%s: %v: left out", api, err))
}

// named says that a variable names the file itself: then the user is told what is wrong with it,
// and nothing is run.
func (d *discovery) named(rule *configs.Manifests, file string) bool {
	for _, name := range append(slices.Clone(rule.FilesEnvironment), rule.AddEnvironment) {
		if slices.ContainsFunc(list(d.getenv(name)), func(p string) bool { return path.Clean(p) == file }) {
			return true
		}
	}
	return false
}

// says is what stands in a manifest's way.
func (d *discovery) says(m *Manifest) string {
	if m.Path == "" {
		return m.Skipped
	}
	return fmt.Sprintf("host manifest %s: %s", d.outside(m.Path), m.Skipped)
}
