package ldso

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// tree makes a root: files by path; a content that starts with "-> " makes a link, "ELF" a library for x86-64,
// "ARM64" one for aarch64.
func tree(t testing.TB, files map[string]string) *rootfs.Root {
	t.Helper()
	dir := t.TempDir()
	for p, content := range files {
		full := filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(target, full); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b := []byte(content)
		switch content {
		case "ELF":
			b = elftest.Lib{Soname: filepath.Base(p)}.Bytes()
		case "ARM64":
			b = elftest.Lib{Soname: filepath.Base(p), Machine: elf.EM_AARCH64}.Bytes()
		case "I386":
			b = elftest.Lib{Soname: filepath.Base(p), Machine: elf.EM_386}.Bytes()
		}
		if err := os.WriteFile(full, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func cacheOf(t testing.TB, entries ...ldcache.Entry) string {
	t.Helper()
	b, err := ldcache.Write(entries)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func entry(p string) ldcache.Entry {
	e := ldcache.Entry{Name: filepath.Base(p), Path: p, Flags: arch.X8664.CacheFlags}
	if _, rest, ok := strings.Cut(p, "glibc-hwcaps/"); ok {
		e.HWCaps, _, _ = strings.Cut(rest, "/")
	}
	return e
}

func TestFind(t *testing.T) {
	i386 := entry("/opt/cached/lib32only.so")
	i386.Flags = 3
	files := map[string]string{
		"usr/lib/x86_64-linux-gnu/libdef.so":        "ELF",
		"usr/lib/x86_64-linux-gnu/libboth.so":       "ELF",
		"usr/lib/libskip.so":                        "ELF",
		"usr/lib/x86_64-linux-gnu/libskip.so":       "ARM64",
		"usr/lib64/libskip.so":                      "I386",
		"lib":                                       "-> usr/lib",
		"opt/cached/libboth.so":                     "ELF",
		"opt/cached/lib32only.so":                   "ELF",
		"opt/cached/libhw.so":                       "ELF",
		"opt/cached/glibc-hwcaps/lvl2/libhw.so":     "ELF",
		"opt/cached/glibc-hwcaps/lvl3/libhw.so":     "ELF",
		"opt/cached/glibc-hwcaps/lvl9/libhw.so":     "ELF",
		"opt/dir/glibc-hwcaps/lvl2/libhd.so":        "ELF",
		"opt/dir/libhd.so":                          "ELF",
		"opt/app/lib/libboth.so":                    "ELF",
		"opt/app/lib64/libx.so":                     "ELF",
		"opt/app/private/libr.so":                   "ELF",
		"usr/lib/x86_64-linux-gnu/libgone.so":       "ELF",
		"usr/lib/x86_64-linux-gnu/libtext.so":       "INPUT(libc.so.6)",
		"opt/app/plat/x86_64/libplat.so":            "ELF",
		"opt/app/bin/p":                             "",
		"opt/elsewhere/lib/libl.so":                 "ELF",
		"opt/elsewhere/bin/p":                       "",
		"opt/app/linkbin":                           "-> /opt/elsewhere/bin",
		"usr/lib/x86_64-linux-gnu/libdangling.so.1": "-> missing",
	}
	files["etc/ld.so.cache"] = cacheOf(t, entry("/opt/cached/libboth.so"), i386, entry("/opt/cached/libhw.so"),
		entry("/opt/cached/glibc-hwcaps/lvl2/libhw.so"), entry("/opt/cached/glibc-hwcaps/lvl3/libhw.so"),
		entry("/opt/cached/glibc-hwcaps/lvl9/libhw.so"), entry("/opt/cached/libgone.so"))
	s, err := New(tree(t, files), arch.X8664)
	if err != nil {
		t.Fatal(err)
	}
	s.hwcaps = []string{"lvl3", "lvl2"}
	object := func(p, rpath, runpath string) Loader {
		f := &dynelf.File{}
		if rpath != "" {
			f.RPath = strings.Split(rpath, ":")
		}
		if runpath != "" {
			f.RunPath = strings.Split(runpath, ":")
		}
		return Loader{p, f}
	}
	plain := object("/opt/app/bin/p", "", "")
	for _, c := range []struct {
		name      string
		from      []Loader
		path, how string
	}{
		{"libdef.so", nil, "/lib/x86_64-linux-gnu/libdef.so", "default directory"},
		{"libboth.so", []Loader{plain}, "/opt/cached/libboth.so", "ld.so.cache"},
		{"libskip.so", nil, "/lib/libskip.so", "default directory"},
		{"lib32only.so", nil, "", ""},
		{"libhw.so", nil, "/opt/cached/glibc-hwcaps/lvl3/libhw.so", "ld.so.cache"},
		{"libgone.so", nil, "/lib/x86_64-linux-gnu/libgone.so", "default directory"}, // a stale entry is no obstacle
		{"libtext.so", nil, "/lib/x86_64-linux-gnu/libtext.so", "default directory"}, // an error for who reads it
		{"libdangling.so.1", nil, "", ""},
		{"libboth.so", []Loader{object("/opt/app/bin/p", "", "relative::$ORIGIN/../lib")}, "/opt/app/bin/../lib/libboth.so", "RUNPATH of p"},
		{"libboth.so", []Loader{object("/opt/app/bin/p", "${ORIGIN}/../lib", "")}, "/opt/app/bin/../lib/libboth.so", "RPATH of p"},
		{"libboth.so", []Loader{object("/opt/app/bin/p", "$ORIGIN/../lib", "/nowhere")}, "/opt/cached/libboth.so", "ld.so.cache"},
		{"libx.so", []Loader{object("/opt/app/bin/p", "", "/opt/app/$LIB")}, "/opt/app/lib64/libx.so", "RUNPATH of p"},
		{"libplat.so", []Loader{object("/a/b", "", "/opt/app/plat/$PLATFORM")}, "/opt/app/plat/x86_64/libplat.so", "RUNPATH of b"},
		{"libx.so", []Loader{object("/opt/app/bin/p", "", "$ORIGINAL/../$LIB")}, "", ""},
		{"libhd.so", []Loader{object("/a/b", "", "/opt/dir")}, "/opt/dir/glibc-hwcaps/lvl2/libhd.so", "RUNPATH of b"},
		// RPATH is inherited from the loaders, RUNPATH is not; an object with RUNPATH inherits nothing.
		{"libr.so", []Loader{plain, object("/opt/app/bin/q", "$ORIGIN/../private", "")}, "/opt/app/bin/../private/libr.so", "RPATH of q"},
		{"libr.so", []Loader{plain, object("/opt/app/bin/q", "", "$ORIGIN/../private")}, "", ""},
		{"libr.so", []Loader{object("/x/y", "", "/z"), object("/opt/app/bin/q", "$ORIGIN/../private", "")}, "", ""},
		{"/opt/app/lib/libboth.so", nil, "/opt/app/lib/libboth.so", "path"},
		{"$ORIGIN/../lib/libboth.so", []Loader{plain}, "/opt/app/bin/../lib/libboth.so", "path"},
		{"lib/libboth.so", nil, "", ""},
		// ".." is for the kernel to resolve, after the link.
		{"libl.so", []Loader{object("/opt/app/linkbin/p", "", "$ORIGIN/../lib")}, "/opt/app/linkbin/../lib/libl.so", "RUNPATH of p"},
	} {
		p, how, err := s.Find(c.name, c.from...)
		if p != c.path || how != c.how {
			t.Errorf("%s: %q by %q (%v), want %q by %q", c.name, p, how, err, c.path, c.how)
		}
		if (c.path == "") != errors.Is(err, ErrNotFound) || (c.path == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	s.IgnoreHWCaps()
	if p, _, _ := s.Find("libhw.so"); p != "/opt/cached/libhw.so" {
		t.Errorf("without hwcaps: %s", p)
	}
	if names, err := s.Match("lib[bh]*.so"); err != nil || !slices.Equal(names, []string{"libboth.so", "libhw.so"}) {
		t.Errorf("Match: %q, %v", names, err)
	}
	want := []string{"/lib/x86_64-linux-gnu", "/usr/lib64", "/lib", "/opt/cached"}
	if d := s.Dirs(); !slices.Equal(d, want) {
		t.Errorf("Dirs: %q", d)
	}
}

// Without a cache, or with an empty one, the directories of ld.so.conf are searched.
func TestFindWithoutCache(t *testing.T) {
	files := map[string]string{
		"etc/ld.so.conf":           "# comment\ninclude ld.so.conf.d/*.conf missing.conf\n/usr/local/lib=libc6\nrelative\n",
		"etc/ld.so.conf.d/b.conf":  "/opt/b # the second\ninclude /etc/ld.so.conf\n",
		"etc/ld.so.conf.d/a.conf":  "\thwcap 1 foo\n  /opt/a/\t\n/opt/b\n",
		"etc/ld.so.conf.d/.x.conf": "/opt/hidden\n",
		"etc/ld.so.conf.d/c.txt":   "/opt/text\n",
		"opt/b/liba.so":            "ELF",
		"usr/lib/libb.so":          "ELF",
	}
	for range 2 {
		s, err := New(tree(t, files), arch.X8664)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.conf, []string{"/opt/a", "/opt/b", "/usr/local/lib"}) {
			t.Errorf("directories %q", s.conf)
		}
		for name, want := range map[string]string{"liba.so": "ld.so.conf", "libb.so": "default directory"} {
			if p, how, err := s.Find(name); how != want {
				t.Errorf("%s: %s by %q, %v", name, p, how, err)
			}
		}
		if _, ok := s.Cache(); ok {
			t.Error("a cache out of nothing")
		}
		files["etc/ld.so.cache"] = ""
	}
}

func TestCorruptCache(t *testing.T) {
	good := cacheOf(t, entry("/lib/liba.so"))
	for content, want := range map[string]error{good[:60]: ldcache.ErrTruncated, "no cache, this is text": ldcache.ErrCorrupt, "ld": ldcache.ErrTruncated} {
		r := tree(t, map[string]string{"etc/ld.so.cache": content})
		_, err := New(r, arch.X8664)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), r.Dir()+"/etc/ld.so.cache") {
			t.Errorf("%v", err)
		}
	}
}

// A library that appears where the search would look first makes the trace changed.
func TestTraceCoversMisses(t *testing.T) {
	r := tree(t, map[string]string{"usr/lib/libb.so": "ELF", "usr/lib64/x": ""})
	past := func(p string) {
		if err := os.Chtimes(p, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	past(r.Dir() + "/usr/lib64")
	s, err := New(r, arch.X8664)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Find("libb.so"); err != nil {
		t.Fatal(err)
	}
	trace := r.Trace()
	changes := func() (n int) {
		for _, a := range trace {
			a.Racy = false
			if !a.Unchanged() {
				n++
			}
		}
		return n
	}
	if n := changes(); n != 0 {
		t.Fatalf("%d changes of nothing", n)
	}
	if err := os.WriteFile(r.Dir()+"/usr/lib64/libb.so", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if n := changes(); n == 0 {
		t.Error("a library in a directory that is searched earlier goes unnoticed")
	}
}

// What is made of hostile files is paid for: of a guest's tree with little left, neither a cache of
// many libraries nor a configuration of many lines is taken.
func TestCosts(t *testing.T) {
	var entries []ldcache.Entry
	for i := range 10_000 {
		entries = append(entries, ldcache.Entry{Name: fmt.Sprint(i), Path: "/a", Flags: arch.X8664.CacheFlags})
	}
	for name, files := range map[string]map[string]string{
		"cache":    {"etc/ld.so.cache": cacheOf(t, entries...)},
		"lines":    {"etc/ld.so.conf": strings.Repeat("/a\n", 300_000)},
		"includes": {"etc/ld.so.conf": strings.Repeat("include /x/*\n", 10_000), "x/y": "/z"},
	} {
		r := tree(t, files)
		r.RecordContents(4 << 20)
		if _, err := New(r, arch.X8664); !errors.Is(err, rootfs.ErrTooLarge) && r.Overspent() == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Where nothing is counted, a line that is there already costs no look at all others.
	var text strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&text, "/%04000d\n", i%maxConfDirs)
		if text.Len() > maxConf-5000 {
			break
		}
	}
	if s, err := New(tree(t, map[string]string{"etc/ld.so.conf": text.String()}), arch.X8664); err != nil || len(s.conf) < 200 {
		t.Errorf("%v", err)
	}
	// A path that tokens would make too long leads nowhere.
	s, err := New(tree(t, map[string]string{"usr/lib/x": ""}), arch.X8664)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.expand(strings.Repeat("/$ORIGIN", 1000), []Loader{{Path: "/" + strings.Repeat("a", 4000)}}); got != nil {
		t.Errorf("%d paths", len(got))
	}
}

// FuzzConf: reading ends, and every directory is absolute and clean.
func FuzzConf(f *testing.F) {
	f.Add("include ld.so.conf.d/*.conf\n/usr/lib\n")
	f.Add("include *\ninclude ../etc/ld.so.conf\n/a=b #x\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := tree(t, map[string]string{"etc/ld.so.conf": text, "etc/ld.so.conf.d/x.conf": text})
		dirs, err := readConf(r, confPath, func(error) {})
		if err != nil && dirs != nil {
			t.Fatal("directories and an error")
		}
		for _, d := range dirs {
			if !filepath.IsAbs(d) || filepath.Clean(d) != d {
				t.Fatalf("directory %q", d)
			}
		}
	})
}
