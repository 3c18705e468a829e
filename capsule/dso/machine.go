package dso

import (
	"debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// machine is what an architecture adds: a few instructions and one relocation. Each lives in a file of its own.
type machine struct {
	// pageSize is the largest that a kernel for the architecture uses: segments of different protection share no page.
	pageSize uint64
	// property is .note.gnu.property: which guards of the processor the code keeps to; nil for none.
	property                      []byte
	relSize                       uint64
	relTag, relSizeTag, relEntTag elf.DynTag
	// putGOTReloc writes the relocation that fills the .got word at address with the value of symbol.
	putGOTReloc func(b []byte, address uint64, symbol uint32)
	// init is what DT_INIT runs: call the function in the first .got word with the descriptor's address.
	init func(text, descriptor, got uint64) []byte
	// trampoline jumps to the address in slot; at is its own address. All have the same size.
	trampoline     func(at, slot uint64) []byte
	trampolineSize uint64
	initSize       uint64
	// ret returns at once: what ld.so calls as __libc_early_init.
	ret []byte
	// missing calls the function in the .got word with the descriptor's address and the symbol's index.
	missing     func(at, descriptor, got uint64, symbol uint32) []byte
	missingSize uint64
}

var machines = map[*arch.Arch]*machine{arch.X8664: &x8664, arch.I386: &i386, arch.AArch64: &aarch64}

func machineOf(a *arch.Arch) (*machine, error) {
	if m := machines[a]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("no stub writer for %s", a.Name)
}

// propertyNote is an NT_GNU_PROPERTY_TYPE_0 note (Linux extensions to the gABI) with one property
// of 4 bytes, as objects of 64 bits have it. ld.so compares it with what the process has switched
// on: it refuses an object that lacks a shadow stack's mark (glibc 2.39 and later), and guards the
// branches of one with BTI's (2.32).
func propertyNote(kind, bits uint32) []byte {
	var b []byte
	for _, w := range []uint32{4, 16, 5, 0x554e47 /* "GNU\0" */, kind, 4, bits, 0} {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// trampolineOffset of the n-th symbol, relative to .text.
func (m *machine) trampolineOffset(n int) uint64 {
	return m.initSize + uint64(n)*m.trampolineSize
}
