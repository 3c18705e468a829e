package build

import (
	"os"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/internal/arch"
)

// A library may call itself what it likes: no file of a build lies outside of it.
func TestNamesStayBelow(t *testing.T) {
	for _, soname := range []string{"../../../escaped", "../../../../escaped", "/../../../escaped"} {
		top := t.TempDir()
		dir := top + "/a/b"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		a := &capsule.Artefacts{Arch: arch.All[0], Stubs: []dso.Stub{{Arch: arch.All[0], Soname: soname, File: soname}}}
		made := &output{files: map[string][]byte{}}
		if err := generate(a, made); err != nil {
			t.Fatal(err)
		}
		refused := false
		for name, b := range made.files {
			err := writeFile(dir, name, b)
			refused = refused || err != nil && strings.Contains(err.Error(), "leads out of the build")
		}
		a.Stubs[0].File, a.Stubs[0].Links = "libx.so", []string{soname}
		if err := linkStubs(a, dir); err == nil {
			t.Errorf("%s: got no error for a link", soname)
		}
		if !refused {
			t.Errorf("%s: got no error for a file", soname)
		}
		for _, parent := range []string{top, top + "/a"} {
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
				t.Errorf("%s: got %v in %s, want one directory (%v)", soname, entries, parent, err)
			}
		}
	}
}
