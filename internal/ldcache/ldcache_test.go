package ldcache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var sample = []Entry{
	{Name: "libc.so.6", Path: "/lib/x86_64-linux-gnu/libc.so.6", Flags: 0x303},
	{Name: "libGL.so.1", Path: "/run/capsule/x86_64-linux-gnu/lib/libGL.so.1", Flags: 0x303},
	{Name: "libz.so.10", Path: "/usr/lib/libz.so.10", Flags: 0x303},
	{Name: "libz.so.9", Path: "/usr/lib/libz.so.9", Flags: 0x303},
	{Name: "libz.so.9", Path: "/usr/lib/glibc-hwcaps/x86-64-v3/libz.so.9", Flags: 0x303, HWCaps: "x86-64-v3", ISALevel: 2},
	{Name: "libz.so.9", Path: "/usr/lib/glibc-hwcaps/x86-64-v2/libz.so.9", Flags: 0x303, HWCaps: "x86-64-v2"},
	{Name: "libz.so.9", Path: "/usr/lib32/libz.so.9", Flags: 0x3},
	{Name: "libz.so.9", Path: "/usr/lib/avx/libz.so.9", Flags: 0x303, LegacyHWCap: 4},
	{Name: "libz.so.9", Path: "/usr/lib/tls/sse2/libz.so.9", Flags: 0x303, LegacyHWCap: 3},
	{Name: "another-name.so", Path: "/opt/lib/file.so", Flags: 0x303, OSVersion: 0x20000},
}

// want is the order that ldconfig gives sample.
var want = []string{
	"/usr/lib/libz.so.10",
	"/usr/lib/glibc-hwcaps/x86-64-v2/libz.so.9",
	"/usr/lib/glibc-hwcaps/x86-64-v3/libz.so.9",
	"/usr/lib/tls/sse2/libz.so.9",
	"/usr/lib/avx/libz.so.9",
	"/usr/lib/libz.so.9",
	"/usr/lib32/libz.so.9",
	"/lib/x86_64-linux-gnu/libc.so.6",
	"/run/capsule/x86_64-linux-gnu/lib/libGL.so.1",
	"/opt/lib/file.so",
}

func write(t testing.TB, entries []Entry) []byte {
	t.Helper()
	b, err := Write(entries)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWriteOrder(t *testing.T) {
	got, err := Parse(write(t, sample))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range got {
		paths = append(paths, e.Path)
		if !slices.Contains(sample, e) {
			t.Errorf("%+v was never written", e)
		}
	}
	if !slices.Equal(paths, want) {
		t.Errorf("order:\n%s", strings.Join(paths, "\n"))
	}
}

func TestCompareNames(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"libz.so.10", "libz.so.9", 1}, {"libz.so.9", "libz.so.10", -1}, {"libz.so.1", "libz.so.1", 0},
		{"libz.so.01", "libz.so.1", 0}, {"lib1", "liba", 1}, {"liba", "lib1", -1}, {"liba", "libab", -1},
		{"libab", "liba", 1}, {"", "a", -1}, {"libA", "liba", -1}, {"lib", "lib1", -1},
	} {
		if got := CompareNames(c.a, c.b); got < 0 != (c.want < 0) || got > 0 != (c.want > 0) {
			t.Errorf("%q, %q: %d", c.a, c.b, got)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, e := range []Entry{
		{Name: "", Path: "/x"}, {Name: "x", Path: ""}, {Name: "a\x00b", Path: "/x"},
		{Name: "x", Path: strings.Repeat("/x", maxString)}, {Name: "x", Path: "/x", LegacyHWCap: hwcapExtension | 5},
		{Name: "x", Path: "/x", LegacyHWCap: 4, HWCaps: "x86-64-v2"},
		{Name: "x", Path: "/x", ISALevel: 1}, {Name: "x", Path: "/x", ISALevel: isaLevelMax + 1, HWCaps: "x86-64-v2"},
	} {
		if b, err := Write([]Entry{e}); err == nil || b != nil {
			t.Errorf("%+v was written", e)
		}
	}
}

// withOldTable puts n entries of the ld.so 1.7.0 format in front, as "ldconfig -c compat" does.
func withOldTable(b []byte, n, align int) []byte {
	old := append([]byte(oldMagic), 0)
	old = binary.LittleEndian.AppendUint32(old, uint32(n))
	old = append(old, make([]byte, n*oldEntrySize)...)
	old = append(old, make([]byte, -len(old)&(align-1))...)
	return append(old, b...)
}

func TestParseAfterOldTable(t *testing.T) {
	b := write(t, sample)
	plain, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, 3} {
		for _, align := range []int{4, 8} {
			got, err := Parse(withOldTable(b, n, align))
			if err != nil || !reflect.DeepEqual(got, plain) {
				t.Errorf("%d old entries, aligned to %d: %v", n, align, err)
			}
		}
	}
}

// oldTable is what "ldconfig -c old" writes.
func oldTable(entries []Entry) []byte {
	var table, text []byte
	for _, e := range entries {
		table = binary.LittleEndian.AppendUint32(table, e.Flags)
		for _, s := range []string{e.Name, e.Path} {
			table = binary.LittleEndian.AppendUint32(table, uint32(len(text)))
			text = append(append(text, s...), 0)
		}
	}
	head := binary.LittleEndian.AppendUint32(append([]byte(oldMagic), 0), uint32(len(entries)))
	return append(append(head, table...), text...)
}

func TestParseOldTable(t *testing.T) {
	want := []Entry{{Name: "libz.so.1", Path: "/lib/libz.so.1", Flags: 0x303}, {Name: "libc.so.6", Path: "/lib/libc.so.6", Flags: 3}}
	if got, err := Parse(oldTable(want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// ends is a small cache of n entries whose paths are the ends of a long one: written anew it would be a large one.
func ends(n int) []byte {
	le := binary.LittleEndian
	b := append([]byte(magic), make([]byte, headerSize-len(magic))...)
	le.PutUint32(b[20:], uint32(n))
	for i := range n {
		off := uint32(headerSize + n*entrySize + i)
		for _, v := range []uint32{0x303, off, off, 0, 0, 0} {
			b = le.AppendUint32(b, v)
		}
	}
	return append(append(b, bytes.Repeat([]byte("/"), maxString-1)...), 0)
}

func TestParseErrors(t *testing.T) {
	good := write(t, sample)
	edit := func(at int, v uint32) []byte {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	ext := int(binary.LittleEndian.Uint32(good[32:]))
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrTruncated},
		{"part of the magic", good[:15], ErrTruncated},
		{"header cut", good[:40], ErrTruncated},
		{"entries cut", good[:100], ErrTruncated},
		{"strings cut", good[:headerSize+len(sample)*entrySize+10], ErrTruncated},
		{"text", []byte("# this is no cache at all\n"), ErrCorrupt},
		{"old table alone, without strings", withOldTable(nil, 2, 8), ErrTruncated},
		{"old table cut", withOldTable(nil, 2, 8)[:30], ErrTruncated},
		{"count", edit(20, 0xffffffff), ErrTruncated},
		{"byte order", edit(28, 3), ErrCorrupt},
		{"name offset", edit(headerSize+4, 0xfffffff0), ErrTruncated},
		{"extension offset", edit(32, 0x7fffffff), ErrTruncated},
		{"extension magic", edit(ext, 1), ErrCorrupt},
		{"section count", edit(ext+4, 0xffffffff), ErrCorrupt},
		{"hwcaps size", edit(ext+8+12, 0xfffffffc), ErrTruncated},
		{"hwcaps index", edit(headerSize+entrySize+16, 77), ErrCorrupt},
		{"each string another's end", ends(300), ErrCorrupt},
	} {
		if e, err := Parse(c.b); !errors.Is(err, c.want) || e != nil {
			t.Errorf("%s: %d entries, %v", c.name, len(e), err)
		}
	}
}

// ldconfig of this machine must be able to print what was written, and in the same order.
func TestLdconfigReadsIt(t *testing.T) {
	ldconfig, err := exec.LookPath("ldconfig")
	if err != nil {
		ldconfig, err = exec.LookPath("/sbin/ldconfig")
	}
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip("no ldconfig to read the cache with")
	}
	file := filepath.Join(t.TempDir(), "cache")
	if err := os.WriteFile(file, write(t, sample), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(ldconfig, "-p", "-C", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ldconfig: %v\n%s", err, out)
	}
	var paths []string
	for _, line := range strings.Split(string(out), "\n") {
		if _, p, ok := strings.Cut(line, "=> "); ok {
			paths = append(paths, p)
		}
	}
	if !slices.Equal(paths, want) {
		t.Errorf("ldconfig says:\n%s", out)
	}
}

// table is a cache whose entries have strings at given offsets, counted from the strings' first
// byte.
func table(n int, at func(i int) (name, path uint32), strings string) []byte {
	le := binary.LittleEndian
	b := append([]byte(magic), make([]byte, headerSize-len(magic))...)
	le.PutUint32(b[20:], uint32(n))
	base := uint32(headerSize + n*entrySize)
	for i := range n {
		name, path := at(i)
		for _, v := range []uint32{uint32(i), base + name, base + path, 0, 0, 0} {
			b = le.AppendUint32(b, v)
		}
	}
	return append(b, strings...)
}

// What would take minutes to sort, or gigabytes to keep, is refused; what a file name may have at
// most is not.
func TestExcessive(t *testing.T) {
	same := func(int) (uint32, uint32) { return 0, 0 }
	long := strings.Repeat("a", maxName)
	hwcaps := make([]byte, extensionHeaderSize+sectionSize+4*(maxHWCaps+1))
	le := binary.LittleEndian
	many := table(0, same, "\x00")
	many = append(many, make([]byte, -len(many)&3)...)
	le.PutUint32(many[32:], uint32(len(many)))
	for i, v := range []uint32{extensionMagic, 1, tagHWCaps, 0, uint32(len(many) + extensionHeaderSize + sectionSize), 4 * (maxHWCaps + 1)} {
		le.PutUint32(hwcaps[4*i:], v)
	}
	for name, b := range map[string][]byte{
		"one long name":   table(349_000, same, strings.Repeat("a", 4094)+"\x00"),
		"a long name":     table(1, same, "/"+long+"\x00"),
		"one name":        table(maxSameName+1, same, "/a\x00"),
		"one name, again": table(maxSameName+1, func(i int) (uint32, uint32) { return uint32(3 * i), 0 }, strings.Repeat("/a\x00", maxSameName+1)),
		"libraries":       table(maxEntries+1, same, "/a\x00"),
		"subdirectories":  append(many, hwcaps...),
		"old libraries":   append(le.AppendUint32(append([]byte(oldMagic), 0), maxEntries+1), make([]byte, (maxEntries+2)*oldEntrySize)...),
	} {
		if entries, err := Parse(b); !errors.Is(err, ErrExcessive) || !errors.Is(err, ErrCorrupt) || entries != nil {
			t.Errorf("%s: %d entries, %v", name, len(entries), err)
		}
	}
	if entries, err := Parse(table(maxSameName, func(int) (uint32, uint32) { return 1, 0 }, "/"+long+"\x00")); err != nil || entries[0].Name != long {
		t.Error(err)
	}
	path := "/" + strings.Repeat("d/", 1000) + long
	entries := []Entry{{Name: long, Path: path}}
	if got, err := Parse(write(t, entries)); err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("a path of %d bytes: %v", len(path), err)
	}
	if b, err := Write([]Entry{{Name: long + "a", Path: path}}); err == nil || b != nil {
		t.Error("a name that is too long is written")
	}
}

// FuzzOverlap: however strings overlap, sorting and writing what was parsed takes steps in
// proportion to what was read.
func FuzzOverlap(f *testing.F) {
	f.Add(uint32(349_000), uint32(4094), uint8(0))
	f.Add(uint32(maxSameName), uint32(maxName), uint8(0))
	f.Add(uint32(60_000), uint32(20_000), uint8(1))
	f.Fuzz(func(t *testing.T, n, long uint32, step uint8) {
		long = 1 + long%100_000
		b := table(int(n%400_000), func(i int) (uint32, uint32) { at := uint32(i) * uint32(step) % long; return at, at },
			strings.Repeat("a", int(long))+"\x00")
		entries, err := Parse(b)
		if err != nil {
			return
		}
		for _, e := range entries {
			if len(e.Name) > maxName {
				t.Fatalf("a name of %d bytes", len(e.Name))
			}
		}
		steps := 0
		slices.SortStableFunc(slices.Clone(entries), func(a, b Entry) int {
			if a.Name != b.Name {
				steps += min(len(a.Name), len(b.Name))
			}
			return compare(a, b)
		})
		if steps > 100*maxName*(1+len(b)/entrySize) {
			t.Errorf("%d bytes are compared to sort %d entries", steps, len(entries))
		}
		if out, err := Write(entries); err == nil && len(out) > (1+maxShared)*len(b)+4096 { // a table, and the strings each by itself
			t.Errorf("%d bytes out of %d", len(out), len(b))
		}
	})
}

// FuzzParse: an error or entries, never both; what was parsed can be written, unless a name is empty, and parsed
// again to the same, sorted.
func FuzzParse(f *testing.F) {
	b := write(f, sample)
	f.Add(b)
	f.Add(withOldTable(b, 3, 8))
	f.Add(b[:100])
	f.Add(oldTable(sample))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := Parse(b)
		if err != nil {
			if entries != nil {
				t.Fatal("entries and an error")
			}
			return
		}
		if len(entries) > len(b)/oldEntrySize {
			t.Fatalf("%d entries in %d bytes", len(entries), len(b))
		}
		again, err := Write(entries)
		if err != nil {
			return
		}
		slices.SortStableFunc(entries, compare)
		got, err := Parse(again)
		if err != nil || len(got) != len(entries) || len(got) > 0 && !reflect.DeepEqual(got, entries) {
			t.Fatalf("written and read again: %v\n%+v\n%+v", err, got, entries)
		}
	})
}
