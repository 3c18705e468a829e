package dso

import (
	"debug/elf"
	"encoding/binary"
)

// x8664 follows the x86-64 psABI 1.0. endbr64 opens every address that is reached indirectly, for
// Intel CET, and nothing returns to another place than its call's: the note says so.
var x8664 = machine{
	pageSize:   0x1000,
	property:   propertyNote(0xc0000002, 3), // GNU_PROPERTY_X86_FEATURE_1_AND: IBT, SHSTK
	relSize:    24,                          // Elf64_Rela
	relTag:     elf.DT_RELA,
	relSizeTag: elf.DT_RELASZ,
	relEntTag:  elf.DT_RELAENT,
	putGOTReloc: func(b []byte, address uint64, symbol uint32) {
		binary.LittleEndian.PutUint64(b, address)
		binary.LittleEndian.PutUint64(b[8:], elf.R_INFO(symbol, uint32(elf.R_X86_64_GLOB_DAT)))
	},
	initSize: 32,
	init: func(text, descriptor, got uint64) []byte {
		b := []byte{
			0xf3, 0x0f, 0x1e, 0xfa, // endbr64
			0x48, 0x8d, 0x3d, 0, 0, 0, 0, // lea descriptor(%rip), %rdi
			0xff, 0x25, 0, 0, 0, 0, // jmp *got(%rip)
		}
		putRel32(b[7:], text+11, descriptor)
		putRel32(b[13:], text+17, got)
		return pad(b, 32)
	},
	trampolineSize: 16,
	trampoline: func(at, slot uint64) []byte {
		b := []byte{
			0xf3, 0x0f, 0x1e, 0xfa, // endbr64
			0xff, 0x25, 0, 0, 0, 0, // jmp *slot(%rip)
		}
		putRel32(b[6:], at+10, slot)
		return pad(b, 16)
	},
	ret: pad([]byte{
		0xf3, 0x0f, 0x1e, 0xfa, // endbr64
		0xc3, // ret
	}, 16),
	missingSize: 32,
	missing: func(at, descriptor, got uint64, symbol uint32) []byte {
		b := []byte{
			0xf3, 0x0f, 0x1e, 0xfa, // endbr64
			0xbe, 0, 0, 0, 0, // mov $symbol, %esi
			0x48, 0x8d, 0x3d, 0, 0, 0, 0, // lea descriptor(%rip), %rdi
			0xff, 0x25, 0, 0, 0, 0, // jmp *got(%rip): it never returns
		}
		binary.LittleEndian.PutUint32(b[5:], symbol)
		putRel32(b[12:], at+16, descriptor)
		putRel32(b[18:], at+22, got)
		return pad(b, 32)
	},
}

// putRel32 writes the displacement of target from next, the address of the following instruction.
func putRel32(b []byte, next, target uint64) {
	binary.LittleEndian.PutUint32(b, uint32(target-next))
}

// pad fills up with int3, so that a stray jump traps.
func pad(b []byte, size int) []byte {
	for len(b) < size {
		b = append(b, 0xcc)
	}
	return b
}
