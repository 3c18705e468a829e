// Package relr rewrites a shared object that has a DT_RELR table, the packed form of relative relocations, into one
// with plain relocations. It exists because glibc before 2.36 knows no DT_RELR: it would load such an object and leave
// its pointers unrelocated, were it not for the version need GLIBC_ABI_DT_RELR that the link editor adds. (That need
// stays: a proxy of the host's libc.so.6 defines the version.) ClearPLT does the same service for -z mark-plt.
//
// It takes bytes and gives bytes, does no I/O and never changes its input, which comes from outside: every offset and
// count is checked, and the result has at most six times the size of the input.
//
// Expand: the original stays where it is, byte for byte, but for e_phoff, e_phnum, the dynamic section and the addresses in
// PT_PHDR. Behind it comes what has to grow, in a PT_LOAD segment of its own, read-only:
//
//	original | program headers, one more | relative relocations | the old DT_RELA (or DT_REL) table
//	         ^ e_phoff, new PT_LOAD      ^ DT_RELA
package relr

import (
	"debug/elf"
	"errors"
)

var (
	// ErrNone says that there is no DT_RELR table.
	ErrNone = errors.New("no DT_RELR table")
	// ErrUnsupported says that the object is of a kind that is not rewritten.
	ErrUnsupported = errors.New("unsupported kind of ELF file")
	// ErrCorrupt says that the object contradicts itself or the ELF specification.
	ErrCorrupt = errors.New("corrupt ELF file")
)

// DT_RELR and its companions (gABI, 2022; debug/elf has no names for them).
const (
	dtRELRSZ  elf.DynTag = 35
	dtRELR    elf.DynTag = 36
	dtRELRENT elf.DynTag = 37
)

// target is what differs between architectures.
type target struct {
	class    elf.Class
	relative uint32 // the relocation type "load bias + addend"
	rela     bool   // addends are in the table (DT_RELA), not in the place (DT_REL)
}

var targets = map[elf.Machine]target{
	elf.EM_X86_64:  {elf.ELFCLASS64, uint32(elf.R_X86_64_RELATIVE), true},
	elf.EM_AARCH64: {elf.ELFCLASS64, uint32(elf.R_AARCH64_RELATIVE), true},
	elf.EM_386:     {elf.ELFCLASS32, uint32(elf.R_386_RELATIVE), false},
}

// tags of the relocation table and the size of its entries and of a word, in bytes.
func (t target) tags() (table, size, entry, count elf.DynTag) {
	if t.rela {
		return elf.DT_RELA, elf.DT_RELASZ, elf.DT_RELAENT, elf.DT_RELACOUNT
	}
	return elf.DT_REL, elf.DT_RELSZ, elf.DT_RELENT, elf.DT_RELCOUNT
}

func (t target) word() uint64 {
	if t.class == elf.ELFCLASS64 {
		return 8
	}
	return 4
}

func (t target) entry() uint64 {
	if t.rela {
		return 3 * t.word()
	}
	return 2 * t.word()
}
