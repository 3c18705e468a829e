package runtimetree

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/ldso"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

var (
	loader = string(elftest.Lib{Soname: "ld-linux-x86-64.so.2", Versions: []string{"GLIBC_2.3", "GLIBC_PRIVATE"}}.Bytes())
	libc   = string(elftest.Lib{Soname: "libc.so.6", Needed: []string{"ld-linux-x86-64.so.2"},
		Versions: []string{"GLIBC_2.2.5", "GLIBC_2.4", "GLIBC_2.30", "GLIBC_2.9", "GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE"},
		Exports:  []string{"malloc@@GLIBC_2.2.5", "memcpy@@GLIBC_2.4"}}.Bytes())
	riscv = string(elftest.Lib{Machine: elf.EM_RISCV}.Bytes())
)

// tree makes a directory; a content "-> target" makes a link, a path with a slash at the end a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for p, content := range files {
		full := filepath.Join(dir, p)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if target, ok := strings.CutPrefix(content, "-> "); err == nil && ok {
			err = os.Symlink(target, full)
		} else if err == nil && strings.HasSuffix(p, "/") {
			err = os.MkdirAll(full, 0o755)
		} else if err == nil {
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sysroot is a tree as Debian 11's: real /lib and /bin, and an absolute link to the loader.
func sysroot() map[string]string {
	return map[string]string{
		"lib/x86_64-linux-gnu/ld-2.31.so":      loader,
		"lib64/ld-linux-x86-64.so.2":           "-> /lib/x86_64-linux-gnu/ld-2.31.so",
		"lib/x86_64-linux-gnu/libc.so.6":       "-> libc-2.31.so",
		"lib/x86_64-linux-gnu/libc-2.31.so":    libc,
		"usr/lib/x86_64-linux-gnu/libz.so.1":   string(elftest.Lib{Soname: "libz.so.1", Exports: []string{"inflate"}}.Bytes()),
		"lib/x86_64-linux-gnu/libpthread.so.0": string(elftest.Lib{Soname: "libpthread.so.0", Versions: []string{"GLIBC_2.31"}}.Bytes()),
		"bin/true":                             "",
		"etc/passwd":                           "",
		"opt/x":                                "",
		"dev/null":                             "",
		"home/":                                "",
		"initrd.img":                           "",
	}
}

func TestInspectSysroot(t *testing.T) {
	dir := tree(t, sysroot())
	r, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Layout != LayoutSysroot || r.Arch.Name != "x86_64" || r.LibcVersion != "2.31" || r.HasCache ||
		r.Loader != "/lib/x86_64-linux-gnu/ld-2.31.so" || r.Dir != dir {
		t.Errorf("%+v", r)
	}
	var want []TopEntry
	for _, n := range []string{"bin", "etc", "lib", "lib64", "opt", "usr"} {
		want = append(want, TopEntry{Name: n, Source: filepath.Join(dir, n)})
	}
	if !reflect.DeepEqual(r.Top, want) {
		t.Errorf("top: %+v", r.Top)
	}
	l, err := r.Library("libz.so.1")
	if err != nil {
		t.Fatal(err)
	}
	exports, err := l.Exports()
	if err != nil || len(exports) != 1 || exports[0].Name != "inflate" || l.How != "default directory" ||
		l.Path != "/usr/lib/x86_64-linux-gnu/libz.so.1" || l.File.Soname != "libz.so.1" {
		t.Errorf("%+v: %+v, %v", l, exports, err)
	}
	if again, _ := r.Library("libz.so.1"); again != l {
		t.Error("the same library is read twice")
	}
	if _, err := r.Library("libGL.so.1"); !errors.Is(err, ldso.ErrNotFound) {
		t.Errorf("libGL.so.1: %v", err)
	}
}

// Of the directories that libraries lead to, those that exist in the runtime and are not searched in any case.
func TestRunPaths(t *testing.T) {
	files := sysroot()
	files["usr/lib/x86_64-linux-gnu/pulseaudio/libpulsecommon-14.2.so"] = ""
	files["usr/lib/old/x"] = ""
	files["usr/lib/x86_64-linux-gnu/libpulse.so.0"] = string(elftest.Lib{Soname: "libpulse.so.0",
		RunPath: "/usr/lib/x86_64-linux-gnu/pulseaudio:/usr/lib/x86_64-linux-gnu:/none:$ORIGIN/x:relative"}.Bytes())
	files["usr/lib/x86_64-linux-gnu/libold.so.1"] = string(elftest.Lib{Soname: "libold.so.1", RPath: "/usr/lib/old:/usr/lib/x86_64-linux-gnu/libpulse.so.0"}.Bytes())
	files["usr/lib/x86_64-linux-gnu/libscript.so"] = "INPUT(-lz)"
	dir := tree(t, files)
	r, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{dir + "/usr/lib/old", dir + "/usr/lib/x86_64-linux-gnu/pulseaudio"}
	if got := r.RunPaths(); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestInspectLayouts(t *testing.T) {
	usr := map[string]string{
		"usr/lib64/ld-linux-x86-64.so.2":                "-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
		"usr/lib/x86_64-linux-gnu/libc.so.6":            libc,
		"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": loader,
	}
	with := func(more map[string]string) map[string]string {
		m := map[string]string{}
		for k, v := range usr {
			m[k] = v
		}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	flat := map[string]string{"metadata": "[Runtime]", "files/etc/x": "", "files/bin/sh": ""}
	for k, v := range usr {
		flat["files/"+strings.TrimPrefix(k, "usr/")] = v
	}
	for _, c := range []struct {
		layout string
		files  map[string]string
		top    []TopEntry
	}{
		{LayoutMergedUsr, with(map[string]string{"lib": "-> usr/lib", "lib64": "-> usr/lib64", "bin": "-> usr/bin", "etc/": ""}),
			[]TopEntry{{"bin", "", "usr/bin"}, {"etc", "DIR/etc", ""}, {"lib", "", "usr/lib"}, {"lib64", "", "usr/lib64"}, {"usr", "DIR/usr", ""}}},
		{LayoutMergedUsr, with(map[string]string{"etc/": ""}),
			[]TopEntry{{"etc", "DIR/etc", ""}, {"lib", "", "usr/lib"}, {"lib64", "", "usr/lib64"}, {"usr", "DIR/usr", ""}}},
		{LayoutFlatpak, flat,
			[]TopEntry{{"bin", "", "usr/bin"}, {"etc", "DIR/files/etc", ""}, {"lib", "", "usr/lib"}, {"lib64", "", "usr/lib64"}, {"usr", "DIR/files", ""}}},
	} {
		dir := tree(t, c.files)
		r, err := Inspect(dir)
		if err != nil {
			t.Errorf("%s: %v", c.layout, err)
			continue
		}
		for i, e := range c.top {
			c.top[i].Source = strings.Replace(e.Source, "DIR", dir, 1)
		}
		if r.Layout != c.layout || r.Loader != "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" || !reflect.DeepEqual(r.Top, c.top) {
			t.Errorf("%s: %s, %s, %+v", c.layout, r.Layout, r.Loader, r.Top)
		}
	}
}

func TestInspectErrors(t *testing.T) {
	cache, err := ldcache.Write([]ldcache.Entry{{Name: "a", Path: "/a"}})
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change map[string]string) map[string]string {
		m := sysroot()
		for k, v := range change {
			if m[k] = v; v == "" {
				delete(m, k)
			}
		}
		return m
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  error
		names string // what the message must name
	}{
		{"empty", map[string]string{"usr/": ""}, ErrNoLoader, "ld-linux-x86-64.so.2"},
		{"no loader", edit(map[string]string{"lib64/ld-linux-x86-64.so.2": ""}), ErrNoLoader, ""},
		{"dangling loader", edit(map[string]string{"lib/x86_64-linux-gnu/ld-2.31.so": ""}), ErrNoLoader, ""},
		{"musl", map[string]string{"lib/ld-musl-x86_64.so.1": loader, "usr/": ""}, ErrMusl, "ld-musl-x86_64.so.1"},
		{"riscv64", map[string]string{"lib/ld-linux-riscv64-lp64d.so.1": riscv, "lib/libc.so.6": riscv}, ErrArchitecture, "EM_RISCV"},
		{"armhf", map[string]string{"lib/ld-linux-armhf.so.3": string(elftest.Lib{Machine: elf.EM_ARM}.Bytes())}, ErrArchitecture, "EM_ARM"},
		{"riscv64 libc only", map[string]string{"usr/lib/riscv64-linux-gnu/libc.so.6": riscv}, ErrArchitecture, "EM_RISCV"},
		{"loader of riscv64", edit(map[string]string{"lib/x86_64-linux-gnu/ld-2.31.so": riscv}), ErrArchitecture, "EM_RISCV"},
		{"libc of riscv64", edit(map[string]string{"lib/x86_64-linux-gnu/libc-2.31.so": riscv, "usr/lib/riscv64-linux-gnu/libc.so.6": riscv}),
			ErrArchitecture, "EM_RISCV"},
		{"no libc", edit(map[string]string{"lib/x86_64-linux-gnu/libc.so.6": ""}), ErrNoLibc, ""},
		{"a libc without versions", edit(map[string]string{"lib/x86_64-linux-gnu/libc-2.31.so": string(elftest.Lib{Soname: "libc.so.6"}.Bytes())}),
			ErrNoLibc, ""},
		{"truncated libc", edit(map[string]string{"lib/x86_64-linux-gnu/libc-2.31.so": libc[:len(libc)/2]}), dynelf.ErrTruncated, "libc-2.31.so"},
		{"libc is text", edit(map[string]string{"lib/x86_64-linux-gnu/libc-2.31.so": "not a library, surely"}), dynelf.ErrNotELF, "libc-2.31.so"},
		{"truncated loader", edit(map[string]string{"lib/x86_64-linux-gnu/ld-2.31.so": loader[:100]}), dynelf.ErrTruncated, "ld-2.31.so"},
		{"truncated cache", edit(map[string]string{"etc/ld.so.cache": string(cache[:60])}), ldcache.ErrTruncated, "etc/ld.so.cache"},
		{"corrupt cache", edit(map[string]string{"etc/ld.so.cache": "this is not the loader's cache"}), ldcache.ErrCorrupt, "etc/ld.so.cache"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Inspect(tree(t, c.files))
			if r != nil || !errors.Is(err, c.want) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "\n") || fault.Hint(err) == "" {
				t.Errorf("error %q, hint %q", err, fault.Hint(err))
			}
		})
	}
	file := filepath.Join(tree(t, map[string]string{"x": ""}), "x")
	if _, err := Inspect(file); !errors.Is(err, ErrNotDirectory) || fault.Hint(err) == "" {
		t.Errorf("a file: %v", err)
	}
	if _, err := Inspect(file + "y"); !errors.Is(err, fs.ErrNotExist) || fault.Hint(err) == "" {
		t.Errorf("nothing: %v", err)
	}
}

// Nothing is made of a library that names more than any does, and the hint does not speak of damage.
// What a guest's libraries have in all is bounded too.
func TestHostileLibraries(t *testing.T) {
	files := sysroot()
	const dir = "usr/lib/x86_64-linux-gnu/"
	files[dir+"libends.so.1"] = string(elftest.Hostile{Soname: "libends.so.1", Name: 250_000, Symbols: 1000}.Bytes())
	files[dir+"libmany.so.1"] = string(elftest.Hostile{Soname: "libmany.so.1", Distinct: true, Symbols: maxExports}.Bytes())
	files[dir+"liblarge.so.1"] = string(elftest.Hostile{Soname: "liblarge.so.1", Distinct: true, Symbols: maxExports - 1}.Bytes())
	files[dir+"libagain.so.1"] = "-> liblarge.so.1"
	root, err := rootfs.Open(tree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	root.RecordContents(64 << 20)
	r, err := InspectRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	exports := func(name string) ([]dynelf.Symbol, error) {
		l, err := r.Library(name)
		if err != nil {
			t.Fatal(err)
		}
		return l.Exports()
	}
	for _, name := range []string{"libends.so.1", "libmany.so.1"} {
		if symbols, err := exports(name); !errors.Is(err, dynelf.ErrExcessive) || symbols != nil || !strings.Contains(fault.Hint(err), "made to cost") {
			t.Errorf("%s: %d symbols, got %v, want %v; hint %q", name, len(symbols), err, dynelf.ErrExcessive, fault.Hint(err))
		}
	}
	if symbols, err := exports("liblarge.so.1"); err != nil || len(symbols) != maxExports-1 {
		t.Errorf("%d symbols, %v", len(symbols), err)
	}
	if symbols, err := exports("libagain.so.1"); !errors.Is(err, rootfs.ErrTooLarge) || symbols != nil {
		t.Errorf("%d symbols, got %v, want %v", len(symbols), err, rootfs.ErrTooLarge)
	}
}
