package hostlibs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldso"
)

// closure adds the C library's own libraries, and whatever the libraries found so far need.
func (d *discovery) closure() error {
	for _, name := range d.rules.Libc {
		if _, err := d.addRoot(name, Use{Role: RoleDependency}, "the host's C library: what its drivers may ask of one"); err != nil {
			return err
		}
	}
	return d.closeOver()
}

// closeOver adds what the libraries need that are new since the last time, breadth first, as ld.so loads.
func (d *discovery) closeOver() error {
	for ; d.closed < len(d.all); d.closed++ { // d.all grows meanwhile
		l := d.all[d.closed]
		for _, name := range l.File.Needed {
			dep, err := d.need(l, name)
			if err != nil {
				return err
			}
			if dep == nil {
				l.Unresolved = append(l.Unresolved, name)
			} else if !slices.Contains(l.Deps, dep) {
				l.Deps = append(l.Deps, dep)
			}
		}
	}
	return nil
}

// need finds what l's DT_NEEDED means. As in ld.so, a library of that name that is there already is it.
func (d *discovery) need(l *Library, name string) (*Library, error) {
	if dep := d.byName[name]; dep != nil {
		return dep, nil
	}
	var from []ldso.Loader
	for p := l; p != nil; p = d.parent[p] {
		from = append(from, ldso.Loader{Path: d.shown[p], File: p.File})
	}
	file, how, err := d.find(name, from...)
	if errors.Is(err, ldso.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dep, fresh, err := d.add(file, how)
	if isDamage(err) {
		if d.forOpened(l) {
			d.problems = append(d.problems, fmt.Sprintf("%v: %s does without", err, l.Name))
		} else if d.broken[l] == nil {
			d.broken[l] = fmt.Errorf("host library %s needs a damaged one: %w", d.root.HostPath(l.Path), err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if fresh {
		dep.Role, dep.Why, dep.Found = RoleDependency, "DT_NEEDED of "+l.Name, FoundNeeded
		d.parent[dep] = l
	}
	d.byName[name] = dep
	return dep, nil
}

// forOpened says that a library is there for one that another opens if it can: what is wrong with it is no reason to end.
func (d *discovery) forOpened(l *Library) bool {
	for d.parent[l] != nil {
		l = d.parent[l]
	}
	return l.Role == RoleOpened
}

func isDamage(err error) bool {
	return errors.Is(err, dynelf.ErrNotELF) || errors.Is(err, dynelf.ErrCorrupt) || errors.Is(err, dynelf.ErrTruncated)
}

// symbols reads all libraries' symbols. A damaged one has none: ld.so will refuse it.
func (d *discovery) symbols() error {
	damaged := make([]error, len(d.all))
	err := d.each(d.all, func(i int, l *Library) error {
		err := d.readSymbols(l)
		if isDamage(err) {
			damaged[i], err = err, nil
		}
		return err
	})
	for i, e := range damaged {
		if e != nil && d.forOpened(d.all[i]) {
			d.problems = append(d.problems, fmt.Sprintf("%v: its opener does without", e))
		} else if e != nil {
			d.broken[d.all[i]] = e
		}
	}
	return err
}

// each calls f for all libraries with as many threads as there are processors, the largest files first: one of them (LLVM)
// takes as long as all others.
func (d *discovery) each(libraries []*Library, f func(i int, l *Library) error) error {
	type job struct {
		i    int
		size int64
		err  error
	}
	jobs := make([]job, len(libraries))
	for i, l := range libraries {
		st, err := d.root.Stat(l.Path)
		if err != nil {
			return err
		}
		jobs[i] = job{i: i, size: st.Size}
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(b.size, a.size) })
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				jobs[i].err = f(jobs[i].i, libraries[jobs[i].i])
			}
		}()
	}
	wg.Wait()
	for i := range jobs { // the first in a fixed order, whoever was first to fail
		if jobs[i].err != nil {
			return jobs[i].err
		}
	}
	return nil
}

func (d *discovery) readSymbols(l *Library) error {
	return d.read(l, func(f io.ReaderAt, size int64) (err error) {
		l.Exports, l.Imports, err = dynelf.Symbols(f, size)
		return err
	})
}

// read hands a library's file to a reader, whose error means that the file is damaged.
func (d *discovery) read(l *Library, reader func(f io.ReaderAt, size int64) error) error {
	f, err := d.root.OpenFile(l.Path)
	if err != nil {
		return fmt.Errorf("host library: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("host library: %w", err)
	}
	if err := reader(f, st.Size()); err != nil {
		return d.damaged(l.Path, err)
	}
	return nil
}

// sorted returns all that the roots lead to, each library behind what it needs.
func sorted(roots []*Library) []*Library {
	var out []*Library
	seen := map[*Library]bool{}
	var visit func(*Library)
	visit = func(l *Library) {
		if seen[l] {
			return
		}
		seen[l] = true
		for _, dep := range l.Deps {
			visit(dep)
		}
		out = append(out, l)
	}
	for _, l := range roots {
		visit(l)
	}
	return out
}
