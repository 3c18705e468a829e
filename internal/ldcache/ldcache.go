// Package ldcache reads and writes the dynamic loader's cache, /etc/ld.so.cache, in the format
// "glibc-ld.so.cache1.1" (glibc 2.41, sysdeps/generic/dl-cache.h and elf/cache.c). It reads the table of libc5's loader
// too, which every glibc does where there is no other ("ldconfig -c old").
//
// It exists because the loader of a runtime must find the stubs without LD_LIBRARY_PATH, and no program of the
// runtime, ldconfig included, is ever run to tell it. It never opens a file: it turns bytes into entries and
// entries into bytes. The bytes may come from a hostile tree; each count and offset is checked.
package ldcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The file, little-endian; offsets of strings count from the new header's first byte.
//
//	header     magic and version, 20 bytes | nlibs u32 | strings u32 | flags u8, 3 unused
//	           | extension offset u32 | 3 x u32 unused                                        48 bytes
//	entry      flags u32 | name u32 | path u32 | osversion u32 | hwcap u64                    24 bytes
//	strings    terminated by NUL each
//	extension  magic u32 | count u32                                                           8 bytes
//	section    tag u32 | flags u32 | offset u32 | size u32                                    16 bytes
//
// glibc 2.31 and older know nothing of the extension: their "unused" words cover it.
const (
	magic      = "glibc-ld.so.cache1.1"
	headerSize = 48
	entrySize  = 24

	// oldMagic starts a file of "ldconfig -c compat", the default before glibc 2.32: an old table, 16 bytes and
	// 12 for each library, and then the new one, aligned as its struct is (8 bytes, 4 on i386). With "-c old" the
	// strings follow at once; offsets of theirs count from the end of the table.
	//
	//	header  magic 11 bytes, 1 unused | nlibs u32             16 bytes
	//	entry   flags u32 | name u32 | path u32                  12 bytes
	oldMagic      = "ld.so-1.7.0"
	oldHeaderSize = 16
	oldEntrySize  = 12

	// endianUnset and endianLittle are values of the header's flags byte: not told (before glibc 2.33), and little-endian.
	endianUnset, endianLittle, endianMask = 0, 2, 3

	extensionMagic      = 0xeaa42174
	extensionHeaderSize = 8
	sectionSize         = 16
	tagGenerator        = 0
	tagHWCaps           = 1
	// maxSections is above what any glibc writes (2).
	maxSections = 64

	// hwcapExtension in an entry's hwcap says that its low 32 bits are an index into the glibc-hwcaps section, and
	// bits 32 to 41 the ISA level that the file's x86 property note demands, less one (glibc 2.33).
	hwcapExtension = 1 << 62
	isaLevelShift  = 32
	isaLevelMax    = 0x3ff
	isaLevelMask   = isaLevelMax << isaLevelShift

	// maxString is PATH_MAX of Linux, maxName its NAME_MAX: a name is that of a file, or by dlopen
	// what could be one.
	maxString = 4096
	maxName   = 255
	// What a file may have, and in brackets what the largest known have: libraries [5,000], of them
	// with one name [some thirty: an old glibc's directories for each processor, two
	// architectures], glibc-hwcaps directories [8].
	maxEntries  = 1 << 16
	maxSameName = 512
	maxHWCaps   = 256
	// maxShared is how many times the file's size all strings together may be long. It is below 2 in what ldconfig writes, which
	// has a string that is another one's end (a name its path's, /lib/… that of /usr/lib/…) there once.
	maxShared = 4
)

var (
	// ErrTruncated says that the file ends before what its header announces.
	ErrTruncated = errors.New("truncated ld.so.cache")
	// ErrCorrupt says that the file is not a loader cache or contradicts itself.
	ErrCorrupt = errors.New("corrupt ld.so.cache")
	// ErrExcessive is an ErrCorrupt: a small file may name the same again and again, and takes long
	// to sort.
	ErrExcessive = fmt.Errorf("%w: more than any has", ErrCorrupt)
)

// Entry is one library as the loader's cache knows it.
type Entry struct {
	// Name is what DT_NEEDED or dlopen asks for, Path the file that answers.
	Name, Path string
	// Flags are the library's kind and architecture (FLAG_ELF_LIBC6 and others; see arch.Arch.CacheFlags).
	Flags uint32
	// HWCaps is the glibc-hwcaps subdirectory that Path is in ("x86-64-v3"), empty for a library for each CPU.
	HWCaps string
	// ISALevel is what ldconfig read of the file besides; zero if HWCaps is empty.
	ISALevel uint16
	// LegacyHWCap is the bit mask of the older hwcap scheme (removed in glibc 2.37); zero if HWCaps is set.
	LegacyHWCap uint64
	// OSVersion is the oldest kernel the library runs on, which newer releases ignore.
	OSVersion uint32
}

// Parse returns the entries in the file's order, which is the order of the loader's choice among equal names. The
// errors wrap ErrTruncated or ErrCorrupt.
func Parse(data []byte) ([]Entry, error) {
	table, err := newTable(data)
	if errors.Is(err, errOnlyOld) {
		return parseOld(data)
	}
	if err != nil {
		return nil, err
	}
	data = table
	if len(data) < headerSize {
		return nil, fmt.Errorf("%w: header of %d bytes", ErrTruncated, len(data))
	}
	if e := data[28] & endianMask; e != endianUnset && e != endianLittle {
		return nil, fmt.Errorf("%w: byte order %d", ErrCorrupt, e)
	}
	le := binary.LittleEndian
	count := le.Uint32(data[20:])
	if uint64(count) > uint64(len(data)-headerSize)/entrySize {
		return nil, fmt.Errorf("%w: %d libraries in %d bytes", ErrTruncated, count, len(data))
	}
	if count > maxEntries {
		return nil, fmt.Errorf("%w: %d libraries", ErrExcessive, count)
	}
	r := newReader(data)
	hwcaps, err := r.hwcaps(data)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, count)
	for i := range entries {
		b, e := data[headerSize+i*entrySize:], &entries[i]
		e.Flags, e.OSVersion = le.Uint32(b), le.Uint32(b[12:])
		if e.Name, err = r.name(le.Uint32(b[4:])); err == nil {
			e.Path, err = r.str(le.Uint32(b[8:]))
		}
		if err != nil {
			return nil, fmt.Errorf("library %d: %w", i, err)
		}
		hwcap := le.Uint64(b[16:])
		if !isExtension(hwcap) {
			e.LegacyHWCap = hwcap
			continue
		}
		if n := uint32(hwcap); uint64(n) < uint64(len(hwcaps)) {
			e.HWCaps, e.ISALevel = hwcaps[n], uint16(hwcap>>isaLevelShift&isaLevelMax)
		} else {
			return nil, fmt.Errorf("%w: %s wants glibc-hwcaps subdirectory %d of %d", ErrCorrupt, e.Name, n, len(hwcaps))
		}
	}
	return entries, nil
}

// newTable steps over an old table in front of the new one.
func newTable(data []byte) ([]byte, error) {
	if strings.HasPrefix(string(data[:min(len(data), len(magic))]), magic) {
		return data, nil
	}
	if len(data) < len(oldMagic) {
		return nil, fmt.Errorf("%w: %d bytes", ErrTruncated, len(data))
	}
	if string(data[:len(oldMagic)]) != oldMagic {
		if n := min(len(data), len(magic)); string(data[:n]) == magic[:n] {
			return nil, fmt.Errorf("%w: %d bytes", ErrTruncated, len(data))
		}
		return nil, fmt.Errorf("%w: unknown magic", ErrCorrupt)
	}
	if len(data) < oldHeaderSize {
		return nil, fmt.Errorf("%w: header of %d bytes", ErrTruncated, len(data))
	}
	end := oldHeaderSize + uint64(binary.LittleEndian.Uint32(data[12:]))*oldEntrySize
	for _, align := range []uint64{8, 4} {
		at := (end + align - 1) &^ (align - 1)
		if at > uint64(len(data)) {
			return nil, fmt.Errorf("%w: the old table ends at %d of %d bytes", ErrTruncated, at, len(data))
		}
		if strings.HasPrefix(string(data[at:min(uint64(len(data)), at+uint64(len(magic)))]), magic) {
			return data[at:], nil
		}
	}
	return nil, errOnlyOld
}

// errOnlyOld says that no new table follows the old one.
var errOnlyOld = errors.New("only the table of ld.so 1.7.0")

// parseOld reads a file of "ldconfig -c old", whose whole length newTable has checked.
func parseOld(data []byte) ([]Entry, error) {
	le := binary.LittleEndian
	count := le.Uint32(data[12:])
	if count > maxEntries {
		return nil, fmt.Errorf("%w: %d libraries", ErrExcessive, count)
	}
	entries := make([]Entry, count)
	r := newReader(data[oldHeaderSize+len(entries)*oldEntrySize:])
	for i := range entries {
		b, e := data[oldHeaderSize+i*oldEntrySize:], &entries[i]
		var err error
		e.Flags = le.Uint32(b)
		if e.Name, err = r.name(le.Uint32(b[4:])); err == nil {
			e.Path, err = r.str(le.Uint32(b[8:]))
		}
		if err != nil {
			return nil, fmt.Errorf("library %d: %w", i, err)
		}
	}
	return entries, nil
}

// reader reads strings, of which entries may share some. total is the length of those at different offsets: names are the
// ends of their paths, but who lets every string be the end of another has in a small file what takes gigabytes when it is
// written anew.
type reader struct {
	data  string
	seen  map[uint32]string
	same  map[string]int // entries of a name
	total int
}

func newReader(data []byte) *reader {
	return &reader{data: string(data), seen: map[uint32]string{}, same: map[string]int{}}
}

// name reads that of an entry.
func (r *reader) name(off uint32) (string, error) {
	s, err := r.str(off)
	if err != nil {
		return "", err
	}
	if len(s) > maxName {
		return "", fmt.Errorf("%w: a name of %d bytes", ErrExcessive, len(s))
	}
	if r.same[s]++; r.same[s] > maxSameName {
		return "", fmt.Errorf("%w: %d libraries %q", ErrExcessive, r.same[s], s)
	}
	return s, nil
}

func (r *reader) str(off uint32) (string, error) {
	if s, ok := r.seen[off]; ok {
		return s, nil
	}
	s, err := r.at(off)
	if err != nil {
		return "", err
	}
	if r.total += len(s); r.total > maxShared*len(r.data) {
		return "", fmt.Errorf("%w: strings of more than %d bytes in %d", ErrCorrupt, maxShared*len(r.data), len(r.data))
	}
	r.seen[off] = s
	return s, nil
}

func (r *reader) at(off uint32) (string, error) {
	if uint64(off) >= uint64(len(r.data)) {
		return "", fmt.Errorf("%w: string at offset %d of %d", ErrTruncated, off, len(r.data))
	}
	s := r.data[off:]
	i := strings.IndexByte(s[:min(len(s), maxString)], 0)
	if i < 0 {
		return "", fmt.Errorf("%w: string at offset %d does not end", ErrCorrupt, off)
	}
	return s[:i], nil
}

// hwcaps returns the names of the glibc-hwcaps section, none if the file has no extension.
func (r *reader) hwcaps(data []byte) ([]string, error) {
	le := binary.LittleEndian
	at := uint64(le.Uint32(data[32:]))
	if at == 0 {
		return nil, nil
	}
	if at+extensionHeaderSize > uint64(len(data)) {
		return nil, fmt.Errorf("%w: extension at offset %d of %d", ErrTruncated, at, len(data))
	}
	if m := le.Uint32(data[at:]); m != extensionMagic {
		return nil, fmt.Errorf("%w: extension magic %#x", ErrCorrupt, m)
	}
	count := uint64(le.Uint32(data[at+4:]))
	if count > maxSections {
		return nil, fmt.Errorf("%w: %d extension sections", ErrCorrupt, count)
	}
	at += extensionHeaderSize
	if at+count*sectionSize > uint64(len(data)) {
		return nil, fmt.Errorf("%w: %d extension sections at offset %d", ErrTruncated, count, at)
	}
	for ; count > 0; count, at = count-1, at+sectionSize {
		if le.Uint32(data[at:]) != tagHWCaps {
			continue
		}
		off, size := uint64(le.Uint32(data[at+8:])), uint64(le.Uint32(data[at+12:]))
		if off+size > uint64(len(data)) {
			return nil, fmt.Errorf("%w: glibc-hwcaps section at offset %d", ErrTruncated, off)
		}
		if size/4 > maxHWCaps {
			return nil, fmt.Errorf("%w: %d glibc-hwcaps subdirectories", ErrExcessive, size/4)
		}
		names := make([]string, size/4)
		for i := range names {
			s, err := r.str(le.Uint32(data[off+uint64(i)*4:]))
			if err != nil {
				return nil, fmt.Errorf("glibc-hwcaps subdirectory %d: %w", i, err)
			}
			names[i] = s
		}
		return names, nil
	}
	return nil, nil
}
