package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func sample() *Manifest {
	return &Manifest{RootPath: "/run/capsule/root.so", HostDir: "/run/capsule/host",
		Objects: []Object{
			{Kind: Base, Soname: "libc.so.6", BuildID: []byte{1, 2, 3}, Probe: Probe{"puts", 17, 0x12345}},
			{Kind: Proxy, Soname: "libc.so.6", Path: "/proxy/libc.so.6", Sources: []uint32{0}},
			{Kind: Host, Soname: "libGL.so.1", Path: "/host/libGL.so.1.7.0", Closure: []uint32{1}},
		},
		Aliases: []Alias{{"/usr/lib/libGL.so.1", 2}},
		Maps:    []PathMap{{"/usr/share/drirc.d", "/run/capsule/share/usr/share/drirc.d"}}}
}

// The offsets are those that cshim/include/capsule_abi.h asserts.
func TestEncodeFollowsTheHeader(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	u32 := func(at uint32) uint32 { return le.Uint32(b[at:]) }
	strings := u32(48)
	text := func(off uint32) string {
		s := b[strings+off:]
		return string(s[:bytes.IndexByte(s, 0)])
	}
	if string(b[:8]) != "CAPSULE\x00" || u32(8) != 2 || u32(12) != uint32(len(b)) {
		t.Fatalf("header % x", b[:16])
	}
	objects, count := u32(16), u32(20)
	if count != 3 {
		t.Fatalf("%d objects", count)
	}
	host := objects + 2*80
	if u32(host) != uint32(Host) || text(u32(host+4)) != "libGL.so.1" || text(u32(host+8)) != "/host/libGL.so.1.7.0" {
		t.Errorf("host object: kind %d, %s, %s", u32(host), text(u32(host+4)), text(u32(host+8)))
	}
	if first, n := u32(host+16), u32(host+20); n != 1 || u32(u32(24)+4*first) != 1 {
		t.Errorf("closure of the host object: %d from %d", n, first)
	}
	if n := u32(objects + 12); n != 3 || !bytes.Equal(b[objects+32:objects+35], []byte{1, 2, 3}) {
		t.Errorf("build-id of %d bytes", n)
	}
	if text(u32(objects+64)) != "puts" || u32(objects+68) != 17 || le.Uint64(b[objects+72:]) != 0x12345 {
		t.Errorf("the probe: %s, symbol %d", text(u32(objects+64)), u32(objects+68))
	}
	if text(u32(u32(32))) != "/usr/lib/libGL.so.1" || u32(u32(32)+4) != 2 {
		t.Error("alias")
	}
	if text(u32(u32(40))) != "/usr/share/drirc.d" {
		t.Error("path map")
	}
	if text(u32(56)) != "/run/capsule/root.so" || text(u32(60)) != "/run/capsule/host" {
		t.Error("root path or host directory")
	}
	if b[len(b)-1] != 0 {
		t.Error("the strings do not end in NUL")
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	a, _ := sample().Encode()
	b, _ := sample().Encode()
	if !bytes.Equal(a, b) {
		t.Fatal("the same manifest has other bytes")
	}
}

func TestLongBuildID(t *testing.T) {
	m := sample()
	m.Objects[0].BuildID = make([]byte, maxBuildID+1)
	if _, err := m.Encode(); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("error: %v", err)
	}
}

// No length wraps: what is too long is refused, and not put together first.
func TestTooLong(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	many := sample()
	for i := range maxStrings>>20 + 1 {
		many.Maps = append(many.Maps, PathMap{From: long[i:], To: long[i:]})
	}
	closures := sample()
	all := make([]uint32, 1<<20)
	for range maxFileSize>>22 + 1 {
		closures.Objects = append(closures.Objects, Object{Kind: Host, Closure: all})
	}
	for name, m := range map[string]*Manifest{"strings": many, "closures": closures} {
		if b, err := m.Encode(); !errors.Is(err, ErrTooLarge) || b != nil {
			t.Errorf("%s: %d bytes, got %v, want %v", name, len(b), err, ErrTooLarge)
		}
	}
}
