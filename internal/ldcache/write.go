package ldcache

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// generator is what "ldconfig -p" shows as the cache's maker.
const generator = "capsule-run"

// Write returns a cache of the entries, in the order in which ldconfig would write them: the loader finds a name by
// binary search and takes, of equal names, the first that suits. Entries that compare equal keep their order. The
// error names an entry that cannot be written.
func Write(entries []Entry) ([]byte, error) {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, compare)

	var hwcaps []string
	for _, e := range sorted {
		for _, s := range []string{e.Name, e.Path} {
			if s == "" || len(s) >= maxString || len(e.Name) > maxName || strings.IndexByte(s, 0) >= 0 {
				return nil, fmt.Errorf("cache entry %q -> %q: name is empty, too long or has a NUL", e.Name, e.Path)
			}
		}
		if len(e.HWCaps) >= maxString || strings.IndexByte(e.HWCaps, 0) >= 0 {
			return nil, fmt.Errorf("cache entry %q: glibc-hwcaps name %q", e.Name, e.HWCaps)
		}
		if isExtension(e.LegacyHWCap) || e.HWCaps != "" && e.LegacyHWCap != 0 {
			return nil, fmt.Errorf("cache entry %q: hwcap %#x", e.Name, e.LegacyHWCap)
		}
		if e.ISALevel > isaLevelMax || e.HWCaps == "" && e.ISALevel != 0 {
			return nil, fmt.Errorf("cache entry %q: ISA level %d", e.Name, e.ISALevel)
		}
		if e.HWCaps != "" && !slices.Contains(hwcaps, e.HWCaps) {
			hwcaps = append(hwcaps, e.HWCaps)
		}
	}
	slices.Sort(hwcaps)

	t := strtab{base: uint64(headerSize + len(sorted)*entrySize), offsets: map[string]uint64{}}
	le := binary.LittleEndian
	out := append(make([]byte, 0, headerSize), magic...)
	out = le.AppendUint32(out, uint32(len(sorted)))
	out = append(out, make([]byte, headerSize-len(out))...)
	out[28] = endianLittle
	for _, e := range sorted {
		path := t.add(e.Path)
		name := path + uint64(len(e.Path)-len(e.Name)) // the path ends in the name, mostly
		if !strings.HasSuffix(e.Path, e.Name) {
			name = t.add(e.Name)
		}
		hwcap := e.LegacyHWCap
		if e.HWCaps != "" {
			hwcap = hwcapExtension | uint64(e.ISALevel)<<isaLevelShift | uint64(slices.Index(hwcaps, e.HWCaps))
		}
		out = le.AppendUint32(out, e.Flags)
		out = le.AppendUint32(out, uint32(name))
		out = le.AppendUint32(out, uint32(path))
		out = le.AppendUint32(out, e.OSVersion)
		out = le.AppendUint64(out, hwcap)
	}
	var names []byte
	for _, h := range hwcaps {
		names = le.AppendUint32(names, uint32(t.add(h)))
	}
	le.PutUint32(out[24:], uint32(len(t.text)))
	out = append(out, t.text...)
	out = append(out, make([]byte, -len(out)&3)...) // ld.so wants the extension aligned to 4 bytes
	le.PutUint32(out[32:], uint32(len(out)))
	out = appendExtension(out, names)
	if len(out) > math.MaxUint32 {
		return nil, fmt.Errorf("cache of %d bytes", len(out))
	}
	return out, nil
}

// appendExtension writes the directory of sections and their contents.
func appendExtension(out, hwcaps []byte) []byte {
	le := binary.LittleEndian
	sections := 1
	if len(hwcaps) > 0 {
		sections = 2
	}
	out = le.AppendUint32(out, extensionMagic)
	out = le.AppendUint32(out, uint32(sections))
	at := uint32(len(out) + sections*sectionSize)
	if len(hwcaps) > 0 {
		for _, v := range []uint32{tagHWCaps, 0, at, uint32(len(hwcaps))} {
			out = le.AppendUint32(out, v)
		}
	}
	for _, v := range []uint32{tagGenerator, 0, at + uint32(len(hwcaps)), uint32(len(generator))} {
		out = le.AppendUint32(out, v)
	}
	return append(append(out, hwcaps...), generator...)
}

// strtab collects strings; base is the offset of its first byte in the file.
type strtab struct {
	base    uint64
	text    []byte
	offsets map[string]uint64
}

func (t *strtab) add(s string) uint64 {
	if off, ok := t.offsets[s]; ok {
		return off
	}
	off := t.base + uint64(len(t.text))
	t.offsets[s] = off
	t.text = append(append(t.text, s...), 0)
	return off
}

func isExtension(hwcap uint64) bool { return (hwcap&^isaLevelMask)>>32 == hwcapExtension>>32 }

// compare is the order of ldconfig (glibc 2.41, elf/cache.c, compare): names descending, then flags descending,
// glibc-hwcaps entries by name in front of the others. Of the others the more specific one comes first, that of more bits
// in the legacy mask, then the greater mask, then the later kernel (glibc 2.31).
func compare(a, b Entry) int {
	if a.Name != b.Name { // of strings at one place that is known without a look at them
		if c := CompareNames(b.Name, a.Name); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(b.Flags, a.Flags); c != 0 {
		return c
	}
	switch {
	case a.HWCaps != "" && b.HWCaps == "":
		return -1
	case a.HWCaps == "" && b.HWCaps != "":
		return 1
	}
	if c := strings.Compare(a.HWCaps, b.HWCaps); c != 0 {
		return c
	}
	if c := cmp.Compare(bits.OnesCount64(b.LegacyHWCap), bits.OnesCount64(a.LegacyHWCap)); c != 0 {
		return c
	}
	if c := cmp.Compare(b.LegacyHWCap, a.LegacyHWCap); c != 0 {
		return c
	}
	return cmp.Compare(b.OSVersion, a.OSVersion)
}

// CompareNames is the loader's order of library names (glibc 2.41, elf/dl-cache.c, _dl_cache_libcmp): runs of
// digits compare as numbers, and a digit is greater than anything else.
func CompareNames(a, b string) int {
	digit := func(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	number := func(s string, i int) (int32, int) {
		var v int32 // an int in glibc, which wraps around as well
		for ; digit(s, i); i++ {
			v = v*10 + int32(s[i]-'0')
		}
		return v, i
	}
	char := func(s string, i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	i, j := 0, 0
	for i < len(a) {
		switch {
		case digit(a, i) && digit(b, j):
			var x, y int32
			x, i = number(a, i)
			y, j = number(b, j)
			if x != y {
				return int(x - y)
			}
		case digit(a, i):
			return 1
		case digit(b, j):
			return -1
		case a[i] != char(b, j):
			return int(a[i]) - int(char(b, j))
		default:
			i, j = i+1, j+1
		}
	}
	return -int(char(b, j))
}
