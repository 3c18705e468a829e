package elftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Hostile is an x86-64 library that is small and says much: what it names are parts of one long
// string, which a string table allows. It has the version GLIBC_2.36, so that it may pass for a C
// library.
type Hostile struct {
	Soname string
	// Name is the length of the string in bytes. Of things that are named by it, the n-th has its
	// end from the n-th byte on, or, with Whole, all of it. With Distinct each has another short
	// name instead, with Long another one of some 3,800 bytes, of which 250 share 4 KB of the file.
	Name                  int
	Whole, Distinct, Long bool
	// How many there are: symbols, DT_NEEDED, version definitions, needed versions.
	Symbols, Needed, Versions, Needs int
	// Programs and Dynamic are further program headers and dynamic entries that say nothing.
	Programs, Dynamic int
	Notes             []byte // of a PT_NOTE
}

// Bytes returns the file. All of it is one segment at an address behind 0, for a symbol at 0 is
// none.
func (h Hostile) Bytes() []byte {
	const base = 0x1000
	le := binary.LittleEndian
	head := []byte("\x00" + h.Soname + "\x00GLIBC_2.36\x00")
	version := uint32(1 + len(h.Soname) + 1)
	const long, sharing = 4088, 250
	name := func(i int) uint32 {
		if h.Long {
			return uint32(len(head) + i/sharing*long + i%sharing*2)
		}
		if h.Distinct {
			return uint32(len(head) + 8*i)
		}
		if h.Whole || h.Name == 0 {
			return uint32(len(head))
		}
		return uint32(len(head) + i%h.Name)
	}
	b := make([]byte, 64+(3+h.Programs)*56)
	place := func(part []byte) uint64 {
		b = append(b, make([]byte, -len(b)&7)...)
		at := len(b)
		b = append(b, part...)
		return base + uint64(at)
	}
	var dynamic []uint64
	tag := func(t elf.DynTag, v uint64) { dynamic = append(dynamic, uint64(t), v) }

	symbols := make([]byte, 24*(h.Symbols+1))
	versym := make([]byte, 2*(h.Symbols+1))
	for i := range h.Symbols {
		s := symbols[24*(i+1):]
		le.PutUint32(s, name(i))
		s[4] = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC)
		le.PutUint16(s[6:], 1)
		le.PutUint64(s[8:], base+64)
		le.PutUint16(versym[2*(i+1):], 2)
	}
	tag(elf.DT_SYMTAB, place(symbols))
	tag(elf.DT_SYMENT, 24)
	tag(elf.DT_VERSYM, place(versym))
	tag(elf.DT_HASH, place(pack([]uint32{0, uint32(h.Symbols + 1)})))

	var verdef []byte
	for i := range 2 + h.Versions {
		at, flags, index, next := name(i-2), uint16(0), uint16(i+1), uint32(28)
		switch i {
		case 0:
			at, flags = 1, 1 // VER_FLG_BASE
		case 1:
			at = version
		}
		if i == 1+h.Versions {
			next = 0
		}
		verdef = append(verdef, pack(struct {
			Version, Flags, Index, Count uint16
			Hash, Aux, Next, Name, End   uint32
		}{1, flags, index, 1, 0, 20, next, at, 0})...)
	}
	tag(elf.DT_VERDEF, place(verdef))
	tag(elf.DT_VERDEFNUM, uint64(2+h.Versions))
	if h.Needs > 0 {
		needs := pack(struct {
			Version, Count  uint16
			File, Aux, Next uint32
		}{1, uint16(h.Needs), 1, 16, 0})
		for i := range h.Needs {
			next := uint32(16)
			if i == h.Needs-1 {
				next = 0
			}
			needs = append(needs, pack(struct {
				Hash         uint32
				Flags, Other uint16
				Name, Next   uint32
			}{0, 0, uint16(3 + h.Versions), name(i), next})...)
		}
		tag(elf.DT_VERNEED, place(needs))
		tag(elf.DT_VERNEEDNUM, 1)
	}
	strings := append(append(bytes.Clone(head), bytes.Repeat([]byte("a"), h.Name)...), 0)
	if h.Distinct {
		strings = bytes.Clone(head)
		for i := range max(h.Symbols, h.Needed, h.Versions, h.Needs) {
			strings = fmt.Appendf(strings, "%07d\x00", i)
		}
	}
	if h.Long {
		strings = bytes.Clone(head)
		for i := range max(h.Symbols, h.Needed, h.Versions, h.Needs)/sharing + 1 {
			strings = append(strings, bytes.Repeat([]byte("a"), long-9)...)
			strings = fmt.Appendf(strings, "%08d\x00", i)
		}
	}
	tag(elf.DT_STRTAB, place(strings))
	tag(elf.DT_STRSZ, uint64(len(strings)))
	tag(elf.DT_SONAME, 1)
	for i := range h.Needed {
		tag(elf.DT_NEEDED, uint64(name(i)))
	}
	for i := range h.Dynamic {
		tag(elf.DynTag(0x6000_0000+i), 0)
	}
	tag(elf.DT_NULL, 0)
	notes := place(h.Notes)
	table := make([]byte, 8*len(dynamic))
	for i, v := range dynamic {
		le.PutUint64(table[8*i:], v)
	}
	at := place(table)

	header := pack(elf.Header64{Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB),
		byte(elf.EV_CURRENT)}, Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56,
		Phnum: uint16(3 + h.Programs)})
	program := func(t elf.ProgType, addr, size uint64) {
		header = append(header, pack(elf.Prog64{Type: uint32(t), Flags: uint32(elf.PF_R), Off: addr - base, Vaddr: addr, Filesz: size,
			Memsz: size, Align: 8})...)
	}
	for range h.Programs { // in front of those that are looked for
		program(elf.PT_NULL, base, 0)
	}
	program(elf.PT_LOAD, base, uint64(len(b)))
	program(elf.PT_DYNAMIC, at, uint64(len(table)))
	program(elf.PT_NOTE, notes, uint64(len(h.Notes)))
	copy(b, header)
	return b
}
