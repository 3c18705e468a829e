package configs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func parseRules(name string, data []byte) (*Rules, error) {
	r, _, err := parse[Rules](Source{name, data})
	return r, err
}

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
		if f.File == "" {
			t.Errorf("%s is from no file", f.Name)
		}
		for _, l := range f.FrontEnds {
			if names[l] {
				t.Errorf("%s is a front end twice", l)
			}
			names[l] = true
		}
	}
	for _, l := range []string{"libGL.so.1", "libEGL.so.1", "libvulkan.so.1", "libva.so.2", "libvdpau.so.1", "libOpenCL.so.1",
		"libcuda.so.1", "libnvidia-ml.so.1", "libhsa-runtime64.so.1", "libopenxr_loader.so.1", "libgbm.so.1"} {
		if !names[l] {
			t.Errorf("%s is no front end", l)
		}
	}
}

// No embedded file may change another one: that would be a slip of the pen.
func TestEmbeddedFilesAreApart(t *testing.T) {
	sources, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	families, data := 0, 0
	for _, s := range sources {
		r, err := parseRules(s.Name, s.Text)
		if err != nil {
			t.Fatal(err)
		}
		families, data = families+len(r.Families), data+len(r.Data)
	}
	all, err := Default()
	if err != nil || len(all.Families) != families || len(all.Data) != data {
		t.Errorf("%d of %d families, %d of %d data: %v", len(all.Families), families, len(all.Data), data, err)
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
		{"[constants]\nlargest = \"x\"\n", "x.toml:2: constants.largest: incompatible types"},
		{"\nlibc = [\"/lib/libc.so.6\"]\n", "x.toml:2: libc: \"/lib/libc.so.6\" is not a SONAME"},
		{"libc = []\ninterop = [\n\"\",\n]\n", "x.toml:2: interop: \"\" is not a SONAME"},
		{"libc = []\n\n directories = [\"lib\"]", "x.toml:3: directories: \"lib\" is not an absolute path"},
		{"# x\n[[ family ]] # x\nname = \"a\"\n[[\"family\" . modules]]\nrole = \"r\"\nmatch = \"[\"\n", "x.toml:4: family a: pattern"},
		{"libc = []\n[[family]] # x\nname = \"a\"\nbogus = 1\n", "x.toml:4: unknown key"},
		{"[[family]]\nname = \"a\"\n\n[[family]]\n", "x.toml:4: a family has no name"},
		{"[[family]]\nname = \"a\"\nfront-ends = [\"a/b\"]\n", "x.toml:1: family a: name 1"},
		{"[[family]]\nname = \"a\"\n[[family]]\nname = \"b\"\n[[family.libraries]]\nrole = \"r\"\nmatch = \"*\"\n" +
			"[[family.libraries]]\nrole = \"r\"\nmatch = \"[\"\n", "x.toml:8: family b: pattern"},
		{"[[family]]\nname = \"a\"\n[[family.modules]]\nrole = \"r\"\nmatch = \"*\"\ndirectory = \"../x\"\n", "x.toml:3: family a: directory"},
		{"[[family]]\nname = \"a\"\n[[family.modules]]\nrole = \"r\"\nmatch = \"*\"\ndirectory = \"x\"\ndriver = true\n", "x.toml:3: family a: driver needs a variable"},
		{"[[family]]\nname = \"a\"\n[[family.manifests]]\nrole = \"r\"\n", "x.toml:3: family a: manifests need"},
		{"[[family]]\nname = \"a\"\n[[family.manifests]]\nrole = \"r\"\nkind = \"k\"\ndirectory = \"d\"\nbelow = [\"$HOME\"]\nkey = [\"a\"]\n", "below"},
		{"[[family]]\nname = \"a\"\n[[family.manifests]]\nrole = \"r\"\nkind = \"k\"\ndirectory = \"d\"\nbelow = [\"/\"]\nformat = \"xml\"\n", "xml"},
		{"[[family]]\nname = \"a\"\n[[family.manifests]]\nrole = \"r\"\nkind = \"k\"\ndirectory = \"d/../..\"\nbelow = [\"/\"]\nkey = [\"a\"]\n", "x.toml:3: family a: directory"},
		{"[[family]]\nname = \"a\"\n[[family.criteria]]\nloader = \"l\"\nwhy = \"w\"\n", "x.toml:3: family a: criteria need"},
		{"[[family]]\nname = \"a\"\n[[family.criteria]]\nloader = \"l\"\nwhy = \"w\"\nloader-file = '(\\d'\ndriver-symbol = '(\\d)'\n", "regular expression"},
		{"[[family]]\nname = \"a\"\nextend = true\nremove = true\n", "x.toml:1: family a: extend and remove"},
		{"[[data]]\npath = \"/a\"\n", "x.toml:1: data /a: "},
		{"[[tool]]\npath = \"/a\"\nwhy = \"w\"\n", "x.toml:1: tool /a: "},
		{"libc = []\n[[tool]]\npath = \"/a\"\nwhy = \"w\"\nlibraries = [\"l\"]\nfiles = [\"b\"]\n", "x.toml:2: tool /a: files"},
		{"[[tool]]\npath = \"/a\"\nwhy = \"w\"\nlibraries = [\"[\"]\n", "x.toml:1: tool /a: pattern"},
		{"[[tool]]\npath = \"/a\"\nwhy = \"w\"\nlibraries = [\"l\"]\narguments = [\"a\\nb\"]\n", "x.toml:1: tool /a: a line break"},
		{"[[data]]\npath = \"$PREFIX/share/x\"\nwhy = \"w\"\n", "x.toml:1: data $PREFIX/share/x: $PREFIX needs libraries"},
		{"[[data]]\npath = \"$PREFIXshare\"\nwhy = \"w\"\nlibraries = [\"a\"]\n", "x.toml:1: data $PREFIXshare: "},
		{"[[data]]\npath = \"/a/../b\"\nwhy = \"w\"\n", "x.toml:1: data /a/../b: "},
	} {
		r, err := parseRules("x.toml", []byte(c.text))
		if err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func merged(t *testing.T, texts ...string) (*Rules, error) {
	t.Helper()
	var more []Source
	for _, text := range texts {
		more = append(more, Source{"own.toml", []byte(text)})
	}
	return Merge(more)
}

func (r *Rules) family(name string) *Family {
	for i := range r.Families {
		if r.Families[i].Name == name {
			return &r.Families[i]
		}
	}
	return nil
}

func TestMerge(t *testing.T) {
	r, err := merged(t, `
interop = ["libown.so.1", "libX11.so.6"]
directories = ["/opt/driver/lib"]
[[family]]
name = "OpenCL"
remove = true
[[family]]
name = "GBM"
front-ends = ["libother.so.1"]
[[family]]
name = "Own"
front-ends = ["libown.so.1"]
[[data]]
path = "/etc/drirc"
remove = true
[[data]]
path = "/usr/share/libdrm"
match = "own.ids"
why = "ours"
[[tool]]
path = "/usr/bin/ld"
remove = true
[[tool]]
path = "/usr/bin/own"
why = "ours"
libraries = ["libown.so.1"]
`, `
[[family]]
name = "GL"
extend = true
front-ends = ["libGL.so.2"]
[[family.modules]]
role = "own"
directory = "own"
match = "*.so"
[[family]]
name = "Own"
extend = true
front-ends = ["libown2.so.1"]
`)
	if err != nil {
		t.Fatal(err)
	}
	if r.family("OpenCL") != nil || !slices.Equal(r.family("GBM").FrontEnds, []string{"libother.so.1"}) || len(r.family("GBM").Modules) != 0 {
		t.Errorf("OpenCL %v, GBM %+v", r.family("OpenCL"), r.family("GBM"))
	}
	if gl := r.family("GL"); !slices.Contains(gl.FrontEnds, "libGL.so.1") || !slices.Contains(gl.FrontEnds, "libGL.so.2") || len(gl.Modules) != 2 {
		t.Errorf("GL %+v", gl)
	}
	if own := r.family("Own"); !slices.Equal(own.FrontEnds, []string{"libown.so.1", "libown2.so.1"}) || own.File != "own.toml" {
		t.Errorf("Own %+v", own)
	}
	for _, d := range r.Data {
		if d.Path == "/etc/drirc" || d.Path == "/usr/share/libdrm" && d.Match != "own.ids" {
			t.Errorf("%+v", d)
		}
	}
	if len(r.Tools) != 2 || r.Tools[0].Path == "/usr/bin/ld" || r.Tools[1].Path != "/usr/bin/own" { // one is removed, one added
		t.Errorf("%+v", r.Tools)
	}
	if n := slices.Index(r.Interop, "libown.so.1"); n < 0 || !slices.Contains(r.Directories, "/opt/driver/lib") {
		t.Errorf("interop %q, directories %q", r.Interop, r.Directories)
	}
	if d, err := Default(); err != nil || d.family("OpenCL") == nil || len(d.family("GL").Modules) != 1 {
		t.Errorf("the defaults have changed: %v", err)
	}
	for _, c := range []struct{ text, want string }{
		{"\n[[family]]\nname = \"Opencl\"\nremove = true\n", "own.toml:2: there is no family Opencl to change (there are GL, EGL"},
		{"[[tool]]\npath = \"/nowhere\"\nremove = true\n", "own.toml:1: there is no tool /nowhere"},
		{"[[data]]\npath = \"/nowhere\"\nremove = true\n", "own.toml:1: there is no data /nowhere"},
	} {
		if _, err := merged(t, c.text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestSources(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{a + "/20.toml": "two", a + "/10.toml": "one", a + "/README": "no", a + "/.30.toml": "no",
		b + "/01.toml": "three"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Sources(a, "", filepath.Join(a, "nowhere"), b)
	if err != nil || len(got) != 3 || string(got[0].Text) != "one" || string(got[1].Text) != "two" || got[2].Name != b+"/01.toml" {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Mkdir(b+"/dir.toml", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Sources(b); err == nil || !strings.Contains(err.Error(), "dir.toml: not a regular file") {
		t.Errorf("%v", err)
	}
	big := t.TempDir() + "/big.toml"
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Sources(filepath.Dir(big)); err == nil || !strings.Contains(err.Error(), "big.toml: file too large") {
		t.Errorf("%v", err)
	}
}

func TestUserDir(t *testing.T) {
	for _, c := range []struct{ xdg, home, want string }{
		{"/x", "/h", "/x/capsule-run/rules.d"}, {"", "/h", "/h/.config/capsule-run/rules.d"}, {"relative", "/h", "/h/.config/capsule-run/rules.d"}, {"", "", ""},
	} {
		env := map[string]string{"XDG_CONFIG_HOME": c.xdg, "HOME": c.home}
		if got := UserDir(func(k string) string { return env[k] }); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// FuzzParse: rules or an error, never both or none, and an error of one line that names the file and a line.
func FuzzParse(f *testing.F) {
	sources, err := Embedded()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range sources {
		f.Add(s.Text)
	}
	f.Add([]byte("[[family]]\nname = \"a\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRules("x.toml", b)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Fatal(err)
		}
		if err == nil {
			if _, err := Merge([]Source{{"x.toml", b}}); err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
				t.Fatal(err)
			}
		}
	})
}

func TestOpens(t *testing.T) {
	r, err := merged(t, `
[constants]
except = ["libown*"]
largest = 7
[[opens]]
library = "libcuda.so.1"
remove = true
[[opens]]
library = "libown.so.*"
names = ["libother.so.$VERSION"]
`)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(r.Constants.Except, "libown*") || !slices.Contains(r.Constants.Except, "libpython*") || r.Constants.Largest != 7 {
		t.Errorf("%+v", r.Constants)
	}
	own := false
	for _, o := range r.Opens {
		if o.Library == "libcuda.so.1" {
			t.Errorf("%+v", o)
		}
		own = own || o.Library == "libown.so.*" && o.File == "own.toml"
	}
	if !own {
		t.Errorf("%+v", r.Opens)
	}
	for _, c := range []struct{ text, want string }{
		{"\n[[opens]]\nlibrary = \"a\"\n", "x.toml:2: opens need"},
		{"[[opens]]\nlibrary = \"a\"\nnames = [\"/b\"]\n", "x.toml:1: \"/b\" is not a SONAME"},
		{"[[opens]]\nlibrary = \"a\"\nsame-version = [\"[\"]\n", "x.toml:1: pattern"},
		{"\n\n[constants]\nexcept = [\"[\"]\n", "x.toml:3: constants: pattern"},
		{"[constants]\nlargest = -1\n", "x.toml:1: constants: largest"},
		{"[constants]\nsmallest = 1\n", "x.toml:2: unknown key"},
	} {
		if _, err := parseRules("x.toml", []byte(c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}
