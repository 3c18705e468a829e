package dynelf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unsafe"
)

// What one file may have. Names may overlap in a string table: neither the file's size nor their
// number bounds what they are together. In brackets what the largest have among 8,000 of Debian 11
// to sid, with LLVM, Clang, Chromium and rustc.
const (
	maxName    = 4096     // bytes of a name [657: a C++ template of libclang-cpp, a closure of rustc]
	maxPaths   = 64 << 10 // bytes of a DT_RPATH or DT_RUNPATH [70; builds by Spack name hundreds of directories]
	maxText    = 32 << 20 // bytes of all that are read, each time one is named [3.9 million: libclang-cpp]
	maxSymbols = 1 << 20  // [52,633: libLLVM]
	maxProgs   = 256      // program headers [15]
	maxDynamic = 4096     // entries of the dynamic section [75: libgdal]
	maxNotes   = 64 << 10 // bytes of all PT_NOTE [820: libsystemd]
)

const (
	// blockSize is what is read at once where a table's size is not known beforehand.
	blockSize = 4096
	maxInterp = 4096
	// maxTable bounds what is read at once, in bytes: a sparse file may have any size.
	maxTable = 64 << 20
)

// prog is a program header.
type prog struct {
	typ                              elf.ProgType
	flags                            elf.ProgFlag
	off, vaddr, filesz, memsz, align uint64
}

// image is an ELF file seen through its program headers.
type image struct {
	r     io.ReaderAt
	size  uint64
	order binary.ByteOrder
	head  elf.Header64
	class elf.Class
	progs []prog
	dyn   map[elf.DynTag]uint64
	multi []dynEntry // DT_NEEDED and the like, in order

	block     []byte // the last block read by bytesAt
	blockAddr uint64

	strtab string // the whole string table, once it has been loaded
	text   int    // bytes of all names that were read
}

type dynEntry struct {
	tag elf.DynTag
	val uint64
}

func truncated(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrTruncated, fmt.Sprintf(format, a...))
}

func excessive(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrExcessive, fmt.Sprintf(format, a...))
}

func corrupt(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// newImage reads the headers and the dynamic section.
func newImage(r io.ReaderAt, size int64) (*image, error) {
	m := &image{r: r, size: uint64(max(size, 0)), dyn: map[elf.DynTag]uint64{}}
	if err := m.readHeader(); err != nil {
		return nil, err
	}
	if err := m.readProgs(); err != nil {
		return nil, err
	}
	if err := m.readDynamic(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *image) is64() bool { return m.class == elf.ELFCLASS64 }

func (m *image) readHeader() error {
	var ident [elf.EI_NIDENT]byte
	if m.size < 4 {
		return ErrNotELF
	}
	if m.size < uint64(len(ident)) {
		if b, err := m.fileBytes(0, 4); err == nil && string(b) != elf.ELFMAG {
			return ErrNotELF
		}
		return truncated("%d bytes", m.size)
	}
	b, err := m.fileBytes(0, uint64(len(ident)))
	if err != nil {
		return err
	}
	copy(ident[:], b)
	if string(ident[:4]) != elf.ELFMAG {
		return ErrNotELF
	}
	switch elf.Data(ident[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		m.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		m.order = binary.BigEndian
	default:
		return corrupt("data encoding %d", ident[elf.EI_DATA])
	}
	m.class = elf.Class(ident[elf.EI_CLASS])
	switch m.class {
	case elf.ELFCLASS64:
		b, err := m.fileBytes(0, 64)
		if err != nil {
			return err
		}
		return binary.Read(bytes.NewReader(b), m.order, &m.head)
	case elf.ELFCLASS32:
		b, err := m.fileBytes(0, 52)
		if err != nil {
			return err
		}
		var h elf.Header32
		if err := binary.Read(bytes.NewReader(b), m.order, &h); err != nil {
			return err
		}
		m.head = elf.Header64{Type: h.Type, Machine: h.Machine, Phoff: uint64(h.Phoff), Shoff: uint64(h.Shoff),
			Phentsize: h.Phentsize, Phnum: h.Phnum, Shentsize: h.Shentsize, Shnum: h.Shnum}
		return nil
	}
	return corrupt("class %d", ident[elf.EI_CLASS])
}

// readProgs reads the program headers and checks that the file holds all that would be mapped from it.
func (m *image) readProgs() error {
	h := m.head
	if h.Phnum == 0 {
		return nil
	}
	want := uint16(56)
	if !m.is64() {
		want = 32
	}
	// ld.so supports neither another entry size nor PN_XNUM.
	if h.Phentsize != want || h.Phnum == 0xffff {
		return corrupt("%d program headers of %d bytes", h.Phnum, h.Phentsize)
	}
	if h.Phnum > maxProgs {
		return excessive("%d program headers", h.Phnum)
	}
	b, err := m.fileBytes(h.Phoff, uint64(h.Phnum)*uint64(want))
	if err != nil {
		return fmt.Errorf("program headers: %w", err)
	}
	m.progs = make([]prog, h.Phnum)
	for i := range m.progs {
		e, p := b[i*int(want):], &m.progs[i]
		p.typ = elf.ProgType(m.order.Uint32(e))
		if m.is64() {
			p.flags = elf.ProgFlag(m.order.Uint32(e[4:]))
			p.off, p.vaddr = m.order.Uint64(e[8:]), m.order.Uint64(e[16:])
			p.filesz, p.memsz, p.align = m.order.Uint64(e[32:]), m.order.Uint64(e[40:]), m.order.Uint64(e[48:])
		} else {
			p.off, p.vaddr = uint64(m.order.Uint32(e[4:])), uint64(m.order.Uint32(e[8:]))
			p.filesz, p.memsz = uint64(m.order.Uint32(e[16:])), uint64(m.order.Uint32(e[20:]))
			p.flags, p.align = elf.ProgFlag(m.order.Uint32(e[24:])), uint64(m.order.Uint32(e[28:]))
		}
		if p.typ != elf.PT_LOAD {
			continue
		}
		if p.off > m.size || p.filesz > m.size-p.off {
			return truncated("segment %d ends behind the file's %d bytes", i, m.size)
		}
		if p.vaddr+p.filesz < p.vaddr {
			return corrupt("segment %d wraps around", i)
		}
	}
	return nil
}

func (m *image) prog(t elf.ProgType) *prog {
	for i := range m.progs {
		if m.progs[i].typ == t {
			return &m.progs[i]
		}
	}
	return nil
}

// fileBytes reads n bytes at a file offset.
func (m *image) fileBytes(off, n uint64) ([]byte, error) {
	if off > m.size || n > m.size-off {
		return nil, truncated("%d bytes at offset %#x of %d", n, off, m.size)
	}
	if n > maxTable {
		return nil, corrupt("%d bytes in one piece", n)
	}
	b := make([]byte, n)
	if k, err := m.r.ReadAt(b, int64(off)); uint64(k) < n {
		if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, truncated("%d bytes at offset %#x", n, off)
		}
		return nil, fmt.Errorf("read: %w", err)
	}
	return b, nil
}

// offset translates an address to a file offset, and says how many bytes of its segment the file has from there.
func (m *image) offset(addr uint64) (off, avail uint64, ok bool) {
	for i := range m.progs {
		p := &m.progs[i]
		if p.typ == elf.PT_LOAD && addr >= p.vaddr && addr-p.vaddr < p.filesz {
			d := addr - p.vaddr
			return p.off + d, p.filesz - d, true
		}
	}
	return 0, 0, false
}

// table reads n bytes at an address.
func (m *image) table(what string, addr, n uint64) ([]byte, error) {
	off, avail, ok := m.offset(addr)
	if !ok || n > avail {
		return nil, corrupt("%s: %d bytes at address %#x are outside of all segments", what, n, addr)
	}
	return m.fileBytes(off, n)
}

// bytesAt returns n bytes (at most blockSize) at an address, through a buffer of one block. The slice is valid
// until the next call.
func (m *image) bytesAt(what string, addr, n uint64) ([]byte, error) {
	if d := addr - m.blockAddr; addr < m.blockAddr || d > uint64(len(m.block)) || uint64(len(m.block))-d < n {
		off, avail, ok := m.offset(addr)
		if !ok || n > avail {
			return nil, corrupt("%s: address %#x is outside of all segments", what, addr)
		}
		b, err := m.fileBytes(off, min(avail, blockSize))
		if err != nil {
			return nil, err
		}
		m.block, m.blockAddr = b, addr
	}
	d := addr - m.blockAddr
	return m.block[d : d+n], nil
}

// str returns the string at an offset into DT_STRTAB.
func (m *image) str(off uint64) (string, error) { return m.strUpTo(off, maxName) }

func (m *image) strUpTo(off, most uint64) (string, error) {
	s, err := m.find(off, most)
	if err != nil {
		return "", err
	}
	if m.text += len(s) + 1; m.text > maxText {
		return "", excessive("names of %d bytes", m.text)
	}
	return s, nil
}

// find reads a string of at most so many bytes.
func (m *image) find(off, most uint64) (string, error) {
	if m.strtab != "" {
		if off >= uint64(len(m.strtab)) {
			return "", corrupt("string offset %#x of %#x", off, len(m.strtab))
		}
		s := m.strtab[off:]
		i := strings.IndexByte(s[:min(uint64(len(s)), most+1)], 0)
		if i < 0 {
			return "", tooLong(off, uint64(len(s)), most)
		}
		return s[:i], nil
	}
	size := m.dyn[elf.DT_STRSZ]
	if off >= size {
		return "", corrupt("string offset %#x of %#x", off, size)
	}
	at, avail, ok := m.offset(m.dyn[elf.DT_STRTAB] + off)
	if !ok {
		return "", corrupt("string table is outside of all segments")
	}
	avail = min(avail, size-off)
	var s []byte
	for n := uint64(256); uint64(len(s)) < min(avail, most+1); n *= 4 {
		b, err := m.fileBytes(at+uint64(len(s)), min(n, min(avail, most+1)-uint64(len(s))))
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(append(s, b[:i]...)), nil
		}
		s = append(s, b...)
	}
	return "", tooLong(off, avail, most)
}

// tooLong is the error for a string that has no end among the bytes that were looked at, of those
// that there are.
func tooLong(off, avail, most uint64) error {
	if avail <= most {
		return corrupt("unterminated string at %#x", off)
	}
	return excessive("a string at %#x of more than %d bytes", off, most)
}

// loadStrings reads the whole string table; strings returned by str then share its memory.
func (m *image) loadStrings() error {
	b, err := m.table("string table", m.dyn[elf.DT_STRTAB], m.dyn[elf.DT_STRSZ])
	if err != nil {
		return err
	}
	m.strtab = unsafe.String(unsafe.SliceData(b), len(b)) // nobody else has b: a copy would be for nothing
	return nil
}
