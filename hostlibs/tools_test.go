package hostlibs

import (
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

// program is a file that ld.so runs.
func program(l elftest.Lib) string {
	l.Interp = "/lib64/ld-linux-x86-64.so.2"
	return string(l.Bytes())
}

func TestTools(t *testing.T) {
	rules, err := configs.Merge([]configs.Source{{Name: "own.toml", Text: []byte(`
[[tool]]
path = "/usr/bin/link"
why = "links"
libraries = ["libvulkan_lvp.so"]
files = ["/lib/*/libc.so", "/usr/share/link/*/one", "/usr/share/link/none"]
arguments = ["--root=$ROOT"]

[[tool]]
path = "/usr/bin/spirv-*"
why = "translates"
libraries = ["libvulkan_lvp.so"]

[[tool]]
path = "/usr/bin/unused"
why = "nobody starts it"
libraries = ["libnobody.so"]

[[tool]]
path = "/usr/bin/script"
why = "needs no help"
libraries = ["libvulkan_lvp.so"]

[[tool]]
path = "/usr/bin/other"
why = "of another architecture"
libraries = ["libvulkan_lvp.so"]

[[tool]]
path = "/usr/bin/damaged"
why = "links"
libraries = ["libvulkan_lvp.so"]

[[tool]]
path = "/usr/bin/missing"
why = "not installed"
libraries = ["libvulkan_lvp.so"]
`)}})
	if err != nil {
		t.Fatal(err)
	}
	s := discover(t, edited(map[string]string{
		"usr/bin/link":             "-> link.real",
		"usr/bin/link.real":        program(elftest.Lib{Needed: []string{"liblink.so.1", "libabsent.so.1", "libc.so.6"}}),
		"usr/bin/spirv-18":         program(elftest.Lib{}),
		"usr/bin/spirv-19":         program(elftest.Lib{}),
		"usr/bin/unused":           program(elftest.Lib{}),
		"usr/bin/damaged":          program(elftest.Lib{})[:100],
		"usr/bin/script":           "#!/bin/sh\n",
		"usr/bin/other":            string(elftest.Lib{Machine: elf.EM_386}.Bytes()),
		multiarch + "liblink.so.1": "-> liblink.so.1.2",
		multiarch + "liblink.so.1.2": string(elftest.Lib{Soname: "liblink.so.1", Needed: []string{"libdeep.so.1"},
			RunPath: "$ORIGIN/link"}.Bytes()),
		multiarch + "link/libdeep.so.1": lib("libdeep.so.1", "libc.so.6"),
		multiarch + "libc.so":           "GROUP ( /lib/libc.so.6 )",
		"usr/share/link/a/one":          "1",
		"usr/share/link/b/two":          "2",
	}), Options{Rules: rules})
	if len(s.Problems) != 1 || !strings.HasPrefix(s.Problems[0], "/usr/bin/damaged: ") {
		t.Errorf("problems %q", s.Problems)
	}
	if len(s.Tools) != 3 || s.Tools[1].Path != "/usr/bin/spirv-18" || s.Tools[2].Path != "/usr/bin/spirv-19" {
		t.Fatalf("%d programs", len(s.Tools))
	}
	p := s.Tools[0]
	if p.Path != "/usr/bin/link" || p.File.Path != "/usr/bin/link.real" || !strings.HasSuffix(p.File.Source, "/usr/bin/link.real") ||
		p.Loader.Path != "/"+multiarch+"ld-linux-x86-64.so.2" {
		t.Errorf("%+v", p)
	}
	paths := func(files []File) (out []string) {
		for _, f := range files {
			out = append(out, strings.TrimPrefix(f.Path, "/"+multiarch))
		}
		return out
	}
	// By the names that ld.so looks for; the loader is not among them.
	if got := paths(p.Libraries); !slices.Equal(got, []string{"liblink.so.1", "libc.so.6", "link/libdeep.so.1"}) {
		t.Errorf("libraries %q", got)
	}
	if got := paths(p.Files); !slices.Equal(got, []string{"/lib/x86_64-linux-gnu/libc.so", "/usr/share/link/a/one"}) {
		t.Errorf("files %q", got)
	}
	for _, l := range s.Libraries {
		if l.Name == "liblink.so.1" {
			t.Error("a program's library is part of the stack")
		}
	}
}
