package dso

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// manySymbols is enough for several hash buckets, bloom words and pages.
func manySymbols(n int) []StubSymbol {
	var s []StubSymbol
	for i := range n {
		s = append(s, StubSymbol{Name: fmt.Sprintf("function_%d", i), Default: true, Bind: elf.STB_GLOBAL,
			HostValue: uint64(0x1000 + i)})
	}
	return s
}

func testStub(a *arch.Arch) *Stub {
	s := &Stub{Arch: a, Soname: "libtest.so.1", Object: 7,
		Versions: []Version{{Name: "TEST_1"}, {Name: "TEST_2", Parents: []string{"TEST_1"}}},
		Symbols:  manySymbols(1000)}
	s.Symbols[1].Version, s.Symbols[2].Version = "TEST_1", "TEST_2"
	s.Symbols = append(s.Symbols, StubSymbol{Name: "function_2", Version: "TEST_1", Bind: elf.STB_WEAK, HostValue: 0x99})
	return s
}

// eachArch runs a test for all architectures: everything is written on any machine.
func eachArch(t *testing.T, f func(t *testing.T, a *arch.Arch)) {
	for _, a := range arch.All {
		t.Run(a.Name, func(t *testing.T) { f(t, a) })
	}
}

func TestStubSaysWhatTheHostLibrarySays(t *testing.T) { eachArch(t, testStubContent) }

func testStubContent(t *testing.T, a *arch.Arch) {
	s := testStub(a)
	b, err := s.Write()
	if err != nil {
		t.Fatal(err)
	}
	f, err := dynelf.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != a.Machine || f.Class != a.Class {
		t.Errorf("machine %v, class %v", f.Machine, f.Class)
	}
	if f.Soname != "libtest.so.1" || len(f.Needed) != 1 || f.Needed[0] != "libcapsule.so" {
		t.Errorf("soname %q, needed %q", f.Soname, f.Needed)
	}
	var names []string
	for _, d := range f.VersionDefs {
		names = append(names, fmt.Sprint(d.Name, d.Base, d.Parents))
	}
	if got := strings.Join(names, " "); got != "libtest.so.1true [] TEST_1false [] TEST_2false [TEST_1]" {
		t.Errorf("version definitions: %s", got)
	}
	defined, undefined, err := dynelf.Symbols(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(undefined) != 1 || undefined[0].Name != "capsule_stub_init" {
		t.Errorf("undefined: %+v", undefined)
	}
	want := map[string]StubSymbol{}
	for _, x := range s.Symbols {
		want[x.Name+"@"+x.Version] = x
	}
	for _, d := range defined {
		x, ok := want[d.Name+"@"+d.Version]
		if !ok || d.Default != x.Default || d.Bind != x.Bind || d.Type != elf.STT_FUNC {
			t.Errorf("%+v, want %+v", d, x)
		}
		delete(want, d.Name+"@"+d.Version)
	}
	if len(want) != 0 {
		t.Errorf("%d symbols are not there", len(want))
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	first, _ := testStub(arch.X8664).Write()
	for range 5 {
		if again, _ := testStub(arch.X8664).Write(); !bytes.Equal(first, again) {
			t.Fatal("the same stub has other bytes")
		}
	}
}

func TestUndefinedVersionIsAnError(t *testing.T) {
	s := testStub(arch.X8664)
	s.Symbols[0].Version = "NOWHERE_1"
	if _, err := s.Write(); err == nil || !strings.Contains(err.Error(), "NOWHERE_1") {
		t.Fatalf("error: %v", err)
	}
}

func TestTooManySymbols(t *testing.T) {
	s := &Stub{Arch: arch.X8664, Soname: "x", Symbols: make([]StubSymbol, MaxSymbols+1)}
	if _, err := s.Write(); err == nil {
		t.Fatal("no error")
	}
}

// toolchains compile and run programs for an architecture, on a machine with another one through qemu-user.
var toolchains = []struct {
	arch *arch.Arch
	cc   string
	run  []string
	deb  string
}{
	{arch.X8664, "x86_64-linux-gnu-gcc", nil, "gcc"},
	{arch.AArch64, "aarch64-linux-gnu-gcc", []string{"qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"},
		"gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static"},
}

// The dynamic loader is the judge: it must find every symbol through the hash table, and run DT_INIT and the
// trampolines. A libcapsule.so of the test's own binds the slots to one function that tells which slot was called.
func TestLoaderTakesStub(t *testing.T) {
	for _, tools := range toolchains {
		t.Run(tools.arch.Name, func(t *testing.T) {
			run := tools.run
			if tools.arch.Name == hostArch {
				run = nil
			}
			for _, program := range append([]string{tools.cc}, run[:min(len(run), 1)]...) {
				if _, err := exec.LookPath(program); err != nil {
					missing(t, fmt.Sprintf("%v (Debian: %s)", err, tools.deb))
				}
			}
			testLoaderTakesStub(t, tools.arch, tools.cc, run)
		})
	}
}

// hostArch is glibc's name of this machine's architecture.
var hostArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CAPSULE_MUST_WORK") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func testLoaderTakesStub(t *testing.T, a *arch.Arch, cc string, run []string) {
	dir := t.TempDir()
	b, err := testStub(a).Write()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "libtest.so.1"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	if b, err = (&Alias{Arch: a, Soname: "libother.so.2", Of: "libtest.so.1"}).Write(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "libother.so.2"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	compile(t, cc, dir, "libcapsule.so", []string{"-shared", "-fPIC", "-I../../cshim/include", "-Wl,-soname,libcapsule.so"}, `
#include "capsule_abi.h"
static int answer(void) { return 42; }
void capsule_stub_init(struct capsule_dso *d) {
    uint64_t *slots = (uint64_t *)((char *)d + d->slots);
    if (d->abi != CAPSULE_ABI_VERSION || d->object != 7) __builtin_trap();
    for (unsigned i = 0; i < d->symbol_count; i++) {
        if (slots[i] != 0x99 && slots[i] - 0x1000 >= 1000) __builtin_trap();
        slots[i] = (uint64_t)answer;
    }
    d->bound = 1;
}`)
	compile(t, cc, dir, "main", []string{"-ldl"}, `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    void *h = dlopen("libtest.so.1", RTLD_NOW);
    if (!h) { puts(dlerror()); return 1; }
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "function_%d", i);
        int (*f)(void) = (int (*)(void))dlsym(h, name);
        if (!f || f() != 42) { puts(name); return 1; }
    }
    if (!dlvsym(h, "function_1", "TEST_1") || dlvsym(h, "function_1", "TEST_2")) { puts("version"); return 1; }
    if (dlvsym(h, "function_2", "TEST_1") == dlvsym(h, "function_2", "TEST_2")) { puts("hidden"); return 1; }
    if (dlsym(h, "function_1000") || dlsym(h, "capsule_nothing")) { puts("too many"); return 1; }
    void *alias = dlopen("libother.so.2", RTLD_NOW);
    if (!alias) { puts(dlerror()); return 1; }
    if (alias == h || dlsym(alias, "function_3") != dlsym(h, "function_3")) { puts("alias"); return 1; }
    puts("ok");
    return 0;
}`)
	command := append(slices.Clone(run), filepath.Join(dir, "main"))
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LD_LIBRARY_PATH=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Fatalf("%v: %s", err, out)
	}
}

func compile(t *testing.T, cc, dir, name string, flags []string, source string) {
	t.Helper()
	file := filepath.Join(dir, name+".c")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-O1", "-o", filepath.Join(dir, name), file}, flags...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", cc, err, out)
	}
}

func TestProxyLayout(t *testing.T) { eachArch(t, testProxyLayout) }

func testProxyLayout(t *testing.T, a *arch.Arch) {
	p := &Proxy{Arch: a, Soname: "libc.so.6", Versions: []Version{{Name: "GLIBC_2.2.5"}, {Name: "GLIBC_2.38"}},
		Symbols: []ProxySymbol{
			{Name: "puts", Version: "GLIBC_2.2.5", Default: true, Type: elf.STT_FUNC, Origin: FromBase, Source: 4, Value: 0x777},
			{Name: "memcpy", Version: "GLIBC_2.2.5", Default: true, Type: elf.STT_GNU_IFUNC, Origin: FromBase, Value: 0x888},
			{Name: "stat", Version: "GLIBC_2.38", Default: true, Type: elf.STT_FUNC, Origin: FromRoot, Value: 0x999},
			{Name: "gone", Version: "GLIBC_2.38", Default: true, Type: elf.STT_FUNC, Origin: Nowhere},
			{Name: "gone_data", Version: "GLIBC_2.38", Default: true, Type: elf.STT_OBJECT, Size: 24, Origin: Nowhere},
			{Name: "__libc_early_init", Version: "GLIBC_2.38", Type: elf.STT_FUNC, Origin: DoNothing},
		}}
	b, err := p.Write()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	text := f.Section(".text")
	inText := func(v uint64) bool { return v >= text.Addr && v < text.Addr+text.Size }
	for _, s := range symbols {
		switch s.Name {
		case "puts":
			if s.Section != shnBase+4 || s.Value != 0x777 {
				t.Errorf("%+v", s)
			}
		case "memcpy":
			if s.Section != shnBase || s.Value != 0x888 || elf.ST_TYPE(s.Info) != elf.STT_GNU_IFUNC {
				t.Errorf("%+v", s)
			}
		case "stat":
			if s.Section != shnRoot || s.Value != 0x999 {
				t.Errorf("%+v", s)
			}
		case "gone", "__libc_early_init":
			if s.Section != shnSelf || !inText(s.Value) {
				t.Errorf("%+v, text at %#x", s, text.Addr)
			}
		case "gone_data":
			last := f.Progs[2]
			if page := machines[a].pageSize; s.Value%page != 0 { // what is before it becomes read-only
				t.Errorf("%+v shares its page", s)
			}
			if s.Section != shnSelf || s.Value < last.Vaddr+last.Filesz || s.Value+s.Size > last.Vaddr+last.Memsz {
				t.Errorf("%+v is not in the zeroed part of %+v", s, last.ProgHeader)
			}
		}
	}
	var end uint64
	for _, prog := range f.Progs {
		if prog.Type != elf.PT_LOAD {
			continue
		}
		if prog.Flags == elf.PF_R|elf.PF_W|elf.PF_X {
			t.Error("a segment is both writable and executable")
		}
		page := machines[a].pageSize
		if prog.Align != page || prog.Vaddr%page != prog.Off%page || prog.Vaddr/page*page < end {
			t.Errorf("segment %+v behind %#x: pages have up to %#x bytes", prog.ProgHeader, end, page)
		}
		end = prog.Vaddr + prog.Memsz
	}
}
