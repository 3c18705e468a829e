package dso

import (
	"debug/elf"
	"fmt"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// st_shndx of a proxy's symbols: CAPSULE_SHN_* in cshim/include/capsule_abi.h.
const (
	shnSelf = 1
	shnRoot = 2
	shnBase = 3
)

// A Proxy stands in the capsule for one of the runtime's libraries.
type Proxy struct {
	Arch     *arch.Arch
	Soname   string
	Needed   []string // proxies that dlsym on this one searches too, as on the real library
	Object   uint32   // its own index in the manifest
	Versions []Version
	Symbols  []ProxySymbol
}

// Origin says whose address a proxy's symbol gets.
type Origin int

const (
	FromBase  Origin = iota // a library of the runtime: the Source-th in the manifest's list for this proxy
	FromRoot                // a wrapper or polyfill of the capsule root
	Nowhere                 // nobody has it: a function names itself and aborts when called, data is zeroes
	DoNothing               // a function that returns at once
)

// ProxySymbol is a symbol that the proxy hands out.
type ProxySymbol struct {
	Name, Version string
	Default       bool
	Type          elf.SymType
	Bind          elf.SymBind
	Size          uint64
	Other         byte // st_other, without the visibility
	Origin        Origin
	Source        int    // FromBase: which library
	Value         uint64 // FromBase, FromRoot: st_value there
	// Global asks libcapsule to look the name up in the base namespace's global scope first.
	Global bool
}

// loaderNames are functions that valgrind's memcheck wants to replace in every object with the loader's SONAME, and does
// not start without (coregrind/m_redir.c, the "mandatory" ones of all our architectures). Nobody calls them in a proxy.
var loaderNames = []string{"strlen", "index"}

// Write returns the proxy's bytes.
func (p *Proxy) Write() ([]byte, error) {
	m, err := machineOf(p.Arch)
	if err != nil {
		return nil, err
	}
	o := object{
		arch:     p.Arch,
		soname:   p.Soname,
		needed:   p.Needed,
		versions: p.Versions,
		imports:  []string{"capsule_proxy_init", "capsule_missing"},
		index:    p.Object,
	}
	if p.Soname == p.Arch.LoaderSoname {
		o.named = loaderNames
	}
	if len(p.Symbols) > MaxSymbols {
		return nil, fmt.Errorf("%.80s: %d symbols: %w", p.Soname, len(p.Symbols), ErrTooLarge)
	}
	// .text: what DT_INIT runs, one "return", then the code of each missing function.
	missingAt := m.initSize + uint64(len(m.ret))
	missing := 0
	global := map[[2]string]bool{}
	for _, sym := range p.Symbols {
		s := symbol{name: sym.Name, version: sym.Version, isDefault: sym.Default,
			info: elf.ST_INFO(sym.Bind, sym.Type), other: sym.Other, size: sym.Size, value: sym.Value}
		switch {
		case sym.Origin == FromBase:
			s.section = uint16(shnBase + sym.Source)
		case sym.Origin == FromRoot:
			s.section = shnRoot
		case sym.Origin == DoNothing:
			s.section, s.text, s.value = shnSelf, true, m.initSize
		case sym.Type == elf.STT_OBJECT:
			s.section, s.value = shnSelf, o.zeroed
			o.zeroed += alignUp(min(max(sym.Size, 1), maxZeroed+1), 16) // more is refused, and the sum does not wrap
		default:
			s.section, s.text = shnSelf, true
			s.value = missingAt + uint64(missing)*m.missingSize
			s.info = elf.ST_INFO(sym.Bind, elf.STT_FUNC)
			missing++
			s.missing = missing
		}
		if sym.Global {
			global[[2]string{sym.Name, sym.Version}] = true
		}
		o.symbols = append(o.symbols, s)
	}
	o.byName = func(s *symbol) bool { return global[[2]string{s.name, s.version}] }
	word := (&words{class: p.Arch.Class}).size()
	o.text = func(l *layout, symbols []symbol) []byte {
		text := append([]byte(nil), m.ret...)
		code := make([]byte, uint64(missing)*m.missingSize)
		for i := range symbols {
			if k := symbols[i].missing; k > 0 {
				at := uint64(k-1) * m.missingSize
				copy(code[at:], m.missing(l.textAddr+missingAt+at, l.descriptor, l.got+word, uint32(l.firstSymbol+i)))
			}
		}
		return append(text, code...)
	}
	return o.write()
}
