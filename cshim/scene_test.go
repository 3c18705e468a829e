package cshim_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/arch"
)

// capsule-scene starts on every glibc and needs nothing of graphics to start.
func TestSceneNeeds(t *testing.T) {
	for _, a := range arch.All {
		name := a.Name
		t.Run(name, func(t *testing.T) {
			// dlopen of i386 has two versions, of which the older is for programs that no compiler makes any more.
			versions := []string{a.BaseVersion}
			if a == arch.I386 {
				versions = append(versions, "GLIBC_2.1")
			}
			b, err := cshim.Object(a, cshim.Scene)
			if errors.Is(err, cshim.ErrNotBuilt) && !(os.Getenv("CAPSULE_MUST_WORK") == "1" && name == own()) {
				t.Skip(err) // for want of a compiler; the machine's own is what `make` has built before
			}
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if f.Type != elf.ET_DYN || f.Machine != a.Machine {
				t.Errorf("it is %v for %v", f.Type, f.Machine)
			}
			needed, err := f.ImportedLibraries()
			if err != nil || !slices.Equal(needed, []string{"libc.so.6", "libdl.so.2", "libpthread.so.0"}) {
				t.Errorf("it needs %q (%v)", needed, err)
			}
			imported, err := f.ImportedSymbols()
			if err != nil || len(imported) < 10 {
				t.Errorf("%d imports (%v)", len(imported), err)
			}
			for _, s := range imported {
				if !slices.Contains(versions, s.Version) {
					t.Errorf("it refers to %s@%s", s.Name, s.Version)
				}
			}
			if textrel, _ := f.DynValue(elf.DT_TEXTREL); textrel != nil {
				t.Error("it has text relocations")
			}
			for _, p := range f.Progs {
				switch p.Type {
				case elf.PT_LOAD: // aarch64's kernels may have pages of 64 KiB
					if name == "aarch64" && (p.Align < 0x10000 || p.Vaddr%p.Align != p.Off%p.Align) {
						t.Errorf("segment %+v", p.ProgHeader)
					}
				case elf.PT_INTERP:
					interp, err := io.ReadAll(p.Open())
					if err != nil || string(interp) != a.Loader+"\x00" {
						t.Errorf("its loader is %q (%v)", interp, err)
					}
				case elf.PT_GNU_STACK:
					if p.Flags&elf.PF_X != 0 {
						t.Error("its stack is executable")
					}
				}
			}
		})
	}
}

func own() string {
	return map[string]string{"amd64": "x86_64", "386": "i386", "arm64": "aarch64"}[runtime.GOARCH]
}
