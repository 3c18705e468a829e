package relr

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

var le = binary.LittleEndian

const (
	// headerSize is that of Elf64_Ehdr, the larger one, in bytes.
	headerSize = 64
	// maxSize is in bytes, of a file that is read or written: no offset in it wraps in 32 bits.
	maxSize = 1 << 31
)

// image is an object's bytes with its headers read.
type image struct {
	target
	b     []byte
	progs []elf.Prog64
	dyn   []dynEntry // up to DT_NULL, which is not included
	dynAt uint64     // file offset of the dynamic section
	room  uint64     // its size in entries
}

type dynEntry struct {
	tag elf.DynTag
	val uint64
}

func corrupt(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// ELF32 and ELF64 header fields that are read or written here: file offsets.
func (t target) header() (phoff, phentsize, phnum int) {
	if t.class == elf.ELFCLASS64 {
		return 32, 54, 56
	}
	return 28, 42, 44
}

func (t target) progSize() uint64 {
	if t.class == elf.ELFCLASS64 {
		return 56
	}
	return 32
}

func read(b []byte) (*image, error) {
	if len(b) < headerSize || string(b[:4]) != elf.ELFMAG {
		return nil, fmt.Errorf("%w: not ELF", ErrUnsupported)
	}
	machine, class := elf.Machine(le.Uint16(b[18:])), elf.Class(b[elf.EI_CLASS])
	t, ok := targets[machine]
	if !ok || class != t.class || elf.Data(b[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("%w: machine %v, %v", ErrUnsupported, machine, class)
	}
	if elf.Type(le.Uint16(b[16:])) != elf.ET_DYN || uint64(len(b)) > maxSize {
		return nil, fmt.Errorf("%w: not a shared object", ErrUnsupported)
	}
	m := &image{target: t, b: b}
	if err := m.readProgs(); err != nil {
		return nil, err
	}
	return m, m.readDynamic()
}

// bytesAt returns n bytes of the file.
func (m *image) bytesAt(off, n uint64) ([]byte, error) {
	if size := uint64(len(m.b)); off > size || n > size-off {
		return nil, corrupt("%d bytes at offset %#x of %#x", n, off, size)
	}
	return m.b[off : off+n], nil
}

// mapped returns the n bytes of the file that a PT_LOAD segment puts at an address.
func (m *image) mapped(addr, n uint64) ([]byte, error) {
	for i := range m.progs {
		p := &m.progs[i]
		if p.Type == uint32(elf.PT_LOAD) && addr >= p.Vaddr && addr-p.Vaddr <= p.Filesz && n <= p.Filesz-(addr-p.Vaddr) {
			return m.bytesAt(p.Off+(addr-p.Vaddr), n)
		}
	}
	return nil, corrupt("%d bytes at address %#x are in no segment", n, addr)
}

func (m *image) readProgs() error {
	phoff, phentsize, phnum := m.header()
	count := uint64(le.Uint16(m.b[phnum:]))
	if uint64(le.Uint16(m.b[phentsize:])) != m.progSize() || count >= 0xfffe {
		return corrupt("%d program headers of %d bytes", count, le.Uint16(m.b[phentsize:]))
	}
	b, err := m.bytesAt(m.get(m.b[phoff:]), count*m.progSize())
	if err != nil {
		return fmt.Errorf("program headers: %w", err)
	}
	m.progs = make([]elf.Prog64, count)
	if m.class == elf.ELFCLASS64 {
		if err := binary.Read(bytes.NewReader(b), le, m.progs); err != nil {
			return fmt.Errorf("program headers: %w", err)
		}
	} else {
		for i := range m.progs {
			var p elf.Prog32
			if err := binary.Read(bytes.NewReader(b[i*32:]), le, &p); err != nil {
				return fmt.Errorf("program headers: %w", err)
			}
			m.progs[i] = elf.Prog64{Type: p.Type, Flags: p.Flags, Off: uint64(p.Off), Vaddr: uint64(p.Vaddr),
				Paddr: uint64(p.Paddr), Filesz: uint64(p.Filesz), Memsz: uint64(p.Memsz), Align: uint64(p.Align)}
		}
	}
	var end uint64
	for i := range m.progs {
		p := &m.progs[i]
		if p.Type != uint32(elf.PT_LOAD) {
			continue
		}
		// As ld.so demands it; and so that the sums below stay within 64 bits.
		if p.Vaddr < end || p.Memsz < p.Filesz || p.Vaddr > m.limit() || p.Memsz > m.limit() || p.Align > 1<<30 ||
			p.Align&(p.Align-1) != 0 || (p.Align > 1 && (p.Vaddr-p.Off)%p.Align != 0) {
			return corrupt("segment %d at %#x, %#x bytes, alignment %#x", i, p.Vaddr, p.Memsz, p.Align)
		}
		if _, err := m.bytesAt(p.Off, p.Filesz); err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
		end = p.Vaddr + p.Memsz
	}
	return nil
}

// limit bounds addresses: half of what user space has.
func (m *image) limit() uint64 {
	if m.class == elf.ELFCLASS64 {
		return 1 << 46
	}
	return 1 << 30
}

func (m *image) readDynamic() error {
	var found *elf.Prog64
	for i := range m.progs {
		if p := &m.progs[i]; p.Type == uint32(elf.PT_DYNAMIC) {
			if found != nil {
				return corrupt("two dynamic sections")
			}
			found = p
		}
	}
	if found == nil {
		return corrupt("no dynamic section")
	}
	b, err := m.bytesAt(found.Off, found.Filesz)
	if err != nil {
		return fmt.Errorf("dynamic section: %w", err)
	}
	// ld.so reads it at its address: the two must be one. It cannot be within the ELF header, which is written too.
	loaded, err := m.mapped(found.Vaddr, found.Filesz)
	if err != nil {
		return fmt.Errorf("dynamic section: %w", err)
	}
	if len(b) == 0 || &b[0] != &loaded[0] || found.Off < headerSize {
		return corrupt("dynamic section at offset %#x is not what is loaded at %#x", found.Off, found.Vaddr)
	}
	entry := 2 * m.word()
	m.dynAt, m.room = found.Off, found.Filesz/entry
	for i := range m.room {
		e := dynEntry{elf.DynTag(m.get(b[i*entry:])), m.get(b[i*entry+m.word():])}
		if e.tag == elf.DT_NULL {
			return nil
		}
		m.dyn = append(m.dyn, e)
	}
	return corrupt("dynamic section without an end")
}

// get and put read and write a word.
func (t target) get(b []byte) uint64 {
	if t.class == elf.ELFCLASS64 {
		return le.Uint64(b)
	}
	return uint64(le.Uint32(b))
}

func (t target) put(b []byte, v uint64) []byte {
	if t.class == elf.ELFCLASS64 {
		return le.AppendUint64(b, v)
	}
	return le.AppendUint32(b, uint32(v))
}

// value returns the dynamic section's entry of a tag; of several the last counts, as in ld.so.
func (m *image) value(tag elf.DynTag) (v uint64, ok bool) {
	for _, e := range m.dyn {
		if e.tag == tag {
			v, ok = e.val, true
		}
	}
	return v, ok
}

func (m *image) appendProg(b []byte, p elf.Prog64) []byte {
	if m.class == elf.ELFCLASS64 {
		b, _ = binary.Append(b, le, p)
		return b
	}
	b, _ = binary.Append(b, le, elf.Prog32{Type: p.Type, Off: uint32(p.Off), Vaddr: uint32(p.Vaddr), Paddr: uint32(p.Paddr),
		Filesz: uint32(p.Filesz), Memsz: uint32(p.Memsz), Flags: p.Flags, Align: uint32(p.Align)})
	return b
}
