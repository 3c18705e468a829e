package dynelf

import (
	"debug/elf"
	"fmt"
	"io"
	"strings"
)

// Read reads what an object says of itself. The errors are ErrNotELF, ErrTruncated, ErrCorrupt (wrapped) and those
// of r.
func Read(r io.ReaderAt, size int64) (*File, error) {
	m, err := newImage(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{Machine: elf.Machine(m.head.Machine), Class: m.class, Type: elf.Type(m.head.Type)}
	f.Flags, f.Flags1 = m.dyn[elf.DT_FLAGS], m.dyn[elf.DT_FLAGS_1]
	f.StaticTLS = f.Flags&uint64(elf.DF_STATIC_TLS) != 0
	_, f.HasRELR = m.dyn[dtRELR]
	_, marked := m.dyn[dtX8664PLT]
	f.MarksPLT = marked && f.Machine == elf.EM_X86_64
	if p := m.prog(elf.PT_TLS); p != nil {
		f.TLSSize, f.TLSAlign = p.memsz, p.align
	}
	if p := m.prog(elf.PT_INTERP); p != nil {
		if p.filesz > maxInterp {
			return nil, corrupt("interpreter name of %d bytes", p.filesz)
		}
		b, err := m.fileBytes(p.off, p.filesz)
		if err != nil {
			return nil, fmt.Errorf("interpreter: %w", err)
		}
		f.Interp, _, _ = strings.Cut(string(b), "\x00")
	}
	for _, e := range m.multi {
		most := uint64(maxName)
		if e.tag == elf.DT_RPATH || e.tag == elf.DT_RUNPATH {
			most = maxPaths
		}
		s, err := m.strUpTo(e.val, most)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", e.tag, err)
		}
		switch e.tag {
		case elf.DT_NEEDED:
			f.Needed = append(f.Needed, s)
		case elf.DT_SONAME:
			f.Soname = s
		case elf.DT_RPATH:
			f.RPath = splitPath(s)
		case elf.DT_RUNPATH:
			f.RunPath = splitPath(s)
		}
	}
	if err = m.readNotes(f); err != nil {
		return nil, err
	}
	if f.VersionDefs, err = m.versionDefs(); err != nil {
		return nil, err
	}
	needs, err := m.versionNeeds()
	if err != nil {
		return nil, err
	}
	for _, n := range needs {
		v := VersionNeed{Library: n.library}
		for _, a := range n.versions {
			v.Versions, v.Weak = append(v.Versions, a.name), append(v.Weak, a.weak)
		}
		f.VersionNeeds = append(f.VersionNeeds, v)
	}
	return f, nil
}

func splitPath(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ":")
}

// readDynamic reads PT_DYNAMIC up to DT_NULL. As in ld.so, of most tags the last one counts.
func (m *image) readDynamic() error {
	p := m.prog(elf.PT_DYNAMIC)
	if p == nil || p.filesz == 0 {
		return nil
	}
	entry := 16
	if !m.is64() {
		entry = 8
	}
	// Behind DT_NULL there may be room for others to write to.
	b, err := m.table("dynamic section", p.vaddr, min(p.filesz, uint64(maxDynamic*entry)))
	if err != nil {
		return err
	}
	for ; len(b) >= entry; b = b[entry:] {
		var tag elf.DynTag
		var val uint64
		if m.is64() {
			tag, val = elf.DynTag(m.order.Uint64(b)), m.order.Uint64(b[8:])
		} else {
			tag, val = elf.DynTag(int32(m.order.Uint32(b))), uint64(m.order.Uint32(b[4:]))
		}
		switch tag {
		case elf.DT_NULL:
			return nil
		case elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH:
			m.multi = append(m.multi, dynEntry{tag, val})
		default:
			m.dyn[tag] = val
		}
	}
	if p.filesz > uint64(maxDynamic*entry) {
		return excessive("%d dynamic entries", p.filesz/uint64(entry))
	}
	return corrupt("dynamic section without an end")
}
