package dso

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// guards are what an architecture's objects promise: the property's type and bits, and the
// instruction at which a branch by a register or a slot may end. i386 promises nothing.
var guards = map[*arch.Arch]struct {
	kind, bits uint32
	landing    []byte
}{
	arch.X8664:   {0xc0000002, 3, []byte{0xf3, 0x0f, 0x1e, 0xfa}}, // IBT and SHSTK; endbr64
	arch.AArch64: {0xc0000000, 1, []byte{0x5f, 0x24, 0x03, 0xd5}}, // BTI; bti c
	arch.I386:    {},
}

// A loader refuses an object without the mark in a process with a shadow stack, and both ways by
// which loaders look for it lead to it. What the mark promises is kept: whatever is reached
// indirectly begins with a landing pad.
func TestProperties(t *testing.T) {
	eachArch(t, func(t *testing.T, a *arch.Arch) {
		stub := testStub(a)
		proxy := &Proxy{Arch: a, Soname: a.LoaderSoname, Symbols: []ProxySymbol{
			{Name: "gone", Type: elf.STT_FUNC, Origin: Nowhere}, {Name: "early", Type: elf.STT_FUNC, Origin: DoNothing}}}
		for _, o := range []interface{ Write() ([]byte, error) }{stub, proxy, &Alias{Arch: a, Soname: "libother.so.2", Of: "libtest.so.1"}} {
			b, err := o.Write()
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			want := guards[a]
			testNote(t, f, want.kind, want.bits)
			testLandings(t, f, want.landing)
		}
	})
}

func testNote(t *testing.T, f *elf.File, kind, bits uint32) {
	t.Helper()
	const gnuProperty = 0x6474e553 // PT_GNU_PROPERTY
	notes := 0
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE && p.Type != gnuProperty {
			continue
		}
		notes++
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		var got []uint32
		for ; len(b) >= 4; b = b[4:] {
			got = append(got, binary.LittleEndian.Uint32(b))
		}
		// name and descriptor sizes, NT_GNU_PROPERTY_TYPE_0, "GNU", the property, its size, bits,
		// padding
		if want := []uint32{4, 16, 5, 0x554e47, kind, 4, bits, 0}; len(got) != len(want) || [8]uint32(got) != [8]uint32(want) ||
			p.Align != 8 || p.Vaddr%8 != 0 {
			t.Errorf("%v at %#x: got %#x, want %#x", p.Type, p.Vaddr, got, want)
		}
	}
	section := f.Section(".note.gnu.property")
	if want := map[bool]int{true: 2}[kind != 0]; notes != want || (section != nil) != (want > 0) {
		t.Errorf("%d notes, section %v, want %d", notes, section, want)
	}
}

func testLandings(t *testing.T, f *elf.File, landing []byte) {
	t.Helper()
	text := f.Section(".text")
	code, err := text.Data()
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := f.DynValue(elf.DT_INIT)
	symbols, _ := f.DynamicSymbols()
	named, _ := f.Symbols()
	for _, s := range append(symbols, named...) {
		if s.Value >= text.Addr && s.Value < text.Addr+text.Size {
			entries = append(entries, s.Value)
		}
	}
	for _, at := range entries {
		if !bytes.HasPrefix(code[at-text.Addr:], landing) {
			t.Errorf("code at %#x begins with % x, want % x", at, code[at-text.Addr:][:4], landing)
		}
	}
}
