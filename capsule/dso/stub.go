package dso

import (
	"debug/elf"
	"fmt"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// A Stub stands in the base namespace for one host library.
type Stub struct {
	Arch   *arch.Arch
	Soname string
	// File is where it is written, below the stubs' directory, and Links are further names there.
	File     string
	Links    []string
	Names    []string // by which programs find the library besides its SONAME; each has an Alias in a file of that name
	Object   uint32   // index of the host library in the manifest
	Versions []Version
	Symbols  []StubSymbol
}

// StubSymbol is an exported function of the host library.
type StubSymbol struct {
	Name, Version string
	Default       bool
	Bind          elf.SymBind
	Size          uint64
	HostValue     uint64 // st_value in the host library
	Other         byte   // st_other there, without the visibility
	IFunc         bool   // the host library selects the function at run time
}

// Write returns the stub's bytes.
func (s *Stub) Write() ([]byte, error) {
	m, err := machineOf(s.Arch)
	if err != nil {
		return nil, err
	}
	if len(s.Symbols) > MaxSymbols {
		return nil, fmt.Errorf("%.80s: %d symbols: %w", s.Soname, len(s.Symbols), ErrTooLarge)
	}
	o := object{
		arch:     s.Arch,
		soname:   s.Soname,
		needed:   []string{"libcapsule.so"},
		versions: s.Versions,
		imports:  []string{"capsule_stub_init"},
		slots:    make([]uint64, len(s.Symbols)),
		index:    s.Object,
	}
	ifunc := map[[2]string]bool{}
	for i, sym := range s.Symbols {
		o.slots[i] = sym.HostValue
		if sym.IFunc {
			ifunc[[2]string{sym.Name, sym.Version}] = true
		}
		o.symbols = append(o.symbols, symbol{
			name: sym.Name, version: sym.Version, isDefault: sym.Default,
			info: elf.ST_INFO(sym.Bind, elf.STT_FUNC), other: sym.Other, size: m.trampolineSize, section: shnSelf,
		})
	}
	o.byName = func(s *symbol) bool { return ifunc[[2]string{s.name, s.version}] }
	o.text = func(l *layout, symbols []symbol) []byte {
		var text []byte
		word := (&words{class: s.Arch.Class}).size()
		for i := range symbols {
			at := l.textAddr + m.trampolineOffset(i)
			text = append(text, m.trampoline(at, l.slotsAddr+uint64(i)*word)...)
		}
		return text
	}
	return o.write()
}
