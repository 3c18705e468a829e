package capsule

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"sort"
	"strconv"

	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// linkerSymbols are defined by the link editor in nearly every library and mean nothing to a program.
var linkerSymbols = map[string]bool{"_init": true, "_fini": true, "_edata": true, "_end": true, "__bss_start": true,
	"__bss_start__": true, "__bss_end__": true, "_bss_end__": true, "__end__": true} // the latter on aarch64

// planStubs gives each library that programs or the runtime's loaders open a stub with the host library's functions and
// versions.
func (p *planner) planStubs() {
	for _, l := range p.in.Host.Libraries {
		if !p.loaded[l] || !p.hasStub(l) {
			continue
		}
		stub := dso.Stub{Arch: p.in.Arch, Soname: l.Name, Object: p.object[l.Path], Versions: versions(l.File.VersionDefs)}
		p.placeStub(l, &stub)
		decision := Library{Soname: l.Name, Side: SideStub, Path: l.Path, Inside: path.Join(p.libDir(), stub.File),
			Reason: fmt.Sprintf("%s uses the host's %s: %s", p.userOf(l), l.Name, l.Reason)}
		if len(stub.Names) > 0 {
			decision.Reason += ", by the name " + english(stub.Names)
		}
		for _, s := range l.Exports {
			switch s.Type {
			case elf.STT_FUNC, elf.STT_GNU_IFUNC:
				stub.Symbols = append(stub.Symbols, dso.StubSymbol{Name: s.Name, Version: s.Version, Default: s.Default,
					Bind: stubBind(s.Bind), Size: s.Size, Other: s.Other, HostValue: s.Value, IFunc: s.Type == elf.STT_GNU_IFUNC})
			case elf.STT_OBJECT, elf.STT_TLS, elf.STT_COMMON:
				if s.Section != elf.SHN_ABS {
					decision.Data = append(decision.Data, s.Name)
				}
			case elf.STT_NOTYPE:
				// Hand-written assembly may forget the type; what the link editor defines is no interface.
				if !linkerSymbols[s.Name] && s.Section != elf.SHN_ABS {
					decision.Data = append(decision.Data, s.Name)
				}
			}
		}
		if len(decision.Data) > 0 && p.userOf(l) == "the program" { // loaders ask drivers for functions alone
			p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf(
				"%s exports data, which a stub cannot stand for: a program that uses %s of it gets \"undefined symbol\"",
				l.Name, english(decision.Data)))
		}
		p.plan.artefacts.Stubs = append(p.plan.artefacts.Stubs, stub)
		p.plan.Libraries = append(p.plan.Libraries, decision)
	}
	p.enterCache()
}

// placeStub chooses the stub's file: one that ld.so finds by the SONAME and by the names that programs use in its place, and
// for modules their names in a directory of their own. A second library of the same SONAME, which only paths lead to, has a directory of its own.
func (p *planner) placeStub(l *HostLibrary, stub *dso.Stub) {
	var files, names []string
	byName := l.Requested
	for _, u := range l.Uses {
		if !p.stubbed(l, u) {
			continue
		}
		if u.Module == nil {
			byName = true
			names = append(names, u.Names...)
			continue
		}
		for _, n := range u.Module.Names {
			files = append(files, path.Join(u.Module.Directory, n))
		}
	}
	taken := func(file string) bool {
		return slices.ContainsFunc(p.plan.artefacts.Stubs, func(s dso.Stub) bool { return s.File == file || slices.Contains(s.Names, file) })
	}
	if byName {
		files = append([]string{l.Name}, files...)
	}
	for n := 2; taken(files[0]); n++ {
		files[0] = path.Join(strconv.Itoa(n), l.Name)
	}
	stub.File, stub.Links = files[0], files[1:]
	if stub.File == l.Name { // else a name would lead to the first of that SONAME
		slices.Sort(names)
		stub.Names = slices.DeleteFunc(slices.Compact(names), taken)
	}
	p.stubFile[l] = stub.File
}

// userOf says who opens a stub.
func (p *planner) userOf(l *HostLibrary) string {
	if l.Requested || slices.ContainsFunc(l.Uses, func(u Use) bool { return u.FrontEnd && p.stubbed(l, u) }) {
		return "the program"
	}
	return "the runtime's loader"
}

// stubBind: STB_GNU_UNIQUE is for data; everything else keeps its binding.
func stubBind(b elf.SymBind) elf.SymBind {
	if b == elf.STB_WEAK {
		return elf.STB_WEAK
	}
	return elf.STB_GLOBAL
}

// versions without the base definition, which the writer makes from the SONAME.
func versions(defs []dynelf.VersionDef) []dso.Version {
	var v []dso.Version
	for _, d := range defs {
		if !d.Base {
			v = append(v, dso.Version{Name: d.Name, Parents: d.Parents})
		}
	}
	return v
}

// enterCache notes where ld.so is to find the stubs.
func (p *planner) enterCache() {
	names := []string{"libcapsule.so"}
	for i := range p.plan.artefacts.Stubs {
		s := &p.plan.artefacts.Stubs[i]
		if s.File == s.Soname { // others are opened by path
			names = append(names, s.Soname)
		}
		names = append(names, s.Names...)
	}
	sort.Strings(names)
	for _, name := range names {
		p.plan.stubs = append(p.plan.stubs,
			ldcache.Entry{Name: name, Path: path.Join(p.libDir(), name), Flags: p.in.Arch.CacheFlags})
	}
	p.enterMerged()
}

// merged are libraries that libcapsule.so needs, and a function of each that libc.so.6 has since they went into it (glibc
// 2.34). They are there since then only for programs that are older.
var merged = [][2]string{{"libdl.so.2", "dlmopen"}, {"libpthread.so.0", "pthread_create"}}

// enterMerged leads those that a runtime does without, having nothing older, to its libc.so.6: the loader sees by the file that it
// has that one, and finds the functions and their versions in it.
func (p *planner) enterMerged() {
	for _, m := range merged {
		if p.in.Runtime.Libraries[m[0]] != nil {
			continue
		}
		libc := p.in.Runtime.Libraries["libc.so.6"]
		if libc == nil || !slices.ContainsFunc(libc.Exports, func(s dynelf.Symbol) bool { return s.Name == m[1] }) {
			p.plan.Warnings = append(p.plan.Warnings,
				fmt.Sprintf("the runtime has no %s, without which nothing of the host can be loaded", m[0]))
			continue
		}
		p.plan.stubs = append(p.plan.stubs, ldcache.Entry{Name: m[0], Path: libc.Path, Flags: p.in.Arch.CacheFlags})
	}
}

// cache is the runtime's own ld.so.cache with the stubs put in. What a stub does not stand for is found as before; where
// the runtime has no cache, ld.so goes on to its default directories by itself.
func cache(runtime []ldcache.Entry, plans []*ArchPlan) []ldcache.Entry {
	type key struct {
		name  string
		flags uint32
	}
	stubbed := map[key]bool{}
	var stubs []ldcache.Entry
	for _, p := range plans {
		for _, e := range p.stubs {
			stubbed[key{e.Name, e.Flags}] = true
		}
		stubs = append(stubs, p.stubs...)
	}
	var out []ldcache.Entry
	for _, e := range runtime {
		if !stubbed[key{e.Name, e.Flags}] {
			out = append(out, e)
		}
	}
	return append(out, stubs...)
}
