package cshim_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/arch"
)

// The link editor drops the mark of a whole object where a single part of it lacks it, in silence:
// a file of assembly, libgcc.
func TestObjectsAreMarked(t *testing.T) {
	marks := map[*arch.Arch][2]uint32{ // GNU_PROPERTY_*_FEATURE_1_AND and its bits
		arch.X8664:   {0xc0000002, 3}, // IBT, SHSTK
		arch.AArch64: {0xc0000000, 1}, // BTI
		arch.I386:    {},              // Linux has neither for 32-bit programs
	}
	for _, a := range arch.All {
		for _, name := range []string{cshim.Libcapsule, cshim.CapsuleRoot, cshim.Scene} {
			b, err := cshim.Object(a, name)
			if errors.Is(err, cshim.ErrNotBuilt) && !(os.Getenv("CAPSULE_MUST_WORK") == "1" && a.Name == own()) {
				t.Logf("%s: %v", a.Name, err) // for want of a compiler
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			var got [2]uint32
			if s := f.Section(".note.gnu.property"); s != nil {
				note, err := s.Data()
				if err != nil || len(note) < 28 {
					t.Fatalf("%s: a note of %d bytes (%v)", name, len(note), err)
				}
				le := binary.LittleEndian
				got = [2]uint32{le.Uint32(note[16:]), le.Uint32(note[24:])}
			}
			if got != marks[a] {
				t.Errorf("%s of %s: property %#x, want %#x", name, a.Name, got, marks[a])
			}
		}
	}
}
