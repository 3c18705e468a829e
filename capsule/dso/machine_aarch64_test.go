package dso

import (
	"encoding/binary"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// addressOf computes, as the processor does, what "adrp xR, …" at address at and the "add" or "ldr" of 8 bytes behind it
// lead to.
func addressOf(t *testing.T, at uint64, code []byte) (register uint32, address uint64) {
	t.Helper()
	le := binary.LittleEndian
	first, second := le.Uint32(code), le.Uint32(code[4:])
	pages := int64(int32(first<<8)>>13)<<2 | int64(first>>29&3) // immhi: bits 23 to 5, immlo: bits 30 and 29
	address = at&^0xfff + uint64(pages<<12)
	low := uint64(second >> 10 & 0xfff)
	switch {
	case first&0x9f000000 != 0x90000000 || first&31 != second&31 || second>>5&31 != second&31:
		t.Fatalf("no adrp with a companion: %#x %#x", first, second)
	case second>>22 == 0xf9400000>>22:
		low *= 8
	case second>>22 != 0x91000000>>22:
		t.Fatalf("neither ldr nor add: %#x", second)
	}
	return first & 31, address + low
}

// Each function's trampoline reads the slot that libcapsule fills for that symbol. That it works is for TestLoaderTakesStub.
func TestAArch64TrampolinesReadTheirSlots(t *testing.T) {
	s := testStub(arch.AArch64)
	s.Symbols = append(s.Symbols, StubSymbol{Name: "vector", Default: true, Other: 0x80}) // STO_AARCH64_VARIANT_PCS
	b, err := s.Write()
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	stub := trampolines(t, b)
	for i, s := range stub.symbols {
		c := stub.code[s.Value-stub.text:]
		register, slot := addressOf(t, s.Value+4, c[4:])
		if le.Uint32(c) != btiC || le.Uint32(c[12:]) != br16 || register != 16 || slot != stub.slots+8*uint64(i) {
			t.Fatalf("%s: % x reads %#x by x%d, its slot is at %#x", s.Name, c[:16], slot, register, stub.slots+8*uint64(i))
		}
		if want := map[string]byte{"vector": 0x80}[s.Name]; s.Other != want {
			t.Errorf("st_other of %s is %#x, want %#x", s.Name, s.Other, want)
		}
	}
}

// A slot for what nobody has calls capsule_missing with the descriptor and the symbol's index, whose halves may both be
// other than zero.
func TestAArch64Missing(t *testing.T) {
	const at, descriptor, got, symbol = 0x10040, 0x20ff8, 0x31008, 0x1234d
	c := aarch64.missing(at, descriptor, got, symbol)
	if r, a := addressOf(t, at+4, c[4:]); r != 0 || a != descriptor {
		t.Errorf("x%d is %#x, want x0 and the descriptor", r, a)
	}
	if r, a := addressOf(t, at+20, c[20:]); r != 16 || a != got {
		t.Errorf("x%d is from %#x, want x16 and the .got word", r, a)
	}
	le := binary.LittleEndian
	if w := le.Uint32(c[12:])>>5&0xffff | le.Uint32(c[16:])>>5&0xffff<<16; w != symbol {
		t.Errorf("w1 is %#x", w)
	}
	// Backwards, as no object of ours has it: the sign.
	b := instructions(8, adrp(3, 0x7000_0000, 0x1238), addLow(3, 0x1238))
	if r, a := addressOf(t, 0x7000_0000, b); r != 3 || a != 0x1238 {
		t.Errorf("backwards: x%d is %#x", r, a)
	}
}
