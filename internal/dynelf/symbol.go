package dynelf

import (
	"debug/elf"
	"fmt"
	"io"
)

// version is what a DT_VERSYM index stands for.
type version struct {
	name, library string
	known         bool
}

// Symbols returns the dynamic symbols with their versions, ordered by index: those that a lookup of ld.so can find
// in the object, and those that the object wants from others. Symbols that ld.so passes over (local binding, hidden
// visibility, no value; elf/dl-lookup.c, check_match, glibc 2.41) are in neither list. An object without a dynamic
// section has none. The errors are those of Read.
func Symbols(r io.ReaderAt, size int64) (defined, undefined []Symbol, err error) {
	return SymbolsUpTo(r, size, maxSymbols)
}

// SymbolsUpTo is Symbols for who can do nothing with more than most symbols: it refuses the file
// before it makes anything of them.
func SymbolsUpTo(r io.ReaderAt, size int64, most int) (defined, undefined []Symbol, err error) {
	m, err := newImage(r, size)
	if err != nil {
		return nil, nil, err
	}
	symtab, ok := m.dyn[elf.DT_SYMTAB]
	if !ok {
		return nil, nil, nil
	}
	count, err := m.symbolCount()
	if err != nil || count == 0 {
		return nil, nil, err
	}
	entry := m.symbolSize()
	if s, ok := m.dyn[elf.DT_SYMENT]; ok && s != entry {
		return nil, nil, corrupt("symbols of %d bytes", s)
	}
	if count > m.size/entry {
		return nil, nil, corrupt("%d symbols in a file of %d bytes", count, m.size)
	}
	if count > uint64(min(most, maxSymbols)) {
		return nil, nil, excessive("%d symbols", count)
	}
	if err := m.loadStrings(); err != nil {
		return nil, nil, err
	}
	table, err := m.table("symbol table", symtab, count*entry)
	if err != nil {
		return nil, nil, err
	}
	var versym []byte
	var versions []version
	if addr, ok := m.dyn[elf.DT_VERSYM]; ok {
		if versym, err = m.table("symbol versions", addr, count*2); err != nil {
			return nil, nil, err
		}
		if versions, err = m.versions(); err != nil {
			return nil, nil, err
		}
	}
	defined = make([]Symbol, 0, count)
	for i := uint64(1); i < count; i++ {
		s, name, visibility := m.symbol(table[i*entry:])
		if s.Bind == elf.STB_LOCAL {
			continue
		}
		s.Index, s.Default = uint32(i), true
		isDefined := s.Section != elf.SHN_UNDEF
		if isDefined && !visible(&s, visibility) {
			continue
		}
		if s.Name, err = m.str(uint64(name)); err != nil {
			return nil, nil, fmt.Errorf("symbol %d: %w", i, err)
		}
		if versym != nil {
			if err := s.setVersion(m.order.Uint16(versym[i*2:]), versions); err != nil {
				return nil, nil, err
			}
		}
		if isDefined {
			defined = append(defined, s)
		} else {
			undefined = append(undefined, s)
		}
	}
	return defined, undefined, nil
}

// setVersion takes what DT_VERSYM says of the symbol.
func (s *Symbol) setVersion(entry uint16, versions []version) error {
	s.Default = entry&verHidden == 0
	n := int(entry & verIndexMask)
	if n <= verGlobal {
		return nil
	}
	if n >= len(versions) || !versions[n].known {
		return corrupt("symbol %s has the unknown version index %d", s.Name, n)
	}
	s.Version = versions[n].name
	if s.Section == elf.SHN_UNDEF {
		s.Library = versions[n].library
	}
	return nil
}

func (m *image) symbolSize() uint64 {
	if m.is64() {
		return 24
	}
	return 16
}

// symbol decodes an entry of the symbol table.
//
//	Elf64_Sym  name u32 | info u8 | other u8 | shndx u16 | value u64 | size u64
//	Elf32_Sym  name u32 | value u32 | size u32 | info u8 | other u8 | shndx u16
func (m *image) symbol(b []byte) (s Symbol, name uint32, visibility elf.SymVis) {
	var info, other byte
	name = m.order.Uint32(b)
	if m.is64() {
		info, other, s.Section = b[4], b[5], elf.SectionIndex(m.order.Uint16(b[6:]))
		s.Value, s.Size = m.order.Uint64(b[8:]), m.order.Uint64(b[16:])
	} else {
		s.Value, s.Size = uint64(m.order.Uint32(b[4:])), uint64(m.order.Uint32(b[8:]))
		info, other, s.Section = b[12], b[13], elf.SectionIndex(m.order.Uint16(b[14:]))
	}
	s.Type, s.Bind, s.Other = elf.SymType(info&0xf), elf.SymBind(info>>4), other&^3
	return s, name, elf.SymVis(other & 3)
}

// visible says whether ld.so takes a definition for one that other objects may bind to.
func visible(s *Symbol, v elf.SymVis) bool {
	if v == elf.STV_HIDDEN || v == elf.STV_INTERNAL {
		return false
	}
	switch s.Bind {
	case elf.STB_GLOBAL, elf.STB_WEAK, bindUnique:
	default:
		return false
	}
	switch s.Type {
	case elf.STT_NOTYPE, elf.STT_OBJECT, elf.STT_FUNC, elf.STT_COMMON, typeIFunc:
		return s.Value != 0 || s.Section == elf.SHN_ABS
	case elf.STT_TLS:
		return true
	}
	return false
}

// versions returns the table that DT_VERSYM indexes.
func (m *image) versions() ([]version, error) {
	defs, err := m.versionDefs()
	if err != nil {
		return nil, err
	}
	needs, err := m.versionNeeds()
	if err != nil {
		return nil, err
	}
	var t []version
	set := func(i uint16, v version) {
		for int(i) >= len(t) {
			t = append(t, version{})
		}
		t[i] = v
	}
	for _, d := range defs {
		v := version{name: d.Name, known: true}
		if d.Base { // names the file, not a version
			v.name = ""
		}
		set(d.Index, v)
	}
	for _, n := range needs {
		for _, v := range n.versions {
			set(v.index, version{v.name, n.library, true})
		}
	}
	return t, nil
}

// symbolCount finds how many symbols there are, which no tag of the dynamic section says: by the hash tables, or
// where these hash nothing, by the section header, or by the string table's place behind the symbols.
func (m *image) symbolCount() (uint64, error) {
	if addr, ok := m.dyn[elf.DT_HASH]; ok && m.head.Machine != uint16(elf.EM_S390) && m.head.Machine != emAlpha {
		b, err := m.bytesAt("hash table", addr, 8)
		if err != nil {
			return 0, err
		}
		return uint64(m.order.Uint32(b[4:])), nil
	}
	if addr, ok := m.dyn[elf.DT_GNU_HASH]; ok {
		n, err := m.gnuHashCount(addr)
		if err != nil || n > 0 {
			return n, err
		}
	}
	if n := m.sectionCount(); n > 0 {
		return n, nil
	}
	symtab, strtab := m.dyn[elf.DT_SYMTAB], m.dyn[elf.DT_STRTAB]
	if off, avail, ok := m.offset(symtab); ok && strtab > symtab && off > 0 {
		return min(strtab-symtab, avail) / m.symbolSize(), nil
	}
	return 0, nil
}

// emAlpha is EM_ALPHA as binutils and glibc know it; as on s390x, its DT_HASH has words of 64 bits.
const emAlpha = 0x9026

// gnuHashCount walks the last chain of DT_GNU_HASH. It returns 0 when no symbol is hashed: symoffset is then not
// the number of undefined symbols (ld writes 1).
func (m *image) gnuHashCount(addr uint64) (uint64, error) {
	b, err := m.bytesAt("GNU hash table", addr, 16)
	if err != nil {
		return 0, err
	}
	buckets, first, bloom := uint64(m.order.Uint32(b)), uint64(m.order.Uint32(b[4:])), uint64(m.order.Uint32(b[8:]))
	word := uint64(8)
	if !m.is64() {
		word = 4
	}
	at := addr + 16 + bloom*word
	t, err := m.table("GNU hash table", at, buckets*4)
	if err != nil {
		return 0, err
	}
	var last uint64
	for i := range buckets {
		last = max(last, uint64(m.order.Uint32(t[i*4:])))
	}
	if last == 0 {
		return 0, nil
	}
	if last < first {
		return 0, corrupt("GNU hash bucket below the first hashed symbol")
	}
	for chain := at + buckets*4 + (last-first)*4; ; chain += 4 {
		b, err := m.bytesAt("GNU hash chain", chain, 4)
		if err != nil {
			return 0, err
		}
		if last++; last > maxSymbols {
			return 0, excessive("%d symbols", last)
		}
		if m.order.Uint32(b)&1 != 0 {
			return last, nil
		}
	}
}

// sectionCount takes the number of symbols from the section header of DT_SYMTAB, 0 where there is none.
func (m *image) sectionCount() uint64 {
	want, symtab := uint64(64), m.dyn[elf.DT_SYMTAB]
	if !m.is64() {
		want = 40
	}
	if m.head.Shoff == 0 || uint64(m.head.Shentsize) != want {
		return 0
	}
	b, err := m.fileBytes(m.head.Shoff, uint64(m.head.Shnum)*want)
	if err != nil {
		return 0
	}
	for ; len(b) > 0; b = b[want:] {
		if elf.SectionType(m.order.Uint32(b[4:])) != elf.SHT_DYNSYM {
			continue
		}
		addr, size := m.order.Uint64(b[16:]), m.order.Uint64(b[32:])
		if !m.is64() {
			addr, size = uint64(m.order.Uint32(b[12:])), uint64(m.order.Uint32(b[20:]))
		}
		if addr == symtab {
			return size / m.symbolSize()
		}
	}
	return 0
}
