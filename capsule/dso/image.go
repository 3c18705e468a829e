package dso

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// Version is one version definition of the object: its name and the versions it inherits from.
type Version struct {
	Name    string
	Parents []string
}

// symbol is a defined dynamic symbol before layout.
type symbol struct {
	name, version string
	isDefault     bool // name@@version
	info          byte // ELF_ST_INFO
	size          uint64
	section       uint16
	value         uint64 // in section self: relative to text
	text          bool   // value is an offset in .text
	missing       int    // proxy: 1 + ordinal of its code in .text, 0 for none
}

// object is what stub.go and proxy.go fill in and image lays out.
type object struct {
	arch     *arch.Arch
	soname   string
	needed   []string
	versions []Version
	symbols  []symbol // in the order given; layout sorts them
	imports  []string // functions of libcapsule or the root, one .got word each
	slots    []uint64 // stub: initial content, parallel to symbols
	byName   func(s *symbol) bool
	text     func(l *layout, symbols []symbol) []byte // symbols in their final order
	index    uint32                                   // capsule_dso.object
	zeroed   uint64                                   // bytes of zeroed data after the file's content, for data symbols nobody has
}

// layout is where everything came to lie: virtual addresses, which are also file offsets.
type layout struct {
	arch                *arch.Arch
	gnuHash, dynstr     uint64
	versym, verdef      uint64
	rel                 uint64
	textAddr            uint64
	descriptor, got     uint64
	slotsAddr, dynamic  uint64
	dynsym, byNameAddr  uint64
	firstSymbol         int
	zeroedAddr, fileEnd uint64
}

const (
	pageSize       = 0x1000
	descriptorSize = 80 // sizeof(struct capsule_dso)
	abiVersion     = 1  // CAPSULE_ABI_VERSION
	df1NoDelete    = 0x8
	maxSymbols     = 1 << 16
)

// ErrTooLarge says that a library has more symbols or names than an object of ours can describe.
var ErrTooLarge = errors.New("too many symbols")

func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

// write lays the object out and returns the file's bytes.
func (o *object) write() ([]byte, error) {
	if len(o.symbols) > maxSymbols {
		return nil, fmt.Errorf("%s: %d symbols: %w", o.soname, len(o.symbols), ErrTooLarge)
	}
	m, err := machineOf(o.arch)
	if err != nil {
		return nil, err
	}
	w := &words{class: o.arch.Class}
	first := 1 + len(o.imports)
	hash := newGNUHash(o.symbols, o.slots, first, w)
	names := newStringTable()
	versions, err := o.encodeVersions(hash.symbols, first, names)
	if err != nil {
		return nil, err
	}
	soname := names.add(o.soname)
	needed := make([]uint32, len(o.needed))
	for i, n := range o.needed {
		needed[i] = names.add(n)
	}
	nameOf := make([]uint32, len(hash.symbols))
	for i := range hash.symbols {
		nameOf[i] = names.add(hash.symbols[i].name)
	}
	importName := make([]uint32, len(o.imports))
	for i, n := range o.imports {
		importName[i] = names.add(n)
	}
	var byName []uint32
	for i := range hash.symbols {
		if o.byName != nil && o.byName(&hash.symbols[i]) {
			byName = append(byName, uint32(first+i))
		}
	}

	// Addresses. The order of the segments is the package comment's.
	l := &layout{arch: o.arch, firstSymbol: first}
	at := w.headerSize(4)
	place := func(size, to uint64) uint64 {
		at = alignUp(at, to)
		p := at
		at += size
		return p
	}
	l.gnuHash = place(uint64(len(hash.table)), 8)
	l.dynstr = place(uint64(len(names.bytes)), 1)
	l.versym = place(uint64(len(versions.versym)), 2)
	l.verdef = place(uint64(len(versions.verdef)), 8)
	l.rel = place(uint64(len(o.imports))*m.relSize, 8)
	rEnd := at
	l.textAddr = place(0, pageSize)
	text := o.textBytes(l, hash.symbols) // sizes first: the content may depend on later addresses
	place(uint64(len(text)), 1)
	rxEnd := at
	at = alignUp(at, pageSize)
	rwStart := at
	l.descriptor = place(descriptorSize, 8)
	l.got = place(uint64(len(o.imports))*w.size(), 8)
	l.slotsAddr = place(uint64(len(hash.slots))*w.size(), 8)
	dynamicCount := uint64(len(o.needed) + 20)
	l.dynamic = place(dynamicCount*2*w.size(), 8)
	l.byNameAddr = place(uint64(len(byName))*4, 4)
	l.dynsym = place(uint64(first+len(hash.symbols))*w.symSize(), 8)
	l.fileEnd = at
	l.zeroedAddr = alignUp(at, 64)
	memEnd := l.zeroedAddr + o.zeroed
	if o.zeroed == 0 {
		memEnd = at
	}
	text = o.textBytes(l, hash.symbols)

	f := make([]byte, l.fileEnd)
	copy(f[l.gnuHash:], hash.table)
	copy(f[l.dynstr:], names.bytes)
	copy(f[l.versym:], versions.versym)
	copy(f[l.verdef:], versions.verdef)
	copy(f[l.textAddr:], text)
	for i := range o.imports {
		m.putGOTReloc(f[l.rel+uint64(i)*m.relSize:], l.got+uint64(i)*w.size(), uint32(1+i))
	}
	o.putDescriptor(f[l.descriptor:], l, len(hash.symbols), byName, len(o.versions) > 0)
	for i, s := range hash.slots {
		w.put(f[l.slotsAddr+uint64(i)*w.size():], s)
	}
	for i, n := range byName {
		binary.LittleEndian.PutUint32(f[l.byNameAddr+uint64(i)*4:], n)
	}
	for i := range o.imports {
		w.putSym(f[l.dynsym+uint64(1+i)*w.symSize():], importName[i], elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), 0, 0, 0)
	}
	for i := range hash.symbols {
		s := &hash.symbols[i]
		value := s.value
		if s.text {
			value += l.textAddr
		} else if s.section == shnSelf {
			value += l.zeroedAddr
		}
		if o.slots != nil {
			value = l.textAddr + m.trampolineOffset(i)
		}
		w.putSym(f[l.dynsym+uint64(first+i)*w.symSize():], nameOf[i], s.info, s.section, value, s.size)
	}

	dynamic := []uint64{}
	tag := func(t elf.DynTag, v uint64) { dynamic = append(dynamic, uint64(t), v) }
	for _, n := range needed {
		tag(elf.DT_NEEDED, uint64(n))
	}
	tag(elf.DT_SONAME, uint64(soname))
	tag(elf.DT_GNU_HASH, l.gnuHash)
	tag(elf.DT_STRTAB, l.dynstr)
	tag(elf.DT_SYMTAB, l.dynsym)
	tag(elf.DT_STRSZ, uint64(len(names.bytes)))
	tag(elf.DT_SYMENT, w.symSize())
	tag(elf.DT_INIT, l.textAddr) // the text always begins with it
	tag(m.relTag, l.rel)
	tag(m.relSizeTag, uint64(len(o.imports))*m.relSize)
	tag(m.relEntTag, m.relSize)
	if len(o.versions) > 0 {
		tag(elf.DT_VERSYM, l.versym)
		tag(elf.DT_VERDEF, l.verdef)
		tag(elf.DT_VERDEFNUM, uint64(len(o.versions)+1))
	}
	tag(elf.DT_FLAGS_1, df1NoDelete)
	tag(elf.DT_NULL, 0)
	if uint64(len(dynamic)) > dynamicCount*2 {
		return nil, fmt.Errorf("%s: dynamic section overflows its place", o.soname)
	}
	for i, v := range dynamic {
		w.put(f[l.dynamic+uint64(i)*w.size():], v)
	}

	segments := []segment{
		{elf.PT_LOAD, elf.PF_R, 0, rEnd, rEnd, pageSize},
		{elf.PT_LOAD, elf.PF_R | elf.PF_X, l.textAddr, rxEnd - l.textAddr, rxEnd - l.textAddr, pageSize},
		{elf.PT_LOAD, elf.PF_R | elf.PF_W, rwStart, l.fileEnd - rwStart, memEnd - rwStart, pageSize},
		{elf.PT_DYNAMIC, elf.PF_R | elf.PF_W, l.dynamic, uint64(len(dynamic)) * w.size(), uint64(len(dynamic)) * w.size(), 8},
	}
	sections := []section{
		{".gnu.hash", elf.SHT_GNU_HASH, elf.SHF_ALLOC, l.gnuHash, uint64(len(hash.table)), ".dynsym", 0, 0},
		{".dynsym", elf.SHT_DYNSYM, elf.SHF_ALLOC | elf.SHF_WRITE, l.dynsym, uint64(first+len(hash.symbols)) * w.symSize(), ".dynstr", 1, w.symSize()},
		{".dynstr", elf.SHT_STRTAB, elf.SHF_ALLOC, l.dynstr, uint64(len(names.bytes)), "", 0, 0},
		{".text", elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, l.textAddr, uint64(len(text)), "", 0, 0},
		{".data", elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_WRITE, l.descriptor, l.dynamic - l.descriptor, "", 0, 0},
		{".dynamic", elf.SHT_DYNAMIC, elf.SHF_ALLOC | elf.SHF_WRITE, l.dynamic, uint64(len(dynamic)) * w.size(), ".dynstr", 0, 2 * w.size()},
	}
	if len(o.versions) > 0 {
		sections = append(sections,
			section{".gnu.version", elf.SHT_GNU_VERSYM, elf.SHF_ALLOC, l.versym, uint64(len(versions.versym)), ".dynsym", 0, 2},
			section{".gnu.version_d", elf.SHT_GNU_VERDEF, elf.SHF_ALLOC, l.verdef, uint64(len(versions.verdef)), ".dynstr", uint32(len(o.versions) + 1), 0})
	}
	return w.finish(f, o.arch, segments, sections), nil
}

func (o *object) textBytes(l *layout, symbols []symbol) []byte {
	return append(machines[o.arch].init(l.textAddr, l.descriptor, l.got), o.text(l, symbols)...)
}

// putDescriptor writes struct capsule_dso. Its offsets are relative to itself.
func (o *object) putDescriptor(b []byte, l *layout, symbols int, byName []uint32, versioned bool) {
	le := binary.LittleEndian
	rel := func(at int, address uint64) { le.PutUint64(b[at:], address-l.descriptor) }
	le.PutUint32(b[0:], abiVersion)
	le.PutUint32(b[4:], o.index)
	le.PutUint32(b[8:], uint32(l.firstSymbol))
	le.PutUint32(b[12:], uint32(symbols))
	le.PutUint64(b[16:], l.descriptor)
	rel(24, l.dynsym)
	rel(32, l.dynstr)
	if versioned {
		rel(40, l.versym)
		rel(48, l.verdef)
	}
	rel(56, l.slotsAddr)
	rel(64, l.byNameAddr)
	le.PutUint32(b[72:], uint32(len(byName)))
}
