package dso

import (
	"debug/elf"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// allocated returns how many bytes a function takes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What names more than an object of ours may have is refused before anything is made of it. Strings
// that are each other's ends take no memory, but would in the object's own table: from a libc.so.6
// of 2 MB came a proxy of 14 GB.
func TestTooLarge(t *testing.T) {
	long := strings.Repeat("a", 250_000)
	ends := func(n, size int) (out []ProxySymbol) {
		for i := range n {
			out = append(out, ProxySymbol{Name: long[len(long)-size+i%size:], Type: elf.STT_FUNC, Bind: elf.STB_GLOBAL})
		}
		return out
	}
	data := func(n int, size uint64) (out []ProxySymbol) {
		for i := range n {
			out = append(out, ProxySymbol{Name: fmt.Sprint("d", i), Type: elf.STT_OBJECT, Bind: elf.STB_GLOBAL, Size: size, Origin: Nowhere})
		}
		return out
	}
	versions := func(n int, name string) (out []Version) {
		for i := range n {
			out = append(out, Version{Name: name[i%len(name):]})
		}
		return out
	}
	for name, p := range map[string]Proxy{
		"ends of a name":      {Symbols: ends(60_000, 250_000)},
		"ends of short names": {Symbols: ends(60_000, maxName)},
		"a name":              {Symbols: ends(1, maxName+1)},
		"symbols":             {Symbols: ends(MaxSymbols+1, 10)},
		"names of versions":   {Versions: versions(maxVersions, long)},
		"versions":            {Versions: versions(maxVersions+1, "v")},
		"parents":             {Versions: []Version{{Name: "v", Parents: make([]string, 1<<16)}}},
		"data":                {Symbols: data(1, maxZeroed+1)},
		"data in all":         {Symbols: data(3, maxZeroed/2)},
		"data that wraps":     {Symbols: data(4, 1<<62)},
		"needed libraries":    {Needed: []string{long}},
	} {
		p.Arch, p.Soname = arch.X8664, "libc.so.6"
		for _, a := range []*arch.Arch{arch.X8664, arch.I386} {
			p.Arch = a
			var out []byte
			var err error
			if n := allocated(func() { out, err = p.Write() }); n > 64<<20 {
				t.Errorf("%s: %d MB are made of it", name, n>>20)
			}
			if !errors.Is(err, ErrTooLarge) || out != nil {
				t.Errorf("%s: %d bytes, got %v, want %v", name, len(out), err, ErrTooLarge)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
			}
		}
	}
	// As many as there may be, with names as libclang-cpp has them.
	p := Proxy{Arch: arch.X8664, Soname: "libclang-cpp.so", Symbols: ends(MaxSymbols, 100)}
	if out, err := p.Write(); err != nil || len(out) > maxNames {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// FuzzSize: whatever a library's symbols are called, there is an error, or an object that is not
// much larger than all that they are.
func FuzzSize(f *testing.F) {
	f.Add(uint32(60_000), uint32(250_000), uint64(8))
	f.Add(uint32(3000), uint32(4000), uint64(1<<63))
	f.Add(uint32(3), uint32(20), uint64(1<<40))
	long := strings.Repeat("a", 300_000)
	f.Fuzz(func(t *testing.T, n, name uint32, size uint64) {
		n, name = n%(MaxSymbols+2), 1+name%uint32(len(long))
		p := Proxy{Arch: arch.I386, Soname: "libx.so"}
		text := 0
		for i := range n {
			s := ProxySymbol{Name: long[len(long)-int(name)+int(i%name):], Type: elf.STT_FUNC, Bind: elf.STB_GLOBAL, Size: size, Origin: Nowhere}
			if i%2 == 0 {
				s.Type = elf.STT_OBJECT
			}
			text += len(s.Name)
			p.Symbols = append(p.Symbols, s)
		}
		out, err := p.Write()
		if (err == nil) == (out == nil) {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
		if err == nil && len(out) > text+256*int(n)+128<<10 {
			t.Errorf("%d bytes of %d symbols with names of %d", len(out), n, text)
		}
	})
}
