package capsule

import (
	"debug/elf"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// Names in the capsule root's symbol table (cshim/root/root.h).
const (
	wrapperPrefix  = "override$"
	polyfillPrefix = "polyfill$"
)

// allocator lists malloc and its family. They mean what the base namespace's global scope says, so that a game with
// an allocator of its own, or one in LD_PRELOAD, frees what the driver allocated and the other way round.
var allocator = map[string]bool{"malloc": true, "calloc": true, "realloc": true, "free": true, "cfree": true,
	"memalign": true, "posix_memalign": true, "aligned_alloc": true, "valloc": true, "pvalloc": true,
	"malloc_usable_size": true, "malloc_trim": true, "mallopt": true, "mallinfo": true, "mallinfo2": true,
	"malloc_stats": true, "reallocarray": true, "free_sized": true, "free_aligned_sized": true}

// privateVersion is what glibc's libraries use among themselves. Nobody else may, and all of them are the runtime's.
const privateVersion = "GLIBC_PRIVATE"

type symbolKey struct{ name, version string }

type answerKind int

const (
	answerRuntime answerKind = iota
	answerWrapper
	answerAlias
	answerPolyfill
	answerMissing
)

// answer says where a symbol of a proxy comes from.
type answer struct {
	kind   answerKind
	text   string // for people
	symbol dso.ProxySymbol
}

// runtimeSymbols finds the runtime's symbols by name and by name and version.
type runtimeSymbols struct {
	exact  map[symbolKey]located
	byName map[string]located // the default version, or the only one
	twice  map[symbolKey]bool // functions that more than one library has
}

type located struct {
	library string
	symbol  *dynelf.Symbol
}

func (p *planner) runtimeSymbols(libraries []string) *runtimeSymbols {
	r := &runtimeSymbols{exact: map[symbolKey]located{}, byName: map[string]located{}, twice: map[symbolKey]bool{}}
	for _, name := range libraries {
		l := p.in.Runtime.Libraries[name]
		if l == nil {
			continue
		}
		for i := range l.Exports {
			s := &l.Exports[i]
			if s.Type == elf.STT_TLS || s.Version == privateVersion {
				continue
			}
			at := located{name, s}
			key := symbolKey{s.Name, s.Version}
			if _, ok := r.exact[key]; ok {
				r.twice[key] = true
			} else {
				r.exact[key] = at
			}
			// Of several old versions of a function the newest is nearest to what a newer glibc has; it is the
			// default one. A function that lost its default (removed from the API) is taken only if nothing
			// better is there.
			if old, ok := r.byName[s.Name]; !ok || (s.Default && !old.symbol.Default) {
				r.byName[s.Name] = at
			}
		}
	}
	return r
}

// answerSymbols decides each proxy's symbol table: all that the runtime's library has, and all that the host's own
// library of that SONAME could be asked for besides.
func (p *planner) answerSymbols() {
	wrappers, polyfills := p.rootSymbols()
	libc := p.runtimeSymbols(append(slices.Clone(p.rules.Libc), p.in.Arch.LoaderSoname))
	p.answers = map[string]map[symbolKey]answer{}
	for _, name := range slices.Sorted(maps.Keys(p.shared)) {
		known := libc
		if !p.isLibc(name) {
			known = p.runtimeSymbols([]string{name})
		}
		b := &proxyBuilder{p: p, soname: name, known: known, wrappers: wrappers, polyfills: polyfills,
			answers: map[symbolKey]answer{}, sources: map[string]int{}}
		b.build()
		p.answers[name] = b.answers
	}
}

// rootSymbols reads the capsule root's names.
func (p *planner) rootSymbols() (wrappers, polyfills map[string]*dynelf.Symbol) {
	wrappers, polyfills = map[string]*dynelf.Symbol{}, map[string]*dynelf.Symbol{}
	for i := range p.in.Root {
		s := &p.in.Root[i]
		if name, ok := strings.CutPrefix(s.Name, wrapperPrefix); ok {
			wrappers[name] = s
		} else if name, ok := strings.CutPrefix(s.Name, polyfillPrefix); ok {
			polyfills[name] = s
		}
	}
	return wrappers, polyfills
}

// demand is what a host library asks of a runtime library.
type demand struct {
	library string
	key     symbolKey
}

// reportDemands lists the symbols which the runtime is too old for and that the plan's host libraries refer to.
func (p *planner) reportDemands() {
	wanted := map[demand][]string{}
	for _, l := range p.in.Host.Libraries {
		if !p.loaded[l] {
			continue
		}
		for _, s := range l.Imports {
			if d, ok := p.demandOf(l, &s); ok && !slices.Contains(wanted[d], l.Name) {
				wanted[d] = append(wanted[d], l.Name)
			}
		}
	}
	symbols := &p.plan.Symbols
	symbols.Polyfills, symbols.Aliases, symbols.Missing = []Bridged{}, []Bridged{}, []Bridged{}
	for d, by := range wanted {
		a := p.answers[d.library][d.key]
		sort.Strings(by)
		bridged := Bridged{Library: d.library, Symbol: d.key.name, Version: d.key.version, Answer: a.text, NeededBy: by}
		switch a.kind {
		case answerPolyfill:
			symbols.Polyfills = append(symbols.Polyfills, bridged)
		case answerAlias:
			symbols.Aliases = append(symbols.Aliases, bridged)
		case answerMissing:
			symbols.Missing = append(symbols.Missing, bridged)
		}
	}
	for _, list := range [][]Bridged{symbols.Polyfills, symbols.Aliases, symbols.Missing} {
		sort.Slice(list, func(a, b int) bool {
			x, y := list[a], list[b]
			return x.Library < y.Library || x.Library == y.Library &&
				(x.Symbol < y.Symbol || x.Symbol == y.Symbol && x.Version < y.Version)
		})
	}
	for _, answers := range p.answers {
		for _, a := range answers {
			switch a.kind {
			case answerRuntime:
				symbols.Counts.Runtime++
			case answerWrapper:
				symbols.Counts.Wrappers++
			case answerAlias:
				symbols.Counts.Aliases++
			case answerPolyfill:
				symbols.Counts.Polyfills++
			case answerMissing:
				symbols.Counts.Missing++
			}
		}
	}
}

// demandOf finds the proxy that an undefined symbol of l is bound to: by the version's file, or, for a symbol without
// version (libX11 has none), among the libraries it needs.
func (p *planner) demandOf(l *HostLibrary, s *dynelf.Symbol) (demand, bool) {
	key := symbolKey{s.Name, s.Version}
	if s.Version != "" {
		_, ok := p.answers[s.Library][key]
		return demand{s.Library, key}, ok && p.shared[s.Library]
	}
	for _, i := range l.Deps {
		name := p.in.Host.Libraries[i].Name
		if _, ok := p.answers[name][key]; ok && p.shared[name] {
			return demand{name, key}, true
		}
	}
	return demand{}, false
}
