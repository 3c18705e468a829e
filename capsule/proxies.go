package capsule

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"sort"

	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// proxyBuilder decides one proxy.
type proxyBuilder struct {
	p                   *planner
	soname              string
	known               *runtimeSymbols
	wrappers, polyfills map[string]*dynelf.Symbol
	answers             map[symbolKey]answer
	sources             map[string]int // Base libraries this proxy takes addresses from
	order               []string
}

func (b *proxyBuilder) build() {
	runtime, host := b.p.in.Runtime.Libraries[b.soname], b.p.hostByName[b.soname]
	if runtime != nil {
		b.source(b.soname) // first, also if every symbol comes from elsewhere: it must be loaded
		for i := range runtime.Exports {
			b.add(&runtime.Exports[i])
		}
	}
	if host != nil {
		for i := range host.Exports {
			b.add(&host.Exports[i])
		}
	}
	b.write(runtime, host)
}

// source returns the index of a runtime library in this proxy's list.
func (b *proxyBuilder) source(library string) int {
	if i, ok := b.sources[library]; ok {
		return i
	}
	i := len(b.order)
	b.sources[library] = i
	b.order = append(b.order, library)
	return i
}

// add answers one symbol of the runtime's or the host's library, in this order of preference: a wrapper of ours, the
// runtime's symbol of that version, the runtime's under an older version or in another library (an alias: functions
// that moved into libc in 2.34, functions that got a new version, unless that is another ABI), a polyfill, a slot that
// names it.
func (b *proxyBuilder) add(s *dynelf.Symbol) {
	key := symbolKey{s.Name, s.Version}
	if _, done := b.answers[key]; done || s.Type == elf.STT_TLS || s.Section == elf.SHN_ABS {
		return // SHN_ABS: the version names themselves; TLS cannot be expressed and only glibc uses it
	}
	out := dso.ProxySymbol{Name: s.Name, Version: s.Version, Default: s.Default, Type: s.Type, Bind: stubBind(s.Bind), Size: s.Size, Other: s.Other}
	a := answer{symbol: out}
	if s.Version == privateVersion {
		if s.Name != "__libc_early_init" {
			return
		}
		// ld.so calls it for every new namespace with a libc.so.6 (elf/dl-open.c, since 2.32) and asserts that it
		// exists; the one libc has long been initialised.
		a.symbol.Origin, a.kind = dso.DoNothing, answerWrapper
		b.answers[key] = a
		return
	}
	if w := b.wrappers[s.Name]; w != nil {
		b.fromRoot(&a, w, answerWrapper, "wrapped inside the capsule")
	} else if at, ok := b.known.exact[key]; ok {
		b.fromRuntime(&a, at, answerRuntime, "")
		if at.library != b.soname {
			a.kind, a.text = answerAlias, "the runtime's "+at.library
		}
	} else if at, ok := b.known.byName[s.Name]; ok && !otherABI[key] {
		text := fmt.Sprintf("the runtime's %s of %s", versioned(at.symbol.Name, at.symbol.Version), at.library)
		b.fromRuntime(&a, at, answerAlias, text)
	} else if f := b.polyfills[s.Name]; f != nil {
		b.fromRoot(&a, f, answerPolyfill, "polyfill")
	} else {
		a.kind, a.text = answerMissing, "aborts with its name when called"
		if s.Type == elf.STT_OBJECT {
			a.text = "zeroes"
		}
		a.symbol.Origin = dso.Nowhere
	}
	b.answers[key] = a
}

func (p *planner) isLibc(soname string) bool {
	return soname == p.in.Arch.LoaderSoname || slices.Contains(p.rules.Libc, soname)
}

func versioned(name, version string) string {
	if version == "" {
		return name
	}
	return name + "@" + version
}

func (b *proxyBuilder) fromRoot(a *answer, s *dynelf.Symbol, kind answerKind, text string) {
	a.kind, a.text = kind, text
	a.symbol.Origin, a.symbol.Value = dso.FromRoot, s.Value
	a.symbol.Type, a.symbol.Size, a.symbol.Other = s.Type, s.Size, s.Other
}

func (b *proxyBuilder) fromRuntime(a *answer, at located, kind answerKind, text string) {
	a.kind, a.text = kind, text
	a.symbol.Origin, a.symbol.Source, a.symbol.Value = dso.FromBase, b.source(at.library), at.symbol.Value
	a.symbol.Type, a.symbol.Size, a.symbol.Other = at.symbol.Type, at.symbol.Size, at.symbol.Other
	// Data may have been copied into the program (R_X86_64_COPY): the copy is the one that everybody uses.
	// A function that several libraries of an old glibc have (pthread_mutex_lock in libc and libpthread) is the one
	// that the program is bound to, so that its address is the same on both sides.
	key := symbolKey{at.symbol.Name, at.symbol.Version}
	a.symbol.Global = at.symbol.Type == elf.STT_OBJECT || allocator[a.symbol.Name] || b.known.twice[key]
}

// write enters the proxy into the plan, symbols sorted by name and version.
func (b *proxyBuilder) write(runtime *RuntimeLibrary, host *HostLibrary) {
	p := b.p
	proxy := dso.Proxy{Arch: p.in.Arch, Soname: b.soname, Object: p.object[b.soname],
		Needed: p.proxyNeeds(b.soname)}
	defined := map[string]bool{}
	for _, defs := range [][]dynelf.VersionDef{runtimeDefs(runtime), hostDefs(host)} {
		for _, v := range versions(defs) {
			if !defined[v.Name] {
				defined[v.Name] = true
				proxy.Versions = append(proxy.Versions, v)
			}
		}
	}
	hasDefault := map[string]bool{}
	for _, a := range b.answers {
		if a.symbol.Default && a.kind == answerRuntime {
			hasDefault[a.symbol.Name] = true
		}
	}
	for _, a := range b.answers {
		s := a.symbol
		if a.kind != answerRuntime && hasDefault[s.Name] {
			s.Default = false // the runtime's own default stays what dlsym without a version finds
		}
		proxy.Symbols = append(proxy.Symbols, s)
	}
	sort.Slice(proxy.Symbols, func(i, j int) bool {
		x, y := &proxy.Symbols[i], &proxy.Symbols[j]
		return x.Name < y.Name || x.Name == y.Name && x.Version < y.Version
	})
	p.plan.artefacts.Proxies = append(p.plan.artefacts.Proxies, proxy)

	sources := make([]uint32, len(b.order))
	for i, name := range b.order {
		sources[i] = p.base[name]
	}
	object := &p.plan.artefacts.Manifest.Objects[proxy.Object]
	object.Sources, object.Closure = sources, p.proxyClosure(b.soname)
	decision := Library{Soname: b.soname, Side: SideRuntime, Inside: path.Join(p.proxyDir(), b.soname),
		Reason: "part of the C library: a process has one, the runtime's"}
	if !p.isLibc(b.soname) {
		decision.Reason = "its objects cross the boundary: both sides use the runtime's"
	}
	if runtime != nil {
		decision.Path = runtime.Path
	}
	p.plan.Libraries = append(p.plan.Libraries, decision)
}

func runtimeDefs(l *RuntimeLibrary) []dynelf.VersionDef {
	if l == nil {
		return nil
	}
	return l.File.VersionDefs
}

func hostDefs(l *HostLibrary) []dynelf.VersionDef {
	if l == nil {
		return nil
	}
	return l.File.VersionDefs
}
