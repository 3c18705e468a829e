package dso

import (
	"debug/elf"
)

// layout is where everything came to lie: virtual addresses, which are also file offsets. With pages of up to 64 KiB
// (aarch64) that leaves holes in the file, which take no room on disk.
type layout struct {
	property                             uint64 // R
	gnuHash, dynstr, versym, verdef, rel uint64
	rEnd                                 uint64
	textAddr, rxEnd                      uint64 // RX
	rwStart                              uint64 // RW
	descriptor, got, slotsAddr, dynamic  uint64
	byNameAddr, dynsym                   uint64
	fileEnd, zeroedAddr, memEnd          uint64
	firstSymbol                          int
}

// place gives every table its address, in the order of the package comment.
func (i *image) place(first int) {
	l := &layout{firstSymbol: first}
	i.layout = l
	word := i.w.size()
	at := i.w.headerSize(len(i.segments()))
	next := func(size, align uint64) uint64 {
		at = alignUp(at, align)
		p := at
		at += size
		return p
	}
	l.property = next(uint64(len(i.m.property)), 8)
	l.gnuHash = next(uint64(len(i.hash.table)), 8)
	l.dynstr = next(uint64(len(i.names.bytes)), 1)
	l.versym = next(uint64(len(i.tables.versym)), 2)
	l.verdef = next(uint64(len(i.tables.verdef)), 8)
	l.rel = next(uint64(len(i.imports))*i.m.relSize, 8)
	l.rEnd = at

	l.textAddr = next(0, i.m.pageSize)
	next(uint64(len(i.textBytes())), 1)
	l.rxEnd = at

	l.rwStart = next(0, i.m.pageSize)
	l.descriptor = next(descriptorSize, 8)
	l.got = next(uint64(len(i.imports))*word, 8)
	l.slotsAddr = next(uint64(len(i.hash.slots))*word, 8)
	l.dynamic = next(uint64(len(i.dynamicTags()))*word, 8)
	l.byNameAddr = next(uint64(len(i.lookups))*4, 4)
	l.dynsym = next(uint64(first+len(i.hash.symbols))*i.w.symSize(), 8)
	l.fileEnd = at
	if i.zeroed > 0 { // what is before it becomes read-only
		l.zeroedAddr = next(i.zeroed, i.m.pageSize)
	}
	l.memEnd = at
}

// dynamicTags is the content of .dynamic: pairs of tag and value.
func (i *image) dynamicTags() []uint64 {
	var d []uint64
	tag := func(t elf.DynTag, v uint64) { d = append(d, uint64(t), v) }
	for _, n := range i.needed {
		tag(elf.DT_NEEDED, uint64(i.names.add(n)))
	}
	tag(elf.DT_SONAME, uint64(i.names.add(i.soname)))
	tag(elf.DT_GNU_HASH, i.gnuHash)
	tag(elf.DT_STRTAB, i.dynstr)
	tag(elf.DT_SYMTAB, i.dynsym)
	tag(elf.DT_STRSZ, uint64(len(i.names.bytes)))
	tag(elf.DT_SYMENT, i.w.symSize())
	if len(i.imports) > 0 {
		tag(elf.DT_INIT, i.textAddr) // the text always begins with it
	}
	tag(i.m.relTag, i.rel)
	tag(i.m.relSizeTag, uint64(len(i.imports))*i.m.relSize)
	tag(i.m.relEntTag, i.m.relSize)
	if i.versioned() {
		tag(elf.DT_VERSYM, i.versym)
		tag(elf.DT_VERDEF, i.verdef)
		tag(elf.DT_VERDEFNUM, uint64(len(i.versions)+1))
	}
	tag(elf.DT_FLAGS_1, df1NoDelete)
	tag(elf.DT_NULL, 0)
	return d
}

func (i *image) dynamicSize() uint64 { return uint64(len(i.dynamicTags())) * i.w.size() }

func (i *image) segments() []segment {
	s := []segment{
		{elf.PT_LOAD, elf.PF_R, 0, i.rEnd, i.rEnd, i.m.pageSize},
		{elf.PT_LOAD, elf.PF_R | elf.PF_X, i.textAddr, i.rxEnd - i.textAddr, i.rxEnd - i.textAddr, i.m.pageSize},
		{elf.PT_LOAD, elf.PF_R | elf.PF_W, i.rwStart, i.fileEnd - i.rwStart, i.memEnd - i.rwStart, i.m.pageSize},
		{elf.PT_DYNAMIC, elf.PF_R | elf.PF_W, i.dynamic, i.dynamicSize(), i.dynamicSize(), 8},
	}
	if size := uint64(len(i.m.property)); size > 0 {
		// Loaders before glibc 2.33 look for the note in PT_NOTE, later ones by PT_GNU_PROPERTY.
		s = append(s,
			segment{elf.PT_NOTE, elf.PF_R, i.property, size, size, 8},
			segment{elf.PT_GNU_PROPERTY, elf.PF_R, i.property, size, size, 8})
	}
	return s
}

func (i *image) sections() []section {
	const r, rx, rw = elf.SHF_ALLOC, elf.SHF_ALLOC | elf.SHF_EXECINSTR, elf.SHF_ALLOC | elf.SHF_WRITE
	symbols := uint64(i.firstSymbol + len(i.hash.symbols))
	s := []section{
		{".gnu.hash", elf.SHT_GNU_HASH, r, i.gnuHash, uint64(len(i.hash.table)), ".dynsym", 0, 0},
		{".dynsym", elf.SHT_DYNSYM, rw, i.dynsym, symbols * i.w.symSize(), ".dynstr", 1, i.w.symSize()},
		{".dynstr", elf.SHT_STRTAB, r, i.dynstr, uint64(len(i.names.bytes)), "", 0, 0},
		{".text", elf.SHT_PROGBITS, rx, i.textAddr, uint64(len(i.code)), "", 0, 0},
		{".data", elf.SHT_PROGBITS, rw, i.descriptor, i.dynamic - i.descriptor, "", 0, 0},
		{".dynamic", elf.SHT_DYNAMIC, rw, i.dynamic, i.dynamicSize(), ".dynstr", 0, 2 * i.w.size()},
	}
	if size := uint64(len(i.m.property)); size > 0 {
		s = append(s, section{".note.gnu.property", elf.SHT_NOTE, r, i.property, size, "", 0, 0})
	}
	if i.versioned() {
		s = append(s,
			section{".gnu.version", elf.SHT_GNU_VERSYM, r, i.versym, uint64(len(i.tables.versym)), ".dynsym", 0, 2},
			section{".gnu.version_d", elf.SHT_GNU_VERDEF, r, i.verdef, uint64(len(i.tables.verdef)), ".dynstr",
				uint32(len(i.versions) + 1), 0})
	}
	return s
}
