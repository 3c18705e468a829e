package dynelf

import (
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
)

// The version tables are linked lists of relative offsets, of fixed layout in both classes (gABI supplement of the
// LSB, "Symbol Versioning"):
//
//	Elf_Verdef  version u16 | flags u16 | ndx u16 | cnt u16 | hash u32 | aux u32 | next u32       20 bytes
//	Elf_Verdaux name u32 | next u32                                                                8 bytes
//	Elf_Verneed version u16 | cnt u16 | file u32 | aux u32 | next u32                             16 bytes
//	Elf_Vernaux hash u32 | flags u16 | other u16 | name u32 | next u32                            16 bytes
const (
	verdefSize, verdauxSize, verneedSize, vernauxSize = 20, 8, 16, 16

	verFlagBase, verFlagWeak = 1, 2

	// verIndexMask is the index within a DT_VERSYM entry; verHidden marks name@version that is not the default.
	verIndexMask, verHidden = 0x7fff, 0x8000
	// verGlobal is VER_NDX_GLOBAL, an unversioned symbol. Indices above it are the file's own.
	verGlobal = 1

	// maxVersions bounds a walk over a list that need not end, in names [69 of one file: libgdal].
	// The format has 0x7fff indices.
	maxVersions = 4096
)

// GlibcMinor returns x of the highest version GLIBC_2.x that glibc's libraries define, which is their release; 0 if they
// define none. library gives one by its SONAME, or nil. libc.so.6 alone does not tell: 2.31 has new functions in libpthread
// and libm only.
func GlibcMinor(library func(soname string) *File) int {
	highest := 0
	for _, soname := range []string{"libc.so.6", "libpthread.so.0", "libm.so.6"} {
		if f := library(soname); f != nil {
			highest = max(highest, f.glibcMinor())
		}
		if highest == 0 {
			break // no glibc, whatever else there is
		}
	}
	return highest
}

// maxMinor is far above any release of glibc.
const maxMinor = 1000

func (f *File) glibcMinor() int {
	highest := 0
	for _, d := range f.VersionDefs {
		rest, ok := strings.CutPrefix(d.Name, "GLIBC_2.")
		minor, _, _ := strings.Cut(rest, ".") // GLIBC_2.2.5
		if n, err := strconv.Atoi(minor); ok && err == nil && n < maxMinor {
			highest = max(highest, n)
		}
	}
	return highest
}

type neededVersion struct {
	name  string
	index uint16
	weak  bool
}

type versionNeed struct {
	library  string
	versions []neededVersion
}

func (m *image) versionDefs() ([]VersionDef, error) {
	addr, ok := m.dyn[elf.DT_VERDEF]
	if !ok {
		return nil, nil
	}
	var defs []VersionDef
	names := 0
	for {
		b, err := m.bytesAt("version definitions", addr, verdefSize)
		if err != nil {
			return nil, err
		}
		flags, index, count := m.order.Uint16(b[2:]), m.order.Uint16(b[4:]), m.order.Uint16(b[6:])
		aux, next := addr+uint64(m.order.Uint32(b[12:])), uint64(m.order.Uint32(b[16:]))
		d := VersionDef{Index: index & verIndexMask, Base: flags&verFlagBase != 0, Weak: flags&verFlagWeak != 0}
		if count == 0 {
			return nil, corrupt("version definition %d has no name", index)
		}
		for i := range count {
			if names++; names > maxVersions {
				return nil, excessive("%d version names", names)
			}
			b, err := m.bytesAt("version definition", aux, verdauxSize)
			if err != nil {
				return nil, err
			}
			nameOff, auxNext := uint64(m.order.Uint32(b)), uint64(m.order.Uint32(b[4:]))
			s, err := m.str(nameOff)
			if err != nil {
				return nil, fmt.Errorf("version definition %d: %w", index, err)
			}
			if i == 0 {
				d.Name = s
			} else {
				d.Parents = append(d.Parents, s)
			}
			aux += auxNext
		}
		defs = append(defs, d)
		if next == 0 {
			return defs, nil
		}
		addr += next
	}
}

func (m *image) versionNeeds() ([]versionNeed, error) {
	addr, ok := m.dyn[elf.DT_VERNEED]
	if !ok {
		return nil, nil
	}
	var needs []versionNeed
	names := 0
	for {
		b, err := m.bytesAt("version needs", addr, verneedSize)
		if err != nil {
			return nil, err
		}
		count, file := m.order.Uint16(b[2:]), uint64(m.order.Uint32(b[4:]))
		aux, next := addr+uint64(m.order.Uint32(b[8:])), uint64(m.order.Uint32(b[12:]))
		if names++; names > maxVersions {
			return nil, excessive("%d needed versions", names)
		}
		var n versionNeed
		if n.library, err = m.str(file); err != nil {
			return nil, fmt.Errorf("version needs: %w", err)
		}
		for range count {
			if names++; names > maxVersions {
				return nil, excessive("%d needed versions", names)
			}
			b, err := m.bytesAt("version need", aux, vernauxSize)
			if err != nil {
				return nil, err
			}
			flags, other := m.order.Uint16(b[4:]), m.order.Uint16(b[6:])
			nameOff, auxNext := uint64(m.order.Uint32(b[8:])), uint64(m.order.Uint32(b[12:]))
			v := neededVersion{index: other & verIndexMask, weak: flags&verFlagWeak != 0}
			if v.name, err = m.str(nameOff); err != nil {
				return nil, fmt.Errorf("versions needed of %s: %w", n.library, err)
			}
			n.versions = append(n.versions, v)
			aux += auxNext
		}
		needs = append(needs, n)
		if next == 0 {
			return needs, nil
		}
		addr += next
	}
}
