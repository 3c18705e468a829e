package dso

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// stubParts is what a stub's file says of its trampolines.
type stubParts struct {
	symbols []elf.Symbol // the defined ones, in the order of their slots
	code    []byte       // of .text
	text    uint64       // its address
	slots   uint64       // the address of the first slot
}

// trampolines reads a stub, which must have a thousand symbols at least.
func trampolines(t *testing.T, stub []byte) stubParts {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(stub))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	text, data := f.Section(".text"), f.Section(".data")
	code, err := text.Data()
	if err != nil {
		t.Fatal(err)
	}
	descriptor, err := data.Data()
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	first := int(le.Uint32(descriptor[8:])) - 1 // DynamicSymbols leaves the null symbol out
	if n := int(le.Uint32(descriptor[12:])); n != len(symbols)-first || n < 1000 {
		t.Fatalf("%d symbols of %d", n, len(symbols))
	}
	return stubParts{symbols[first:], code, text.Addr, data.Addr + le.Uint64(descriptor[56:])} // capsule_dso.slots
}
