// Package elftest makes small shared objects for tests, of any machine and without a compiler: enough of ELF for
// ld.so's search and for package dynelf, and no code. Only tests import it.
package elftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Lib is a shared object to be made.
type Lib struct {
	Machine elf.Machine // zero: EM_X86_64. EM_386 and EM_ARM make a bare header of class 32.
	Soname  string
	Needed  []string
	RPath   string
	RunPath string
	Interp  string
	// Dlopen is the JSON of a .note.dlopen, ReadOnly further bytes of the segment, such as strings.
	Dlopen   string
	ReadOnly string
	// Versions are the version definitions behind the base one.
	Versions []string
	// Exports are functions, "name" or "name@@version". Imports are undefined symbols without a version.
	Exports []string
	Imports []string
}

// Bytes returns the object. The layout is the header, the program headers, and one segment of everything at
// address 0, so that offsets are addresses.
func (l Lib) Bytes() []byte {
	if l.Machine == 0 {
		l.Machine = elf.EM_X86_64
	}
	le := binary.LittleEndian
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	if l.Machine == elf.EM_386 || l.Machine == elf.EM_ARM {
		ident[elf.EI_CLASS] = byte(elf.ELFCLASS32)
		return pack(elf.Header32{Ident: ident, Type: uint16(elf.ET_DYN), Machine: uint16(l.Machine), Version: 1, Ehsize: 52})
	}

	str := []byte{0}
	add := func(s string) uint64 {
		if s == "" {
			return 0
		}
		str = append(append(str, s...), 0)
		return uint64(len(str) - 1 - len(s))
	}
	var dyn []elf.Dyn64
	tag := func(t elf.DynTag, v uint64) { dyn = append(dyn, elf.Dyn64{Tag: int64(t), Val: v}) }
	for _, n := range l.Needed {
		tag(elf.DT_NEEDED, add(n))
	}
	for t, s := range map[elf.DynTag]string{elf.DT_SONAME: l.Soname, elf.DT_RPATH: l.RPath, elf.DT_RUNPATH: l.RunPath} {
		if s != "" {
			tag(t, add(s))
		}
	}

	symbols, versym := pack(elf.Sym64{}), []byte{0, 0}
	for i, name := range append(l.Exports, l.Imports...) {
		plain, version, _ := bytes.Cut([]byte(name), []byte("@@"))
		s := elf.Sym64{Name: uint32(add(string(plain))), Info: byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC)}
		if i < len(l.Exports) {
			s.Shndx, s.Value, s.Size = 1, 0x40, 1
		}
		index := uint16(1)
		for v, n := range l.Versions {
			if n == string(version) {
				index = uint16(v + 2)
			}
		}
		symbols, versym = append(symbols, pack(s)...), le.AppendUint16(versym, index)
	}
	var verdef []byte
	for i, n := range append([]string{l.Soname}, l.Versions...) {
		next, flags := uint32(28), uint16(0)
		if i == len(l.Versions) {
			next = 0
		}
		if i == 0 {
			flags = 1 // VER_FLG_BASE
		}
		verdef = append(verdef, pack(struct {
			Version, Flags, Index, Count uint16
			Hash, Aux, Next, Name, End   uint32
		}{1, flags, uint16(i + 1), 1, 0, 20, next, uint32(add(n)), 0})...)
	}
	count := uint32(len(versym) / 2)
	hash := pack([]uint32{1, count, 0}) // one bucket and no chain: nothing is looked up in it
	hash = append(hash, make([]byte, 4*count)...)

	var body []byte
	const start = 64 + 4*56
	place := func(b []byte) uint64 {
		body = append(body, make([]byte, -len(body)&7)...)
		at := uint64(start + len(body))
		body = append(body, b...)
		return at
	}
	place([]byte(l.ReadOnly))
	note := append(pack([]uint32{4, uint32(len(l.Dlopen) + 1), 0x407c0c0a}), "FDO\x00"+l.Dlopen+"\x00\x00\x00\x00"...)
	note = note[:(16+len(l.Dlopen)+1+3)&^3]
	noteAt := place(note)
	interp := place(append([]byte(l.Interp), 0))
	tag(elf.DT_SYMTAB, place(symbols))
	tag(elf.DT_SYMENT, 24)
	tag(elf.DT_HASH, place(hash))
	if len(l.Versions) > 0 {
		tag(elf.DT_VERSYM, place(versym))
		tag(elf.DT_VERDEF, place(verdef))
		tag(elf.DT_VERDEFNUM, uint64(len(l.Versions)+1))
	}
	tag(elf.DT_STRTAB, place(str))
	tag(elf.DT_STRSZ, uint64(len(str)))
	tag(elf.DT_NULL, 0)
	dynamic := pack(dyn)
	at := place(dynamic)
	size := uint64(start + len(body))

	prog := func(t elf.ProgType, at, size uint64) []byte {
		return pack(elf.Prog64{Type: uint32(t), Flags: uint32(elf.PF_R), Off: at, Vaddr: at, Paddr: at, Filesz: size,
			Memsz: size, Align: 8})
	}
	out := pack(elf.Header64{Ident: ident, Type: uint16(elf.ET_DYN), Machine: uint16(l.Machine), Version: 1, Phoff: 64,
		Ehsize: 64, Phentsize: 56, Phnum: 4})
	out = append(out, prog(elf.PT_LOAD, 0, size)...)
	out = append(out, prog(elf.PT_DYNAMIC, at, uint64(len(dynamic)))...)
	if l.Interp != "" {
		out = append(out, prog(elf.PT_INTERP, interp, uint64(len(l.Interp)+1))...)
	} else {
		out = append(out, prog(elf.PT_NULL, 0, 0)...)
	}
	if l.Dlopen != "" {
		out = append(out, pack(elf.Prog64{Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R), Off: noteAt, Vaddr: noteAt,
			Filesz: uint64(len(note)), Memsz: uint64(len(note)), Align: 4})...)
	} else {
		out = append(out, prog(elf.PT_NULL, 0, 0)...)
	}
	return append(out, body...)
}

// pack encodes a value of fixed size, little-endian.
func pack(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
