package relr

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// source has relative relocations in rows and with gaps, in constant and in variable data, some with addends, and, with
// the C library, other relocations beside them.
const source = `
#ifdef LIBC
#include <stdio.h>
#include <string.h>
int (*print)(const char *) = puts;
int call(const char *s) { return puts(s) + (int)strlen(s); }
#endif
static int target[64];
int *row[200] = { [0 ... 199] = &target[7] };
struct { long gap; int *p; } gaps[100] = { [0 ... 99] = { 5, &target[3] } };
const char *const names[] = { "a", "b", "c" };
__attribute__((aligned(64))) int *far_away[2] = { target, (int *)row };
static char big[300000];
char *behind = &big[299999];
__thread int tls = 3;
int exported;
int *other = &exported;
`

// walker loads an object and prints every word of its writable segments that points into it, but for the dynamic section.
const walker = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
static const char *name;
static int walk(struct dl_phdr_info *info, size_t size, void *data)
{
	if (strcmp(info->dlpi_name, name))
		return 0;
	ElfW(Addr) end = 0, skip = 0, skip_end = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type == PT_LOAD && (p->p_flags & PF_W))
			end = p->p_vaddr + p->p_memsz;
		if (p->p_type == PT_DYNAMIC)
			skip = p->p_vaddr, skip_end = skip + p->p_memsz;
	}
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_W))
			continue;
		for (ElfW(Addr) a = (p->p_vaddr + 7) & ~7ul; a + 8 <= p->p_vaddr + p->p_memsz; a += 8) {
			ElfW(Addr) v = *(ElfW(Addr) *)(info->dlpi_addr + a) - info->dlpi_addr;
			if (v < end && !(a >= skip && a < skip_end))
				printf("%lx %lx\n", (long)a, (long)v);
		}
	}
	return 1;
}
int main(int argc, char **argv)
{
	void *h = dlopen(name = argv[1], argc > 2 ? RTLD_NOW : RTLD_LAZY);
	if (!h || !dl_iterate_phdr(walk, NULL)) {
		printf("%s\n", dlerror());
		return 1;
	}
	int (*call)(const char *) = dlsym(h, "call");
	return call && call("called") < 6;
}
`

func gcc(t testing.TB, out, text string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("no C compiler to make the input with")
		}
		t.Skip("no C compiler to make the input with")
	}
	cmd := exec.Command("gcc", append([]string{"-x", "c", "-o", out, "-"}, args...)...)
	cmd.Stdin = strings.NewReader(text)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, b)
	}
}

func library(t testing.TB, args ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.so")
	gcc(t, file, source, append([]string{"-shared", "-fPIC", "-Wl,-z,pack-relative-relocs"}, args...)...)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := dynelf.Read(bytes.NewReader(b), int64(len(b))); err != nil || !f.HasRELR {
		t.Fatalf("ld made no DT_RELR (binutils before 2.38?): %v", err)
	}
	return b
}

// variants are link editor's choices that decide what is where.
var variants = map[string][]string{
	"libc":         {"-DLIBC"},
	"lazy":         {"-DLIBC", "-Wl,-z,lazy"},
	"now":          {"-DLIBC", "-Wl,-z,now", "-Wl,-z,relro"},
	"no relro":     {"-DLIBC", "-Wl,-z,norelro"},
	"only RELR":    {"-nostdlib", "-Wl,-Bsymbolic", "-Dtls=plain", "-D__thread="},
	"no libc":      {"-nostdlib"},
	"big pages":    {"-DLIBC", "-Wl,-z,max-page-size=0x200000"},
	"small pages":  {"-DLIBC", "-Wl,-z,max-page-size=4096", "-Wl,-z,noseparate-code"},
	"not combined": {"-DLIBC", "-Wl,-z,nocombreloc"},
}

// ld.so makes of the rewritten object what it makes of the original: each pointer, and functions that it calls.
func TestLoaded(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "walk")
	gcc(t, program, walker, "-ldl")
	run := func(t *testing.T, b []byte, args ...string) string {
		file := filepath.Join(t.TempDir(), "a.so")
		if err := os.WriteFile(file, b, 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program, append([]string{file}, args...)...).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			original := library(t, args...)
			expanded, err := Expand(original)
			if err != nil {
				t.Fatal(err)
			}
			for _, how := range [][]string{nil, {"now"}} {
				want, got := run(t, original, how...), run(t, expanded, how...)
				if want != got {
					t.Errorf("pointers differ:\n%s\n%s", want, got)
				}
				if n := strings.Count(want, "\n"); n < 300 {
					t.Errorf("only %d pointers", n)
				}
			}
		})
	}
}

// What others read of it stays: the original's bytes, its build-id, sections and symbols; DT_RELR is gone.
func TestRest(t *testing.T) {
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			original := library(t, append(args, "-Wl,--build-id=0x010203")...)
			kept := bytes.Clone(original)
			b, err := Expand(original)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(kept, original) {
				t.Fatal("the input has changed")
			}
			if _, err := Expand(b); !errors.Is(err, ErrNone) {
				t.Errorf("a second time: %v", err)
			}
			f, err := dynelf.Read(bytes.NewReader(b), int64(len(b)))
			if err != nil || f.HasRELR || !bytes.Equal(f.BuildID, []byte{1, 2, 3}) {
				t.Errorf("%+v, %v", f, err)
			}
			e, err := elf.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			symbols, err := e.DynamicSymbols()
			if err != nil || len(symbols) < 5 {
				t.Errorf("%d symbols, %v", len(symbols), err)
			}
			checkHeaders(t, e)
		})
	}
}

// What glibc checks of program headers (elf/dl-load.c): order, alignment, PT_PHDR inside a segment.
func checkHeaders(t *testing.T, e *elf.File) {
	t.Helper()
	var end uint64
	for _, p := range e.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if p.Vaddr < end || p.Align%4096 != 0 || (p.Vaddr-p.Off)%p.Align != 0 {
			t.Errorf("segment %+v", p.ProgHeader)
		}
		end = p.Vaddr + p.Memsz
	}
}

// 32-bit x86 has DT_REL: the addends stay in their places.
func TestREL(t *testing.T) {
	original := library(t, "-m32", "-nostdlib")
	b, err := Expand(original)
	if err != nil {
		t.Fatal(err)
	}
	before, err := read(original)
	if err != nil {
		t.Fatal(err)
	}
	places, err := before.places()
	if err != nil || len(places) < 300 {
		t.Fatalf("%d places, %v", len(places), err)
	}
	m, err := read(b)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := m.value(elf.DT_REL)
	count, _ := m.value(elf.DT_RELCOUNT)
	table, err := m.mapped(addr, 8*uint64(len(places)))
	if err != nil || count < uint64(len(places)) {
		t.Fatalf("%d relative relocations: %v", count, err)
	}
	for i, at := range places {
		if got, info := uint64(le.Uint32(table[8*i:])), le.Uint32(table[8*i+4:]); got != at || info != uint32(elf.R_386_RELATIVE) {
			t.Fatalf("relocation %d: type %d at %#x, want %#x", i, info, got, at)
		}
		x, _ := before.mapped(at, 4)
		y, _ := m.mapped(at, 4)
		if !bytes.Equal(x, y) {
			t.Fatalf("the addend at %#x has changed", at)
		}
	}
}

func TestErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "b.so")
	gcc(t, plain, source, "-shared", "-fPIC")
	b, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Expand(b); !errors.Is(err, ErrNone) {
		t.Errorf("an object without DT_RELR: %v", err)
	}
	for _, text := range []string{"", "no ELF", "\x7fELF" + strings.Repeat("\x00", 100)} {
		if _, err := Expand([]byte(text)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %v", text, err)
		}
	}
	good := library(t, "-nostdlib")
	for _, n := range []int{63, 64, 200, len(good) / 2} {
		if out, err := Expand(good[:n]); err == nil || out != nil {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	loop := bytes.Clone(good) // the first segment's size: all words of DT_RELR outside
	m, err := read(loop)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range m.dyn {
		if e.tag == dtRELRSZ {
			le.PutUint64(loop[m.dynAt+uint64(i)*16+8:], 1<<40)
		}
	}
	if _, err := Expand(loop); !errors.Is(err, ErrCorrupt) {
		t.Errorf("DT_RELRSZ of 1 TiB: %v", err)
	}
}

// Offsets are of 32 bits in half of the objects: what would be larger is no object.
func TestExpandedIsTooLarge(t *testing.T) {
	m, err := read(library(t, "-nostdlib"))
	if err != nil {
		t.Fatal(err)
	}
	if table, _, err := m.table(make([]uint64, maxSize/m.entry()+1)); !errors.Is(err, ErrUnsupported) || table != nil {
		t.Errorf("a table: %v", err)
	}
	m, err = read(library(t, "-m32", "-nostdlib"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.progs {
		m.progs[i].Vaddr, m.progs[i].Memsz = m.limit(), m.limit() // which a file may say
	}
	if out, err := m.write(make([]byte, 8), 1); !errors.Is(err, ErrUnsupported) || out != nil {
		t.Errorf("an address: %d bytes, %v", len(out), err)
	}
}

// Whatever the bytes: an error or an object, never a panic; that object has no DT_RELR, a bounded size, and each
// relocation in it that was packed.
func FuzzExpand(f *testing.F) {
	f.Add(library(f, "-DLIBC"))
	f.Add(library(f, "-nostdlib"))
	f.Add(library(f, "-m32", "-nostdlib"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := ClearPLT(b); (out == nil) == (err == nil) || (err == nil && len(out) != len(b)) {
			t.Fatalf("ClearPLT: %d bytes of %d and error %v", len(out), len(b), err)
		}
		out, err := Expand(b)
		if (out == nil) == (err == nil) {
			t.Fatalf("object %v and error %v", out != nil, err)
		}
		if err != nil {
			if !errors.Is(err, ErrNone) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if len(out) > 6*len(b)+1024 {
			t.Fatalf("%d bytes became %d", len(b), len(out))
		}
		if _, err := Expand(out); !errors.Is(err, ErrNone) {
			t.Fatalf("a second time: %v", err)
		}
	})
}
