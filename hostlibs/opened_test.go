package hostlibs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

func note(sonames ...string) string {
	return fmt.Sprintf(`[{"soname":["%s"],"feature":"own","priority":"recommended"}]`, strings.Join(sonames, `","`))
}

// opener is a driver that says in every way what it opens.
func opener() map[string]string {
	plain := func(name string) string { return lib(name) }
	return edited(map[string]string{
		multiarch + "libGLX_nvidia.so.550.163.01": string(elftest.Lib{Soname: "libGLX_nvidia.so.0", Needed: []string{"libnvidia-tls.so.550.163.01"},
			Dlopen:   note("libabsent.so.1", "libnoted.so.1", "libalternative.so.1"),
			ReadOnly: "\x00libconstant.so.3\x00libpython3.11.so.1.0\x00libGL.so.1\x00libnoted.so.1\x00libnowhere.so.1\x00libc.so.6\x00libbroken.so.1\x00"}.Bytes()),
		multiarch + "libGLX_nvidia.so.0":                     "-> libGLX_nvidia.so.550.163.01",
		multiarch + "libnvidia-tls.so.550.163.01":            plain("libnvidia-tls.so.550.163.01"),
		multiarch + "libnvidia-glvkspirv.so.550.163.01":      plain("libnvidia-glvkspirv.so.550.163.01"),
		multiarch + "libnvidia-future.so.550.163.01":         lib("libnvidia-future.so.550.163.01", "libprivate.so.1"),
		multiarch + "libnvidia-future.so.535.1":              plain("libnvidia-future.so.535.1"),
		multiarch + "libnvidia-gtk3.so.550.163.01":           plain("libnvidia-gtk3.so.550.163.01"),
		multiarch + "libunrelated-nvidia.so.550.163.01":      plain("libunrelated-nvidia.so.550.163.01"),
		multiarch + "libprivate.so.1":                        plain("libprivate.so.1"),
		multiarch + "libnoted.so.1":                          string(elftest.Lib{Soname: "libnoted.so.1", Dlopen: note("libsecond.so.1"), ReadOnly: "\x00libdeeper.so.1\x00"}.Bytes()),
		multiarch + "libalternative.so.1":                    plain("libalternative.so.1"),
		multiarch + "libsecond.so.1":                         plain("libsecond.so.1"),
		multiarch + "libdeeper.so.1":                         plain("libdeeper.so.1"),
		multiarch + "libconstant.so.3":                       string(elftest.Lib{Soname: "libconstant.so.3", Needed: []string{"libprivate.so.1"}, ReadOnly: "\x00libfurther.so.1\x00"}.Bytes()),
		multiarch + "libfurther.so.1":                        plain("libfurther.so.1"),
		multiarch + "libpython3.11.so.1.0":                   plain("libpython3.11.so.1.0"),
		multiarch + "libbroken.so.1":                         "not ELF",
		multiarch + "libX11.so.6":                            string(elftest.Lib{Soname: "libX11.so.6", Dlopen: note("libXcursor.so.1")}.Bytes()),
		multiarch + "libXcursor.so.1":                        plain("libXcursor.so.1"),
		"usr/lib/i386-linux-gnu/libnvidia-x.so.550.163.01":   string(elftest.Lib{Machine: 3}.Bytes()),
		multiarch + "libnvidia-ptxjitcompiler.so.1":          plain("libnvidia-ptxjitcompiler.so.1"),
		multiarch + "libnvidia-ptxjitcompiler.so.550.163.01": "-> libnvidia-ptxjitcompiler.so.1",
	})
}

func TestOpened(t *testing.T) {
	s := discover(t, opener(), Options{})
	driver := s.library("libGLX_nvidia.so.0")
	for name, want := range map[string]struct {
		found Found
		why   string
		opens bool // by the driver
	}{
		"libnvidia-tls.so.550.163.01":       {FoundNeeded, "DT_NEEDED of libGLX_nvidia.so.0", false},
		"libnoted.so.1":                     {FoundNote, "opened by libGLX_nvidia.so.0 for own, recommended (.note.dlopen)", true},
		"libsecond.so.1":                    {FoundNote, "opened by libnoted.so.1 for own, recommended (.note.dlopen)", false},
		"libnvidia-glvkspirv.so.550.163.01": {FoundList, "opened by libGLX_nvidia.so.0 (configs/nvidia.toml)", true},
		"libnvidia-future.so.550.163.01":    {FoundVersion, "of the same version, 550.163.01, as libGLX_nvidia.so.0 (configs/nvidia.toml)", true},
		"libnvidia-ptxjitcompiler.so.1":     {FoundVersion, "", true},
		"libprivate.so.1":                   {FoundNeeded, "DT_NEEDED of libnvidia-future.so.550.163.01", false},
		"libconstant.so.3":                  {FoundConstant, "named by a string constant of libGLX_nvidia.so.0", true},
		"libdeeper.so.1":                    {FoundConstant, "named by a string constant of libnoted.so.1", false},
	} {
		l := s.library(name)
		if l == nil {
			t.Errorf("%s was not found", name)
			continue
		}
		if l.Found != want.found || want.why != "" && l.Why != want.why || slices.Contains(driver.Opens, l) != want.opens {
			t.Errorf("%s: %s: %s; opened %v", name, l.Found, l.Why, slices.Contains(driver.Opens, l))
		}
		if l.Found != FoundNeeded && l.Role != RoleOpened {
			t.Errorf("%s has the role %s", name, l.Role)
		}
	}
	for _, name := range []string{"libalternative.so.1", "libnvidia-future.so.535.1", "libnvidia-gtk3.so.550.163.01", "libunrelated-nvidia.so.550.163.01",
		"libfurther.so.1", "libpython3.11.so.1.0", "libbroken.so.1", "libXcursor.so.1"} {
		if l := s.library(name); l != nil {
			t.Errorf("%s: %s", name, l.Why)
		}
	}
	if slices.Contains(driver.Opens, s.library("libGL.so.1")) {
		t.Error("a driver opens a front end")
	}
	if len(driver.Unresolved) > 0 || len(s.Problems) > 0 {
		t.Errorf("%q, %q", driver.Unresolved, s.Problems)
	}
	for _, l := range s.Libraries { // what is opened is complete
		for _, dep := range l.File.Needed {
			if s.library(dep) == nil && !slices.Contains(l.Unresolved, dep) {
				t.Errorf("%s lacks %s", l.Name, dep)
			}
		}
	}
	again := discover(t, opener(), Options{})
	if a, b := names(s.Libraries), names(again.Libraries); !slices.Equal(a, b) {
		t.Errorf("two orders:\n%q\n%q", a, b)
	}
}

func TestConstantsRules(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"", true}, {"[constants]\noff = true\n", false}, {"[constants]\nexcept = [\"libconst*\"]\n", false},
	} {
		rules, err := configs.Merge([]configs.Source{{Name: "own.toml", Text: []byte(c.text)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := discover(t, opener(), Options{Rules: rules}).library("libconstant.so.3") != nil; got != c.want {
			t.Errorf("%q: %v", c.text, got)
		}
	}
}

// A dependency that is as large as a compiler is not looked through, a driver of that size is.
func TestConstantsOfLargeFiles(t *testing.T) {
	rules, err := configs.Merge([]configs.Source{{Name: "own.toml", Text: []byte("[constants]\nlargest = 1\n")}})
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 2<<20)
	s := discover(t, edited(map[string]string{
		multiarch + "libgallium.so":      string(elftest.Lib{Soname: "libgallium.so", ReadOnly: large + "\x00libsmall.so.1\x00"}.Bytes()),
		multiarch + "libGLX_indirect.so": "",
		multiarch + "libGLX_big.so.0":    string(elftest.Lib{Soname: "libGLX_big.so.0", ReadOnly: large + "\x00libother.so.1\x00"}.Bytes()),
		multiarch + "libsmall.so.1":      lib("libsmall.so.1"),
		multiarch + "libother.so.1":      lib("libother.so.1"),
	}), Options{Rules: rules})
	if s.library("libsmall.so.1") != nil || s.library("libother.so.1") == nil {
		t.Errorf("%q", names(s.Libraries))
	}
}

func TestFileVersion(t *testing.T) {
	for file, want := range map[string]string{"/a/libx.so.550.163.01": "550.163.01", "/a/libx.so.1": "", "/a/libx.so": "", "/a/libx.so.1.x": "",
		"/a/libx-1.2.so.3.4": "3.4", "/a.so.1.2/libx.so": ""} {
		if got := fileVersion(file); got != want {
			t.Errorf("%s: %q", file, got)
		}
	}
}

// What is damaged behind a library that another opens is told, and is no reason to end: the opener does without.
func TestDamagedBehindAnOpenedLibrary(t *testing.T) {
	for name, damage := range map[string]map[string]string{
		"a dependency": {multiarch + "libprivate.so.1": lib("libprivate.so.1")[:200]},
		"of a constant's library": {multiarch + "libconstant.so.3": lib("libconstant.so.3", "libdamaged.so.1"),
			multiarch + "libdamaged.so.1": lib("libdamaged.so.1")[:300]},
		"symbols": {multiarch + "libconstant.so.3": damagedSymbols(t, "libconstant.so.3")},
	} {
		files := opener()
		for k, v := range damage {
			files[k] = v
		}
		s := discover(t, files, Options{})
		if len(s.Problems) == 0 || slices.ContainsFunc(s.Problems, func(p string) bool { return !strings.HasSuffix(p, "does without") }) {
			t.Errorf("%s: %q", name, s.Problems)
		}
		if s.library("libGLX_nvidia.so.0") == nil || s.library("libprivate.so.1") != nil && name == "a dependency" {
			t.Errorf("%s: %q", name, names(s.Libraries))
		}
	}
}

// damagedSymbols is a library whose dynamic section is right, and whose symbols are not.
func damagedSymbols(t *testing.T, soname string) string {
	b := []byte(lib(soname))
	for at := 64; at+4 <= len(b); at += 4 {
		bad := slices.Clone(b)
		copy(bad[at:], "\xff\xff\xff\xff")
		r := strings.NewReader(string(bad))
		f, err := dynelf.Read(r, r.Size())
		if err != nil || f.Soname != soname || len(f.Needed) > 0 {
			continue
		}
		if _, _, err = dynelf.Symbols(r, r.Size()); isDamage(err) {
			return string(bad)
		}
	}
	t.Fatal("no byte of a library damages its symbols alone")
	return ""
}
