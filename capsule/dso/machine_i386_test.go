package dso

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// Each function's trampoline reads the slot that libcapsule fills for that symbol, and its first byte is where the
// symbol says. What the code does with registers is for the probe "abi" of test/probes, which runs it.
func TestI386TrampolinesReadTheirSlots(t *testing.T) {
	b, err := testStub(arch.I386).Write()
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	stub := trampolines(t, b)
	for i, s := range stub.symbols {
		at := s.Value - stub.text
		c := stub.code[at : at+i386.trampolineSize]
		if c[0] != 0xe8 || c[11] != 0x8b || c[12] != 0x80 {
			t.Fatalf("%s: % x", s.Name, c)
		}
		pc := uint32(s.Value) + 5
		if got, want := pc+le.Uint32(c[13:]), uint32(stub.slots)+4*uint32(i); got != want {
			t.Fatalf("%s reads %#x, its slot is at %#x", s.Name, got, want)
		}
	}
}

// ld.so applies DT_REL: two words an import, GLOB_DAT on a .got word, by the index of the imported symbol.
func TestI386Relocations(t *testing.T) {
	p := &Proxy{Arch: arch.I386, Soname: "libc.so.6"}
	b, err := p.Write()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	value := func(tag elf.DynTag) uint64 {
		v, err := f.DynValue(tag)
		if err != nil || len(v) != 1 {
			t.Fatalf("%v: %v (%v)", tag, v, err)
		}
		return v[0]
	}
	if value(elf.DT_RELSZ) != 16 || value(elf.DT_RELENT) != 8 {
		t.Errorf("DT_RELSZ %d, DT_RELENT %d", value(elf.DT_RELSZ), value(elf.DT_RELENT))
	}
	if v, _ := f.DynValue(elf.DT_TEXTREL); v != nil {
		t.Error("text relocations")
	}
	data := f.Section(".data")
	for i := range uint32(2) {
		rel := b[value(elf.DT_REL)+uint64(8*i):]
		at, info := uint64(binary.LittleEndian.Uint32(rel)), binary.LittleEndian.Uint32(rel[4:])
		if elf.R_386(elf.R_TYPE32(info)) != elf.R_386_GLOB_DAT || elf.R_SYM32(info) != 1+i {
			t.Errorf("relocation %d: info %#x", i, info)
		}
		if at < data.Addr+descriptorSize || at+4 > data.Addr+data.Size {
			t.Errorf("relocation %d is of %#x, outside .got", i, at)
		}
	}
}
