package dynelf

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

const source = `
#include <stdio.h>
int old_f(void) { return 1; }
int new_f(void) { return 2; }
__asm__(".symver old_f,f@V1");
__asm__(".symver new_f,f@@V2");
int data = 3;
__thread int tls_var;
__thread char tls_big[100] __attribute__((aligned(64)));
__attribute__((weak)) void weak_f(void) {}
__attribute__((visibility("hidden"))) void hidden_f(void) {}
extern int missing(void) __attribute__((weak));
static void *pick(void) { return (void *)old_f; }
void ifunc_f(void) __attribute__((ifunc("pick")));
int calls(void) { hidden_f(); return missing ? missing() : puts("x"); }
`

const versionScript = `V1 { global: f; data; tls_var; tls_big; ifunc_f; calls; weak_f; local: *; }; V2 { global: f; } V1;`

// compile builds a shared library; args follow the source file.
func compile(t testing.TB, src string, args ...string) []byte {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("no C compiler to make the input with")
		}
		t.Skip("no C compiler to make the input with")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"a.c": src, "a.map": versionScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(cc, append([]string{"-shared", "-fPIC", "-o", "a.so", "a.c"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "a.so"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func versioned(t testing.TB) []byte {
	return compile(t, source, "-Wl,--version-script=a.map", "-Wl,-soname,liba.so.1", "-Wl,--build-id=0x0102ff",
		"-Wl,-rpath,$ORIGIN/x:/opt/lib", "-Wl,--enable-new-dtags", "-Wl,-z,nodelete", "-ftls-model=initial-exec")
}

func TestRead(t *testing.T) {
	b := versioned(t)
	f, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Soname != "liba.so.1" || f.Type != elf.ET_DYN || !slices.Equal(f.Needed, []string{"libc.so.6"}) {
		t.Errorf("soname %q, type %v, needed %q", f.Soname, f.Type, f.Needed)
	}
	if !slices.Equal(f.RunPath, []string{"$ORIGIN/x", "/opt/lib"}) || f.RPath != nil {
		t.Errorf("runpath %q, rpath %q", f.RunPath, f.RPath)
	}
	if !bytes.Equal(f.BuildID, []byte{1, 2, 0xff}) {
		t.Errorf("build-id %x", f.BuildID)
	}
	if elf.DynFlag1(f.Flags1)&elf.DF_1_NODELETE == 0 {
		t.Errorf("DT_FLAGS_1 %#x has no NODELETE", f.Flags1)
	}
	if f.TLSAlign != 64 || f.TLSSize < 104 {
		t.Errorf("TLS %d bytes aligned to %d", f.TLSSize, f.TLSAlign)
	}
	want := []VersionDef{{Name: "liba.so.1", Index: 1, Base: true}, {Name: "V1", Index: 2},
		{Name: "V2", Index: 3, Parents: []string{"V1"}}}
	if !reflect.DeepEqual(f.VersionDefs, want) {
		t.Errorf("version definitions %+v", f.VersionDefs)
	}
	if len(f.VersionNeeds) != 1 || f.VersionNeeds[0].Library != "libc.so.6" {
		t.Errorf("version needs %+v", f.VersionNeeds)
	}
}

func TestReadRPath(t *testing.T) {
	b := compile(t, "int x;", "-Wl,-rpath,/a:$LIB", "-Wl,--disable-new-dtags")
	f, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.RPath, []string{"/a", "$LIB"}) || f.RunPath != nil {
		t.Errorf("rpath %q, runpath %q", f.RPath, f.RunPath)
	}
}

func TestSymbols(t *testing.T) {
	for name, args := range map[string][]string{
		"gnu hash":        {"-Wl,--hash-style=gnu"},
		"sysv hash":       {"-Wl,--hash-style=sysv"},
		"no section head": {"-Wl,--hash-style=gnu", "-Wl,-z,nosectionheader"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "no section head" {
				if out, _ := exec.Command("ld", "-z", "help", "--help").Output(); !bytes.Contains(out, []byte("nosectionheader")) {
					t.Skip("this ld (binutils before 2.41) cannot leave section headers out")
				}
			}
			b := compile(t, source, append(args, "-Wl,--version-script=a.map", "-Wl,-soname,liba.so.1")...)
			checkSymbols(t, b)
		})
	}
}

func checkSymbols(t *testing.T, b []byte) {
	t.Helper()
	defined, undefined, err := Symbols(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Symbol{}
	for _, s := range defined {
		at := "@"
		if s.Default {
			at = "@@"
		}
		got[s.Name+at+s.Version] = s
	}
	for name, typ := range map[string]elf.SymType{"f@V1": elf.STT_FUNC, "f@@V2": elf.STT_FUNC, "data@@V1": elf.STT_OBJECT,
		"tls_var@@V1": elf.STT_TLS, "ifunc_f@@V1": typeIFunc, "weak_f@@V1": elf.STT_FUNC} {
		if s, ok := got[name]; !ok || s.Type != typ {
			t.Errorf("%s is missing or of another type: %+v", name, s)
		}
	}
	if got["data@@V1"].Size != 4 || got["weak_f@@V1"].Bind != elf.STB_WEAK {
		t.Errorf("wrong size or binding: %+v", got)
	}
	for _, s := range defined {
		if s.Name == "hidden_f" || s.Name == "old_f" {
			t.Errorf("%s is not for others to bind to", s.Name)
		}
	}
	if !slices.IsSortedFunc(defined, func(a, b Symbol) int { return int(a.Index) - int(b.Index) }) {
		t.Error("not in the order of the symbol table")
	}
	i := slices.IndexFunc(undefined, func(s Symbol) bool { return s.Name == "puts" })
	if i < 0 || undefined[i].Library != "libc.so.6" || undefined[i].Version == "" {
		t.Errorf("puts: %+v", undefined)
	}
	i = slices.IndexFunc(undefined, func(s Symbol) bool { return s.Name == "missing" })
	if i < 0 || undefined[i].Bind != elf.STB_WEAK || undefined[i].Version != "" {
		t.Errorf("missing: %+v", undefined)
	}
}

// A library that defines nothing has a GNU hash table that does not say how many symbols there are.
func TestSymbolsNoneDefined(t *testing.T) {
	b := compile(t, `extern int missing(void); __attribute__((visibility("hidden"))) int f(void) { return missing(); }`,
		"-nostdlib", "-Wl,--hash-style=gnu")
	_, undefined, err := Symbols(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(undefined) != 1 || undefined[0].Name != "missing" {
		t.Fatalf("%+v, %v", undefined, err)
	}
}

// The C library of the machine: what debug/elf sees through section headers must be seen through the program
// headers too.
func TestSymbolsOfLibc(t *testing.T) {
	out, err := exec.Command("gcc", "-print-file-name=libc.so.6").Output()
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("no C compiler to ask for the C library")
		}
		t.Skip("no C compiler to ask for the C library")
	}
	path := string(bytes.TrimSpace(out))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defined, undefined, err := Symbols(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	all := append(slices.Clone(defined), undefined...)
	if len(all) != len(want) || len(undefined) == 0 {
		t.Errorf("%d symbols, %d of them undefined; debug/elf has %d", len(all), len(undefined), len(want))
	}
	for _, s := range all {
		w := want[s.Index-1]
		if w.Name != s.Name || w.Value != s.Value || w.Size != s.Size || (w.Library != "" && w.Version != s.Version) {
			t.Fatalf("%+v instead of %+v", s, w)
		}
	}
	i := slices.IndexFunc(defined, func(s Symbol) bool { return s.Name == "malloc" })
	if i < 0 || !defined[i].Default || defined[i].Version == "" {
		t.Error("libc.so.6 without malloc")
	}
}

func TestErrors(t *testing.T) {
	good := versioned(t)
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrNotELF},
		{"text", []byte("#!/bin/sh\necho an old linker script\n"), ErrNotELF},
		{"short text", []byte("#!/b"), ErrNotELF},
		{"magic only", good[:4], ErrTruncated},
		{"header only", good[:64], ErrTruncated},
		{"half", good[:len(good)/2], ErrTruncated},
		{"class", append([]byte("\x7fELF\x09"), good[5:]...), ErrCorrupt},
		{"byte order", append([]byte("\x7fELF\x02\x09"), good[6:]...), ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			if f, err := Read(bytes.NewReader(c.b), int64(len(c.b))); !errors.Is(err, c.want) || f != nil {
				t.Errorf("Read: %v", err)
			}
			if _, _, err := Symbols(bytes.NewReader(c.b), int64(len(c.b))); !errors.Is(err, c.want) {
				t.Errorf("Symbols: %v", err)
			}
		})
	}
}

// read counts what is read of a file, in bytes.
type read struct {
	*bytes.Reader
	bytes int64
}

func (r *read) ReadAt(b []byte, off int64) (int, error) {
	r.bytes += int64(len(b))
	return r.Reader.ReadAt(b, off)
}

// mostRead is what may be read of a file: as much as it has, a few times, and a block and a name
// for each version.
func mostRead(size int) int64 { return 4*int64(size) + 4*maxVersions*(blockSize+2*maxName) }

// A small file that names much is refused, whatever it has too many of, before its names are put
// together.
func TestExcessive(t *testing.T) {
	lib := func(h elftest.Hostile) []byte { h.Soname = "libc.so.6"; return h.Bytes() }
	for name, b := range map[string][]byte{
		"symbols":               lib(elftest.Hostile{Name: 10, Symbols: maxSymbols}),
		"a symbol's name":       lib(elftest.Hostile{Name: maxName + 1, Symbols: 1}),
		"symbols' names":        lib(elftest.Hostile{Name: maxName, Whole: true, Symbols: maxText / maxName}),
		"ends of a name":        lib(elftest.Hostile{Name: 250_000, Symbols: 1 << 16}),
		"needed libraries":      lib(elftest.Hostile{Name: 10, Needed: maxDynamic}),
		"a needed library":      lib(elftest.Hostile{Name: 250_000, Whole: true, Needed: 1}),
		"dynamic entries":       lib(elftest.Hostile{Dynamic: maxDynamic}),
		"program headers":       lib(elftest.Hostile{Programs: maxProgs}),
		"versions":              lib(elftest.Hostile{Name: 10, Versions: maxVersions}),
		"a version's name":      lib(elftest.Hostile{Name: 250_000, Versions: 1}),
		"needed versions":       lib(elftest.Hostile{Name: 10, Needs: maxVersions}),
		"a needed version":      lib(elftest.Hostile{Name: 250_000, Needs: 1}),
		"all that there can be": lib(elftest.Hostile{Name: 250_000, Symbols: 1 << 16, Needed: 10_000, Versions: 0x7000, Needs: 0x7000}),
	} {
		r := &read{Reader: bytes.NewReader(b)}
		_, err := Read(r, r.Size())
		if err == nil {
			_, _, err = Symbols(r, r.Size())
		}
		if !errors.Is(err, ErrExcessive) || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if r.bytes > mostRead(len(b)) {
			t.Errorf("%s: %d bytes are read of %d", name, r.bytes, len(b))
		}
	}
	// A bound of somebody else's comes before the names, too.
	b := lib(elftest.Hostile{Name: 10, Symbols: 100})
	if _, _, err := SymbolsUpTo(bytes.NewReader(b), int64(len(b)), 100); !errors.Is(err, ErrExcessive) {
		t.Error(err)
	}
	if defined, _, err := SymbolsUpTo(bytes.NewReader(b), int64(len(b)), 101); err != nil || len(defined) != 100 {
		t.Errorf("%d symbols, %v", len(defined), err)
	}
}

// What the largest of real libraries have is read.
func TestNotExcessive(t *testing.T) {
	b := elftest.Hostile{Soname: "libLLVM.so", Name: 1000, Symbols: 30_000, Needed: 500, Versions: 500, Needs: 500, Programs: 50}.Bytes()
	if f, err := Read(bytes.NewReader(b), int64(len(b))); err != nil || len(f.Needed) != 500 || len(f.VersionDefs) != 502 {
		t.Errorf("%v", err)
	}
	if defined, _, err := Symbols(bytes.NewReader(b), int64(len(b))); err != nil || len(defined) != 30_000 {
		t.Errorf("%d symbols, %v", len(defined), err)
	}
}

// FuzzHostile: however the names of a file overlap, what comes of it is bounded, and so is what is
// read of it.
func FuzzHostile(f *testing.F) {
	f.Add(uint32(250_000), false, uint32(1<<16), uint16(0), uint16(0), uint16(0), []byte(nil))
	f.Add(uint32(4000), true, uint32(20_000), uint16(4000), uint16(4000), uint16(4000), []byte("x"))
	f.Add(uint32(3), false, uint32(3), uint16(3), uint16(3), uint16(3), bytes.Repeat([]byte{0, 1, 0xff}, 300))
	f.Fuzz(func(t *testing.T, name uint32, whole bool, symbols uint32, needed, versions, needs uint16, damage []byte) {
		b := elftest.Hostile{Soname: "libc.so.6", Name: int(name % 300_000), Whole: whole, Symbols: int(symbols % 100_000),
			Needed: int(needed), Versions: int(versions), Needs: int(needs)}.Bytes()
		for i, c := range damage { // of headers and tables
			b[(i*7919)%min(len(b), 1<<16)] ^= c
		}
		r := &read{Reader: bytes.NewReader(b)}
		file, err := Read(r, r.Size())
		text := 0
		if err == nil {
			for _, s := range file.Needed {
				text += len(s)
			}
			for _, d := range file.VersionDefs {
				text += len(d.Name)
			}
		}
		defined, undefined, _ := Symbols(r, r.Size())
		for _, s := range append(defined, undefined...) {
			if text += len(s.Name); len(s.Name) > maxName || len(s.Version) > maxName {
				t.Fatalf("a name of %d bytes", len(s.Name))
			}
		}
		if text > 2*maxText || len(defined)+len(undefined) > maxSymbols {
			t.Errorf("%d symbols, names of %d bytes", len(defined)+len(undefined), text)
		}
		if r.bytes > 2*mostRead(len(b)) {
			t.Errorf("%d bytes are read of %d", r.bytes, len(b))
		}
	})
}

// FuzzELF: neither function panics, and each returns an error or a value, never both.
func FuzzELF(f *testing.F) {
	good := versioned(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(compile(f, "int x;", "-Wl,--hash-style=sysv"))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Read(bytes.NewReader(b), int64(len(b)))
		if (err == nil) == (file == nil) {
			t.Fatalf("Read: %v and %v", file, err)
		}
		defined, undefined, err := Symbols(bytes.NewReader(b), int64(len(b)))
		if err != nil && (defined != nil || undefined != nil) {
			t.Fatalf("Symbols: %d symbols and %v", len(defined)+len(undefined), err)
		}
		if n := len(defined) + len(undefined); n > len(b)/16 {
			t.Fatalf("%d symbols out of %d bytes", n, len(b))
		}
	})
}
