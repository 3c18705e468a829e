package dso

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

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
	other         byte // st_other; visibility is default
	size          uint64
	section       uint16
	value         uint64 // in section self: relative to text
	text          bool   // value is an offset in .text
	missing       int    // proxy: 1 + ordinal of its code in .text, 0 for none
}

// object is what stub.go and proxy.go fill in and image.go lays out.
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
	named    []string                                 // what tools alone, by a .symtab, find as functions: the "return"
	zeroed   uint64                                   // bytes of zeroed data after the file's content, for data symbols nobody has
}

const (
	descriptorSize = 88 // sizeof(struct capsule_dso)
	abiVersion     = 2  // CAPSULE_ABI_VERSION
	df1NoDelete    = 0x8
	loadSegments   = 3 // R, RX, RW; PT_DYNAMIC, PT_GNU_STACK and those of the properties besides
)

// What an object may have. In brackets what the largest have of which there could be a stub:
// libLLVM and libclang-cpp; the C library's proxy has 3,400 symbols. No length wraps below these:
// all that is written ends far below 2 GiB.
const (
	MaxSymbols = 1 << 16  // [52,073]
	maxName    = 4096     // bytes [657]
	maxNames   = 16 << 20 // bytes of all names, each as often as it is used [3.9 million]
	maxParents = 1 << 12  // versions that one inherits from
	maxZeroed  = 64 << 20 // bytes of data that nobody has
)

// ErrTooLarge says that a library has more symbols or names than an object of ours can describe.
var ErrTooLarge = errors.New("too many symbols")

func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

// image is an object on its way to bytes.
type image struct {
	*object
	*layout
	m       *machine
	w       *words
	names   *stringTable
	hash    *gnuHash
	tables  versionTables
	lookups []uint32 // indices in .dynsym of the symbols that byName chose
	code    []byte
}

// write lays the object out and returns the file's bytes.
func (o *object) write() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	m, err := machineOf(o.arch)
	if err != nil {
		return nil, err
	}
	i := &image{object: o, m: m, w: &words{class: o.arch.Class}, names: newStringTable()}
	first := 1 + len(o.imports)

	// Tables: the hash decides the symbols' order, everything else follows it.
	i.hash = newGNUHash(o.symbols, o.slots, first, i.w)
	if i.tables, err = o.encodeVersions(i.hash.symbols, first, i.names); err != nil {
		return nil, err
	}
	for n := range i.hash.symbols {
		i.names.add(i.hash.symbols[n].name)
		if o.byName(&i.hash.symbols[n]) {
			i.lookups = append(i.lookups, uint32(first+n))
		}
	}
	for _, name := range append(append([]string{o.soname}, o.needed...), o.imports...) {
		i.names.add(name)
	}

	// Addresses. Beyond this point no table grows.
	i.place(first)
	i.code = i.textBytes()

	// Bytes.
	f := make([]byte, i.fileEnd)
	copy(f[i.property:], i.m.property)
	copy(f[i.gnuHash:], i.hash.table)
	copy(f[i.dynstr:], i.names.bytes)
	copy(f[i.versym:], i.tables.versym)
	copy(f[i.verdef:], i.tables.verdef)
	copy(f[i.textAddr:], i.code)
	for n := range o.imports {
		m.putGOTReloc(f[i.rel+uint64(n)*m.relSize:], i.got+uint64(n)*i.w.size(), uint32(1+n))
	}
	i.putDescriptor(f[i.descriptor:])
	for n, s := range i.hash.slots {
		i.w.put(f[i.slotsAddr+uint64(n)*i.w.size():], s)
	}
	for n, s := range i.lookups {
		binary.LittleEndian.PutUint32(f[i.byNameAddr+uint64(n)*4:], s)
	}
	i.putSymbols(f[i.dynsym:])
	for n, v := range i.dynamicTags() {
		i.w.put(f[i.dynamic+uint64(n)*i.w.size():], v)
	}
	f, more := i.putNamed(f)
	return i.w.finish(f, o.arch, i.segments(), append(i.sections(), more...)), nil
}

// check refuses what is too much before anything is made of it.
func (o *object) check() error {
	if len(o.symbols) > MaxSymbols {
		return fmt.Errorf("%.80s: %d symbols: %w", o.soname, len(o.symbols), ErrTooLarge)
	}
	if o.zeroed > maxZeroed {
		return fmt.Errorf("%.80s: data of %d bytes that nobody has: %w", o.soname, o.zeroed, ErrTooLarge)
	}
	all, longest := 0, 0
	count := func(name string) { all, longest = all+len(name)+1, max(longest, len(name)) }
	count(o.soname)
	for _, name := range o.needed {
		count(name)
	}
	for _, v := range o.versions {
		count(v.Name)
		for _, name := range v.Parents {
			count(name)
		}
		if len(v.Parents) > maxParents {
			return fmt.Errorf("%.80s: a version of %d others: %w", o.soname, len(v.Parents), ErrTooLarge)
		}
	}
	for i := range o.symbols {
		count(o.symbols[i].name)
	}
	if all > maxNames || longest > maxName {
		return fmt.Errorf("%.80s: names of %d bytes, one of %d: %w", o.soname, all, longest, ErrTooLarge)
	}
	return nil
}

// textBytes is .text for the layout as it stands: its length depends on the symbols alone, its content on addresses.
func (i *image) textBytes() []byte {
	return append(i.m.init(i.textAddr, i.descriptor, i.got), i.text(i.layout, i.hash.symbols)...)
}

// putNamed appends a .symtab, which ld.so does not know of. Its functions are what comes first in a proxy's text.
func (i *image) putNamed(f []byte) ([]byte, []section) {
	if len(i.named) == 0 {
		return f, nil
	}
	sections := i.sections()
	text := uint16(1 + slices.IndexFunc(sections, func(s section) bool { return s.name == ".text" })) // behind the empty one
	size := i.w.symSize()
	names, table := newStringTable(), make([]byte, uint64(1+len(i.named))*size)
	for n, name := range i.named {
		i.w.putSym(table[uint64(1+n)*size:], names.add(name), elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), 0, text,
			i.textAddr+i.m.initSize, uint64(len(i.m.ret)))
	}
	f = append(f, make([]byte, alignUp(uint64(len(f)), 8)-uint64(len(f)))...)
	s := []section{
		{".symtab", elf.SHT_SYMTAB, 0, uint64(len(f)), uint64(len(table)), ".strtab", 1, size},
		{".strtab", elf.SHT_STRTAB, 0, uint64(len(f) + len(table)), uint64(len(names.bytes)), "", 0, 0},
	}
	return append(append(f, table...), names.bytes...), s
}

// putDescriptor writes struct capsule_dso. Its offsets are relative to itself.
func (i *image) putDescriptor(b []byte) {
	le := binary.LittleEndian
	rel := func(at int, address uint64) { le.PutUint64(b[at:], address-i.descriptor) }
	le.PutUint32(b[0:], abiVersion)
	le.PutUint32(b[4:], i.index)
	le.PutUint32(b[8:], uint32(i.firstSymbol))
	le.PutUint32(b[12:], uint32(len(i.hash.symbols)))
	le.PutUint64(b[16:], i.descriptor)
	rel(24, i.dynsym)
	rel(32, i.dynstr)
	if i.versioned() {
		rel(40, i.versym)
		rel(48, i.verdef)
	}
	rel(56, i.slotsAddr)
	rel(64, i.byNameAddr)
	le.PutUint32(b[72:], uint32(len(i.lookups)))
	le.PutUint64(b[80:], i.fileEnd-i.descriptor) // 76 is what libcapsule notes
}

func (i *image) putSymbols(b []byte) {
	for n, name := range i.imports {
		i.w.putSym(b[uint64(1+n)*i.w.symSize():], i.names.add(name), elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), 0, 0, 0, 0)
	}
	for n := range i.hash.symbols {
		s := &i.hash.symbols[n]
		value := s.value
		switch {
		case i.slots != nil:
			value = i.textAddr + i.m.trampolineOffset(n)
		case s.text:
			value += i.textAddr
		case s.section == shnSelf:
			value += i.zeroedAddr
		}
		at := uint64(i.firstSymbol+n) * i.w.symSize()
		i.w.putSym(b[at:], i.names.add(s.name), s.info, s.other, s.section, value, s.size)
	}
}

func (i *image) versioned() bool { return len(i.versions) > 0 }
