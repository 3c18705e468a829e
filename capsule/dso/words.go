package dso

import (
	"debug/elf"
	"encoding/binary"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// words writes the structures whose layout depends on the ELF class. Everything we write is little-endian: so are
// all architectures in package arch.
type words struct {
	class elf.Class
}

type segment struct {
	kind              elf.ProgType
	flags             elf.ProgFlag
	at, filesz, memsz uint64
	align             uint64
}

type section struct {
	name     string
	kind     elf.SectionType
	flags    elf.SectionFlag
	at, size uint64
	link     string
	info     uint32
	entsize  uint64
}

func (w *words) is64() bool { return w.class == elf.ELFCLASS64 }

// size of an address, in bytes.
func (w *words) size() uint64 {
	if w.is64() {
		return 8
	}
	return 4
}

func (w *words) put(b []byte, v uint64) {
	if w.is64() {
		binary.LittleEndian.PutUint64(b, v)
	} else {
		binary.LittleEndian.PutUint32(b, uint32(v))
	}
}

func (w *words) append(b []byte, v uint64) []byte {
	if w.is64() {
		return binary.LittleEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(v))
}

func (w *words) symSize() uint64 {
	if w.is64() {
		return elf.Sym64Size
	}
	return elf.Sym32Size
}

func (w *words) putSym(b []byte, name uint32, info, other byte, shndx uint16, value, size uint64) {
	le := binary.LittleEndian
	le.PutUint32(b, name)
	if w.is64() {
		b[4], b[5] = info, other
		le.PutUint16(b[6:], shndx)
		le.PutUint64(b[8:], value)
		le.PutUint64(b[16:], size)
		return
	}
	le.PutUint32(b[4:], uint32(value))
	le.PutUint32(b[8:], uint32(size))
	b[12], b[13] = info, other
	le.PutUint16(b[14:], shndx)
}

func (w *words) ehdrSize() uint64 {
	if w.is64() {
		return 64
	}
	return 52
}

func (w *words) phdrSize() uint64 {
	if w.is64() {
		return 56
	}
	return 32
}

// headerSize is the room for the ELF header, n given segments and PT_GNU_STACK.
func (w *words) headerSize(n int) uint64 { return w.ehdrSize() + uint64(n+1)*w.phdrSize() }

// finish writes the headers into f and appends the section headers, which ld.so ignores and every tool that looks
// at a crash wants.
func (w *words) finish(f []byte, a *arch.Arch, segments []segment, sections []section) []byte {
	segments = append(segments, segment{kind: elf.PT_GNU_STACK, flags: elf.PF_R | elf.PF_W, align: 16})
	at := w.ehdrSize()
	for _, s := range segments {
		w.putPhdr(f[at:], s)
		at += w.phdrSize()
	}
	names := newStringTable()
	sections = append([]section{{}}, sections...)
	for _, s := range sections {
		names.add(s.name)
	}
	names.add(".shstrtab")
	f = f[:len(f):len(f)]
	strAt := uint64(len(f))
	f = append(f, names.bytes...)
	f = append(f, make([]byte, alignUp(uint64(len(f)), 8)-uint64(len(f)))...)
	shoff := uint64(len(f))
	sections = append(sections, section{name: ".shstrtab", kind: elf.SHT_STRTAB, at: strAt, size: uint64(len(names.bytes))})
	index := map[string]uint32{}
	for i, s := range sections {
		index[s.name] = uint32(i)
	}
	for _, s := range sections {
		f = w.appendShdr(f, s, names.at[s.name], index[s.link])
	}
	w.putEhdr(f, a, shoff, len(segments), len(sections))
	return f
}

func (w *words) putEhdr(f []byte, a *arch.Arch, shoff uint64, phnum, shnum int) {
	le := binary.LittleEndian
	copy(f, elf.ELFMAG)
	f[elf.EI_CLASS] = byte(w.class)
	f[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	f[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	le.PutUint16(f[16:], uint16(elf.ET_DYN))
	le.PutUint16(f[18:], uint16(a.Machine))
	le.PutUint32(f[20:], uint32(elf.EV_CURRENT))
	at := uint64(24)
	for _, v := range []uint64{0 /* e_entry */, w.ehdrSize(), shoff} {
		w.put(f[at:], v)
		at += w.size()
	}
	le.PutUint32(f[at:], 0) // e_flags
	at += 4
	shentsize := uint64(64)
	if !w.is64() {
		shentsize = 40
	}
	for _, v := range []uint64{w.ehdrSize(), w.phdrSize(), uint64(phnum), shentsize, uint64(shnum), uint64(shnum - 1)} {
		le.PutUint16(f[at:], uint16(v))
		at += 2
	}
}

func (w *words) putPhdr(b []byte, s segment) {
	le := binary.LittleEndian
	le.PutUint32(b, uint32(s.kind))
	if w.is64() {
		le.PutUint32(b[4:], uint32(s.flags))
		for i, v := range []uint64{s.at, s.at, s.at, s.filesz, s.memsz, s.align} {
			le.PutUint64(b[8+8*i:], v)
		}
		return
	}
	for i, v := range []uint64{s.at, s.at, s.at, s.filesz, s.memsz, uint64(s.flags), s.align} {
		le.PutUint32(b[4+4*i:], uint32(v))
	}
}

func (w *words) appendShdr(f []byte, s section, name, link uint32) []byte {
	le := binary.LittleEndian
	addr := s.at
	if s.flags&elf.SHF_ALLOC == 0 {
		addr = 0
	}
	align := uint64(1)
	if s.flags&elf.SHF_ALLOC != 0 {
		align = 8
	}
	f = le.AppendUint32(f, name)
	f = le.AppendUint32(f, uint32(s.kind))
	for _, v := range []uint64{uint64(s.flags), addr, s.at, s.size} {
		f = w.append(f, v)
	}
	f = le.AppendUint32(f, link)
	f = le.AppendUint32(f, s.info)
	f = w.append(f, align)
	return w.append(f, s.entsize)
}
