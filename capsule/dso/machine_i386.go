package dso

import (
	"debug/elf"
	"encoding/binary"
)

// i386 follows the System V psABI, Intel386 supplement 1.1. Data has no pc-relative addresses here, and a register for
// the pc is not free in a trampoline: the program may pass arguments in eax, edx and ecx (regparm, fastcall), and ebx
// is the callee's to keep. So the trampoline borrows eax and returns to the function instead of jumping to it. The
// call that finds the pc is matched by that ret, so that the processor's prediction of later returns stays right; the ret
// itself is mispredicted, some five nanoseconds. Only the flags are lost, which no convention gives a meaning.
//
// No endbr32, and no note that promises anything: Linux has no indirect-branch tracking for 32-bit
// programs, and no shadow stack that a ret to another place than its call's would offend.
var i386 = machine{
	pageSize:   0x1000,
	relSize:    8, // Elf32_Rel
	relTag:     elf.DT_REL,
	relSizeTag: elf.DT_RELSZ,
	relEntTag:  elf.DT_RELENT,
	putGOTReloc: func(b []byte, address uint64, symbol uint32) {
		binary.LittleEndian.PutUint32(b, uint32(address))
		binary.LittleEndian.PutUint32(b[4:], elf.R_INFO32(symbol, uint32(elf.R_386_GLOB_DAT)))
	},
	initSize: 32,
	init: func(text, descriptor, got uint64) []byte {
		b := []byte{
			0xe8, 0, 0, 0, 0, // call pc
			0x58,             // pc: pop %eax
			0x83, 0xec, 0x08, // sub $8, %esp: with the argument it is a multiple of 16 again
			0x8d, 0x90, 0, 0, 0, 0, // lea descriptor-pc(%eax), %edx
			0x52,                   // push %edx
			0xff, 0x90, 0, 0, 0, 0, // call *got-pc(%eax)
			0x83, 0xc4, 0x0c, // add $12, %esp
			0xc3, // ret
		}
		putRel32(b[11:], text+5, descriptor)
		putRel32(b[18:], text+5, got)
		return pad(b, 32)
	},
	trampolineSize: 32,
	trampoline: func(at, slot uint64) []byte {
		b := []byte{
			0xe8, 1, 0, 0, 0, // call 1f
			0xcc,                   // pc: int3, where the ret below is predicted to go
			0x50,                   // 1: push %eax
			0x8b, 0x44, 0x24, 0x04, // mov 4(%esp), %eax: pc
			0x8b, 0x80, 0, 0, 0, 0, // mov slot-pc(%eax), %eax
			0x89, 0x44, 0x24, 0x04, // mov %eax, 4(%esp)
			0x58, // pop %eax
			0xc3, // ret
		}
		putRel32(b[13:], at+5, slot)
		return pad(b, 32)
	},
	ret: pad([]byte{
		0xc3, // ret
	}, 16),
	missingSize: 32,
	missing: func(at, descriptor, got uint64, symbol uint32) []byte {
		b := []byte{
			0xe8, 0, 0, 0, 0, // call pc
			0x58,             // pc: pop %eax
			0x83, 0xec, 0x04, // sub $4, %esp: with the arguments it is a multiple of 16 again
			0x68, 0, 0, 0, 0, // push $symbol
			0x8d, 0x90, 0, 0, 0, 0, // lea descriptor-pc(%eax), %edx
			0x52,                   // push %edx
			0xff, 0x90, 0, 0, 0, 0, // call *got-pc(%eax): it never returns
		}
		binary.LittleEndian.PutUint32(b[10:], symbol)
		putRel32(b[16:], at+5, descriptor)
		putRel32(b[23:], at+5, got)
		return pad(b, 32)
	},
}
