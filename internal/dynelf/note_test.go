package dynelf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

func TestDlopenNote(t *testing.T) {
	for _, c := range []struct {
		json string
		want []Dlopen
	}{
		{`[{"soname":["libdrm_amdgpu.so.1","libdrm.so.2"],"feature":"amd","description":"AMD GPUs","priority":"recommended"}]`,
			[]Dlopen{{[]string{"libdrm_amdgpu.so.1", "libdrm.so.2"}, "amd", "recommended"}}},
		{`[{"soname":["a.so"],"feature":"\u001b[31mred","priority":"` + strings.Repeat("x", 1000) + `"}]`, []Dlopen{{Sonames: []string{"a.so"}}}},
		{`[{"soname":["a.so"]},{"soname":["b.so"],"other":3}]`, []Dlopen{{Sonames: []string{"a.so"}}, {Sonames: []string{"b.so"}}}},
		{`[{"soname":["/etc/passwd","..","a\u0000b","ok.so"]},{"soname":[]},{}]`, []Dlopen{{Sonames: []string{"ok.so"}}}},
		{`{"soname":["a.so"]}`, nil}, {`[{"soname":"a.so"}]`, nil}, {`[`, nil}, {`nonsense`, nil},
	} {
		b := elftest.Lib{Soname: "x.so", Dlopen: c.json}.Bytes()
		f, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil || !reflect.DeepEqual(f.Dlopen, c.want) {
			t.Errorf("%s: %+v, %v", c.json, f.Dlopen, err)
		}
	}
	many := strings.Repeat(`{"soname":["a.so"]},`, maxDlopen*2)
	b := elftest.Lib{Dlopen: "[" + strings.TrimSuffix(many, ",") + "]"}.Bytes()
	if f, err := Read(bytes.NewReader(b), int64(len(b))); err != nil || len(f.Dlopen) != maxDlopen {
		t.Errorf("%d entries, %v", len(f.Dlopen), err)
	}
}

// A note as the assembler writes it, next to a build-id.
func TestDlopenNoteOfGCC(t *testing.T) {
	b := compile(t, `__asm__(".pushsection .note.dlopen,\"a\",%note\n.balign 4\n.long 4,2f-1f,0x407c0c0a\n.asciz \"FDO\"\n1:.asciz "
	"\"[{\\\"soname\\\":[\\\"libz.so.1\\\"],\\\"priority\\\":\\\"suggested\\\"}]\"\n2:.balign 4\n.popsection");`, "-Wl,--build-id=sha1")
	f, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(f.BuildID) != 20 || !reflect.DeepEqual(f.Dlopen, []Dlopen{{Sonames: []string{"libz.so.1"}, Priority: "suggested"}}) {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestSonames(t *testing.T) {
	text := "\x00libdrm.so.2\x00libfoo-1.2+x_y.so\x00xlibbar.so.1\x00/usr/lib/libpath.so.1\x00lib.so\x00libend.sox\x00libv.so.1.x\x00" +
		"open libsentence.so.1\x00lib%s.so.1\x00libdup.so\x00libdup.so\x00.so\x00libtail.so.5"
	want := []string{"libdrm.so.2", "libdup.so", "libfoo-1.2+x_y.so", "libtail.so.5"}
	b := elftest.Lib{Soname: "x", ReadOnly: text + "\x00"}.Bytes()
	got, err := Sonames(bytes.NewReader(b), int64(len(b)))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	// Names across the bounds of what is read at once.
	for shift := range 40 {
		long := strings.Repeat("x", scanBlock-20-shift) + "\x00libacross.so.77\x00"
		b := elftest.Lib{ReadOnly: long}.Bytes()
		if got, err := Sonames(bytes.NewReader(b), int64(len(b))); err != nil || !slices.Equal(got, []string{"libacross.so.77"}) {
			t.Fatalf("shifted by %d: %q, %v", shift, got, err)
		}
	}
}

// A compiler's idea of where strings are, with a segment for constants and without one.
func TestSonamesOfGCC(t *testing.T) {
	const src = `const char *f(int i) { static const char *n[] = {"libone.so.1", "libtwo.so"}; return n[i]; }`
	for _, flags := range [][]string{{"-Wl,-z,separate-code"}, {"-Wl,-z,noseparate-code"}} {
		b := compile(t, src, flags...)
		got, err := Sonames(bytes.NewReader(b), int64(len(b)))
		if err != nil || !slices.Contains(got, "libone.so.1") || !slices.Contains(got, "libtwo.so") {
			t.Errorf("%q: %q, %v", flags, got, err)
		}
	}
}

// FuzzDlopen: what a note names is a file name, and there is no more of it than the note is long.
func FuzzDlopen(f *testing.F) {
	f.Add([]byte(`[{"soname":["liba.so.1"],"feature":"x","priority":"required"}]`))
	f.Add([]byte(`[{"soname":["../x","a"]},null]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for _, d := range parseDlopen(b, maxDlopen) {
			for _, s := range d.Sonames {
				if n++; s == "" || strings.ContainsAny(s, "/\x00\n") || !utf8.ValidString(s) || len(s) > maxSoname {
					t.Fatalf("%q", s)
				}
			}
		}
		if n > len(b) {
			t.Fatalf("%d names in %d bytes", n, len(b))
		}
	})
}

// FuzzSonames: every name stands in the file, and looks like one.
func FuzzSonames(f *testing.F) {
	f.Add([]byte("\x00liba.so.1\x00libb.so\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		found := map[string]bool{}
		scanSonames(b, found)
		for s := range found {
			if !bytes.Contains(b, []byte(s)) || !strings.HasPrefix(s, "lib") || !strings.Contains(s, ".so") || strings.ContainsAny(s, "/ \x00") {
				t.Fatalf("%q", s)
			}
		}
		whole := elftest.Lib{ReadOnly: string(b)}.Bytes()
		if _, err := Sonames(bytes.NewReader(whole), int64(len(whole))); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkSonames(b *testing.B) {
	out, err := exec.Command("sh", "-c", "ls -S /usr/lib/*/libLLVM*.so* /usr/lib/llvm*/lib/libLLVM*.so* 2>/dev/null | head -1").Output()
	name := strings.TrimSpace(string(out))
	if err != nil || name == "" {
		b.Skip("no LLVM")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		names, err := Sonames(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		if b.N == 1 {
			fmt.Println(name, names)
		}
	}
}
