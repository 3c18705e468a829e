package relr

import (
	"debug/elf"
	"fmt"
	"slices"
)

// Expand returns a copy of a shared object in which the relocations of DT_RELR are plain relative ones. Its errors are
// ErrNone, ErrUnsupported and ErrCorrupt, wrapped.
func Expand(object []byte) ([]byte, error) {
	m, err := read(object)
	if err != nil {
		return nil, err
	}
	places, err := m.places()
	if err != nil {
		return nil, err
	}
	table, relative, err := m.table(places)
	if err != nil {
		return nil, err
	}
	return m.write(table, relative)
}

// places decodes DT_RELR: an even word is the address of a relocated word; an odd one is a bitmap of those that follow
// the last, one bit for each of the next 63 (31) words (gABI, "Relative Relocation Table").
func (m *image) places() ([]uint64, error) {
	addr, ok := m.value(dtRELR)
	if !ok {
		return nil, ErrNone
	}
	size, _ := m.value(dtRELRSZ)
	word := m.word()
	if entry, ok := m.value(dtRELRENT); ok && entry != word || size%word != 0 {
		return nil, corrupt("DT_RELR of %d bytes with entries of %d", size, entry)
	}
	packed, err := m.mapped(addr, size)
	if err != nil {
		return nil, fmt.Errorf("DT_RELR: %w", err)
	}
	var places []uint64
	most := len(m.b) / int(word) // each is a word of the file
	var next uint64
	for ; len(packed) > 0; packed = packed[word:] {
		v := m.get(packed)
		if v&1 == 0 {
			places, next = append(places, v), v+word
		} else {
			for i, bits := uint64(0), v>>1; bits != 0; i, bits = i+1, bits>>1 {
				if bits&1 != 0 {
					places = append(places, next+i*word)
				}
			}
			next += (8*word - 1) * word
		}
		if len(places) > most {
			return nil, corrupt("DT_RELR names more words than the file has")
		}
	}
	return places, nil
}

// table makes the new relocation table, relative relocations first, and says how many they are.
func (m *image) table(places []uint64) (b []byte, relative uint64, err error) {
	if uint64(len(places)) > maxSize/m.entry() {
		return nil, 0, fmt.Errorf("%w: DT_RELR names %d words", ErrUnsupported, len(places))
	}
	for _, at := range places {
		content, err := m.mapped(at, m.word())
		if err != nil {
			return nil, 0, fmt.Errorf("DT_RELR: %w", err)
		}
		b = m.put(m.put(b, at), uint64(m.relative)) // symbol 0: r_info is the type in both classes
		if m.rela {
			b = m.put(b, m.get(content))
		}
	}
	relative = uint64(len(places))
	table, size, entry, count := m.tags()
	addr, ok := m.value(table)
	if !ok {
		return b, relative, nil
	}
	length, _ := m.value(size)
	if e, ok := m.value(entry); ok && e != m.entry() {
		return nil, 0, corrupt("%v of %d bytes", entry, e)
	}
	// DT_RELASZ may cover the relocations of the PLT too, when these lie behind the others (glibc,
	// elf/dynamic-link.h): they stay where they are, or they would be done twice.
	if plt, ok := m.value(elf.DT_JMPREL); ok {
		pltSize, _ := m.value(elf.DT_PLTRELSZ)
		if plt >= addr && plt-addr < length {
			if pltSize != length-(plt-addr) {
				return nil, 0, fmt.Errorf("%w: the relocations of the PLT are among the others", ErrUnsupported)
			}
			length = plt - addr
		}
	}
	old, err := m.mapped(addr, length)
	if err != nil {
		return nil, 0, fmt.Errorf("%v: %w", table, err)
	}
	leading, _ := m.value(count)
	if length%m.entry() != 0 || leading > length/m.entry() {
		return nil, 0, corrupt("%v of %d bytes, %d relative", table, length, leading)
	}
	return append(b, old...), relative + leading, nil
}

// write puts the object together.
func (m *image) write(table []byte, relative uint64) ([]byte, error) {
	last := -1
	align := uint64(4096)
	for i := range m.progs {
		if p := &m.progs[i]; p.Type == uint32(elf.PT_LOAD) {
			last, align = i, max(align, p.Align)
		}
	}
	if last < 0 {
		return nil, corrupt("no segment")
	}
	const fit = 16 // of what comes behind the original
	off := (uint64(len(m.b)) + fit - 1) / fit * fit
	end := m.progs[last].Vaddr + m.progs[last].Memsz
	addr := (end+align-1)/align*align + off%align
	headers := uint64(len(m.progs)+1) * m.progSize()
	tableAt := (headers + fit - 1) / fit * fit
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Off: off, Vaddr: addr, Paddr: addr,
		Filesz: tableAt + uint64(len(table)), Memsz: tableAt + uint64(len(table)), Align: align}

	progs := slices.Insert(slices.Clone(m.progs), last+1, segment) // in the order of addresses, as ld.so demands
	for i := range progs {
		if p := &progs[i]; p.Type == uint32(elf.PT_PHDR) {
			p.Off, p.Vaddr, p.Paddr, p.Filesz, p.Memsz = off, addr, addr, headers, headers
		}
	}
	if size := off + segment.Filesz; size > maxSize || addr+segment.Memsz > 2*m.limit() {
		return nil, fmt.Errorf("%w: it would have %d bytes", ErrUnsupported, size)
	}
	out := make([]byte, off, off+tableAt+uint64(len(table)))
	copy(out, m.b)
	phoff, _, phnum := m.header()
	m.put(out[:phoff], off) // in place: there is room behind
	le.PutUint16(out[phnum:], uint16(len(progs)))
	if err := m.writeDynamic(out, addr+tableAt, uint64(len(table)), relative); err != nil {
		return nil, err
	}
	for _, p := range progs {
		out = m.appendProg(out, p)
	}
	out = append(out, make([]byte, off+tableAt-uint64(len(out)))...)
	return append(out, table...), nil
}

// writeDynamic replaces the entries of DT_RELR and of the old table by those of the new one. DT_RELR has three, and
// what an object without a table needs is three; the fourth, the count, is only for speed.
func (m *image) writeDynamic(out []byte, addr, size, relative uint64) error {
	table, tableSize, entry, count := m.tags()
	var dyn []dynEntry
	for _, e := range m.dyn {
		switch e.tag {
		case dtRELR, dtRELRSZ, dtRELRENT, table, tableSize, entry, count:
		default:
			dyn = append(dyn, e)
		}
	}
	dyn = append(dyn, dynEntry{table, addr}, dynEntry{tableSize, size}, dynEntry{entry, m.entry()})
	if uint64(len(dyn))+1 < m.room { // DT_NULL must stay
		dyn = append(dyn, dynEntry{count, relative})
	}
	if uint64(len(dyn)) >= m.room {
		return corrupt("DT_RELR without DT_RELRSZ or DT_RELRENT")
	}
	b := out[m.dynAt:m.dynAt]
	for _, e := range dyn {
		b = m.put(m.put(b, uint64(e.tag)), e.val)
	}
	clear(out[m.dynAt+uint64(len(b)) : m.dynAt+m.room*2*m.word()])
	return nil
}
