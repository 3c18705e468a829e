package relr

import (
	"bytes"
	"debug/elf"
	"errors"
	"testing"
)

// The addends of PLT relocations go, those of others stay. The machine's link editor may be too old for -z mark-plt: they
// are put there.
func TestClearPLT(t *testing.T) {
	const mark = 0x1234
	original := library(t, "-DLIBC", "-Wl,-z,now")
	count := func(b []byte) (n, marked int) {
		m, err := read(b)
		if err != nil {
			t.Fatal(err)
		}
		addr, _ := m.value(elf.DT_JMPREL)
		size, _ := m.value(elf.DT_PLTRELSZ)
		table, err := m.mapped(addr, size)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(table) >= 24; table = table[24:] {
			n++
			if le.Uint64(table[16:]) != 0 {
				marked++
			}
		}
		return n, marked
	}
	marked := bytes.Clone(original)
	m, err := read(marked)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := m.value(elf.DT_JMPREL)
	size, _ := m.value(elf.DT_PLTRELSZ)
	table, err := m.mapped(addr, size)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(table) >= 24; table = table[24:] {
		le.PutUint64(table[16:], mark)
	}
	if n, with := count(marked); n == 0 || with != n {
		t.Fatalf("%d of %d relocations are marked", with, n)
	}
	cleared, err := ClearPLT(marked)
	if err != nil || !bytes.Equal(cleared, original) {
		t.Errorf("not as it was before marking: %v", err)
	}
	if _, with := count(marked); with == 0 {
		t.Error("the input has changed")
	}
	// In either order with Expand.
	a, err := Expand(cleared)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Expand(marked)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = ClearPLT(b); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the order matters: %v", err)
	}
	if _, err := ClearPLT(library(t, "-m32", "-nostdlib")); !errors.Is(err, ErrUnsupported) {
		t.Errorf("32-bit x86: %v", err)
	}
}
