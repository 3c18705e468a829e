package dynelf

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// ntFDODlopen is the type of the notes by which an object tells what it opens with dlopen, owner "FDO" (systemd,
	// "ELF Dlopen Metadata"; UAPI Group, "Package Metadata for ELF files").
	ntFDODlopen = 0x407c0c0a
	// maxDlopen bounds the entries of all such notes of an object, and the names of one entry.
	maxDlopen = 256
	// maxSoname bounds a name (NAME_MAX).
	maxSoname = 255
)

// Dlopen is one thing that an object opens with dlopen when it needs it: the first of Sonames that is there.
type Dlopen struct {
	Sonames  []string `json:"soname"`
	Feature  string   // what for
	Priority string   // "required", "recommended" or "suggested"
}

// eachNote calls f with every note of the object, but for those beyond maxNotes. A note that is cut
// short says nothing: ld.so would not mind it either.
func (m *image) eachNote(f func(owner string, typ uint32, desc []byte)) error {
	left := uint64(maxNotes) // of all segments together, which may overlap
	for i := range m.progs {
		p := &m.progs[i]
		if p.typ != elf.PT_NOTE || p.filesz > left {
			continue
		}
		left -= p.filesz
		b, err := m.fileBytes(p.off, p.filesz)
		if err != nil {
			return fmt.Errorf("notes: %w", err)
		}
		pad := uint64(4)
		if p.align == 8 {
			pad = 8
		}
		for uint64(len(b)) >= 12 {
			nameLen, descLen := uint64(m.order.Uint32(b)), uint64(m.order.Uint32(b[4:]))
			desc := (12 + nameLen + pad - 1) &^ (pad - 1)
			end := desc + descLen
			if end > uint64(len(b)) {
				break
			}
			f(string(b[12:12+nameLen]), m.order.Uint32(b[8:]), b[desc:end:end])
			b = b[min((end+pad-1)&^(pad-1), uint64(len(b))):]
		}
	}
	return nil
}

// readNotes takes the build-id, of several the first, and what the object says that it opens.
func (m *image) readNotes(f *File) error {
	return m.eachNote(func(owner string, typ uint32, desc []byte) {
		switch {
		case owner == "GNU\x00" && typ == ntGNUBuildID && f.BuildID == nil:
			f.BuildID = desc
		case owner == "FDO\x00" && typ == ntFDODlopen:
			f.Dlopen = append(f.Dlopen, parseDlopen(desc, maxDlopen-len(f.Dlopen))...)
		}
	})
}

// parseDlopen reads a note's JSON, at most so many entries. What is no name of a library is left out: a name with a
// directory would lead elsewhere than the loader's rules.
func parseDlopen(desc []byte, most int) []Dlopen {
	var all []Dlopen
	if json.Unmarshal([]byte(strings.TrimRight(string(desc), "\x00")), &all) != nil {
		return nil
	}
	var out []Dlopen
	for _, d := range all[:max(min(len(all), most), 0)] {
		var names []string
		for _, n := range d.Sonames[:min(len(d.Sonames), maxDlopen)] {
			if isSoname(n) {
				names = append(names, n)
			}
		}
		d.Feature, d.Priority = word(d.Feature), word(d.Priority) // people read them
		if d.Sonames = names; len(names) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// word is a text that can be shown on a terminal, or nothing.
func word(s string) string {
	if len(s) > maxSoname || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return s
}

func isSoname(s string) bool {
	return s != "" && len(s) <= maxSoname && s != "." && s != ".." && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '/' || r < ' ' || r == 0x7f
	})
}
