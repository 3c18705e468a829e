package dso

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// The loader's proxy has what memcheck asks for in .symtab, and ld.so sees nothing of it; no other proxy has one.
func TestLoaderNames(t *testing.T) {
	eachArch(t, func(t *testing.T, a *arch.Arch) {
		for _, soname := range []string{a.LoaderSoname, "libc.so.6"} {
			p := &Proxy{Arch: a, Soname: soname, Symbols: []ProxySymbol{{Name: "x", Type: elf.STT_FUNC, Origin: DoNothing}}}
			b, err := p.Write()
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			symbols, _ := f.Symbols()
			if want := soname == a.LoaderSoname; (len(symbols) == len(loaderNames)) != want || (f.Section(".symtab") != nil) != want {
				t.Fatalf("%s: .symtab has %v", soname, symbols)
			}
			for i, s := range symbols {
				text := f.Sections[s.Section]
				if s.Name != loaderNames[i] || text.Name != ".text" || s.Value < text.Addr || s.Value+s.Size > text.Addr+text.Size {
					t.Errorf("%+v in %s", s, text.Name)
				}
			}
			dynamic, err := f.DynamicSymbols()
			if err != nil || len(dynamic) != 3 { // and what DT_INIT and the slots call
				t.Errorf("%s: .dynsym has %v (%v)", soname, dynamic, err)
			}
		}
	})
}
