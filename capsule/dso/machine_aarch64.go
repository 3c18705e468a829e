package dso

import (
	"debug/elf"
	"encoding/binary"
)

// aarch64 follows the AAPCS64 and the ELF supplement of 2024Q3. x16 and x17 are for such veneers,
// whatever convention the function has: not even a vector PCS (STO_AARCH64_VARIANT_PCS) keeps them.
// "bti c" opens every address that is reached indirectly; a branch by x16 may end at one, as the
// note says. Nothing is saved that PAC would sign. adrp counts in units of 4 KiB, whatever the
// kernel's pages are.
var aarch64 = machine{
	pageSize:   0x10000,
	property:   propertyNote(0xc0000000, 1), // GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI
	relSize:    24,                          // Elf64_Rela
	relTag:     elf.DT_RELA,
	relSizeTag: elf.DT_RELASZ,
	relEntTag:  elf.DT_RELAENT,
	putGOTReloc: func(b []byte, address uint64, symbol uint32) {
		binary.LittleEndian.PutUint64(b, address)
		binary.LittleEndian.PutUint64(b[8:], elf.R_INFO(symbol, uint32(elf.R_AARCH64_GLOB_DAT)))
	},
	initSize: 32,
	init: func(text, descriptor, got uint64) []byte {
		return instructions(32,
			btiC,
			adrp(0, text+4, descriptor),
			addLow(0, descriptor),
			adrp(16, text+12, got),
			ldrLow(16, got),
			br16,
		)
	},
	trampolineSize: 16,
	trampoline: func(at, slot uint64) []byte {
		return instructions(16,
			btiC,
			adrp(16, at+4, slot),
			ldrLow(16, slot),
			br16,
		)
	},
	ret: instructions(16,
		btiC,
		0xd65f03c0, // ret
	),
	missingSize: 32,
	missing: func(at, descriptor, got uint64, symbol uint32) []byte {
		return instructions(32,
			btiC,
			adrp(0, at+4, descriptor),
			addLow(0, descriptor),
			0x52800001|symbol&0xffff<<5, // movz w1, #low half of symbol
			0x72a00001|symbol>>16<<5,    // movk w1, #high half, lsl #16
			adrp(16, at+20, got),
			ldrLow(16, got),
			br16, // it never returns
		)
	},
}

const (
	btiC = 0xd503245f // bti c: a nop (hint #34) before Armv8.5
	br16 = 0xd61f0200 // br x16
	brk0 = 0xd4200000 // brk #0
)

// adrp is "adrp xR, target" at address at: the target's page of 4 KiB, as a signed number of 21 bits of pages from here.
func adrp(r uint32, at, target uint64) uint32 {
	pages := uint32(target>>12 - at>>12)
	return 0x90000000 | pages&3<<29 | pages>>2&0x7ffff<<5 | r
}

// addLow is "add xR, xR, #target's offset in its page".
func addLow(r uint32, target uint64) uint32 {
	return 0x91000000 | uint32(target&0xfff)<<10 | r<<5 | r
}

// ldrLow is "ldr xR, [xR, #target's offset in its page]"; the instruction has the offset in units of 8 bytes.
func ldrLow(r uint32, target uint64) uint32 {
	return 0xf9400000 | uint32(target&0xff8)>>3<<10 | r<<5 | r
}

// instructions encodes, and fills up with brk, so that a stray jump traps.
func instructions(size int, code ...uint32) []byte {
	var b []byte
	for _, c := range code {
		b = binary.LittleEndian.AppendUint32(b, c)
	}
	for len(b) < size {
		b = binary.LittleEndian.AppendUint32(b, brk0)
	}
	return b
}
