package dynelf

import (
	"bytes"
	"debug/elf"
	"io"
	"maps"
	"slices"
)

const (
	// scanBlock is what is read at once when a file's constants are looked through.
	scanBlock = 1 << 20
	// maxNames bounds what is found in one file.
	maxNames = 4096
)

// Sonames returns the strings among an object's constants that look like the name of a library without a directory,
// lib….so or lib….so.N, sorted: what it might open with dlopen. It looks at what is mapped neither writable nor
// executable, or, of a file without such a segment but the headers', at what is executable too.
func Sonames(r io.ReaderAt, size int64) ([]string, error) {
	m, err := newImage(r, size)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	left := m.size // segments may overlap in a hostile file: it is read once at most
	for _, p := range m.constants() {
		n := min(p.filesz, left)
		left -= n
		if err := m.scan(p.off, n, found); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func (m *image) constants() []prog {
	var readOnly, notWritable []prog
	for _, p := range m.progs {
		if p.typ != elf.PT_LOAD || p.flags&elf.PF_W != 0 {
			continue
		}
		if notWritable = append(notWritable, p); p.flags&elf.PF_X == 0 {
			readOnly = append(readOnly, p)
		}
	}
	if len(readOnly) == 0 {
		return notWritable
	}
	return readOnly
}

// scan reads a range of the file in blocks that overlap by what a name may be long.
func (m *image) scan(off, n uint64, found map[string]bool) error {
	const overlap = maxSoname + 2
	for n > 0 && len(found) < maxNames {
		k := min(n, scanBlock)
		b, err := m.fileBytes(off, k)
		if err != nil {
			return err
		}
		scanSonames(b, found)
		if k == n {
			return nil
		}
		off, n = off+k-overlap, n-(k-overlap)
	}
	return nil
}

var dotSO = []byte(".so")

// scanSonames finds the names in a block of memory: before a zero byte, and not the end of a longer text. The first
// constant may follow code.
func scanSonames(b []byte, found map[string]bool) {
	for at := 0; len(found) < maxNames; {
		i := bytes.Index(b[at:], dotSO)
		if i < 0 {
			return
		}
		dot := at + i
		at = dot + len(dotSO)
		end := at
		for end < len(b) && (b[end] == '.' || b[end] >= '0' && b[end] <= '9') && end-dot < maxSoname {
			end++
		}
		if end >= len(b) || b[end] != 0 {
			continue
		}
		start := dot
		for start > 0 && end-start <= maxSoname && isNameByte(b[start-1]) {
			start--
		}
		if start > 0 && isPrintable(b[start-1]) || dot-start < len("lib?") || end-start > maxSoname || !bytes.HasPrefix(b[start:], []byte("lib")) {
			continue
		}
		if tail := b[at:end]; len(tail) > 0 && (tail[0] != '.' || tail[len(tail)-1] == '.') {
			continue
		}
		found[string(b[start:end])] = true
	}
}

func isPrintable(c byte) bool { return c >= ' ' && c < 0x7f }

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '+' || c == '.'
}
