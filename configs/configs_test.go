package configs

import (
	"slices"
	"strings"
	"testing"
)

func TestDefault(t *testing.T) {
	r, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(r.Libc, "libc.so.6") || !slices.Contains(r.Interop, "libX11.so.6") {
		t.Errorf("libc %q, interop %q", r.Libc, r.Interop)
	}
	names := map[string]bool{}
	for _, f := range r.Families {
		for _, l := range f.FrontEnds {
			if names[l] {
				t.Errorf("%s is a front end twice", l)
			}
			names[l] = true
		}
	}
	if !names["libGL.so.1"] || !names["libvulkan.so.1"] {
		t.Errorf("front ends %v", names)
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"libc = [\"a\"]\nlibz = []\n", `x.toml:2: unknown key "libz"`},
		{"[[family]]\nname = \"GL\"\n[[family.modules]]\nrole = \"r\"\ndirectory = \"d\"\nmatch = \"*\"\nmacth = \"x\"\n",
			`x.toml:7: unknown key "family.modules.macth"`},
		{"[[famly]]\nname = \"GL\"\n", "x.toml:1: unknown key"},
		{"libc = [\n", "x.toml:1: "},
		{"libc = 3\n", "x.toml:1: "},
		{"directories = [\"lib\"]", "not an absolute path"},
		{"[[family]]\n", "no name"},
		{"[[family]]\nname = \"a\"\n[[family.libraries]]\nrole = \"r\"\nmatch = \"[\"\n", "pattern"},
		{"[[family]]\nname = \"a\"\n[[family.manifests]]\nrole = \"r\"\n", "manifests need"},
		{"[[data]]\npath = \"/a\"\n", "needs"},
	} {
		r, err := Parse("x.toml", []byte(c.text))
		if err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

// FuzzParse: rules or an error, never both or none, and an error of one line that names the file.
func FuzzParse(f *testing.F) {
	f.Add(stack)
	f.Add([]byte("[[family]]\nname = \"a\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse("x.toml", b)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Fatal(err)
		}
	})
}
