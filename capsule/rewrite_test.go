package capsule_test

import (
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// A library with DT_RELR, or with marks in its PLT, is copied for an ld.so that knows neither, and only for that.
func TestRewritten(t *testing.T) {
	for _, c := range []struct {
		libc   string
		copied bool
	}{{"2.31", true}, {"2.35", true}, {"2.36", false}, {"2.41", false}} {
		in := input()
		in.Runtime.LibcVersion = c.libc
		in.Host.Libraries[3].File.HasRELR = true
		in.Host.Libraries[3].File.MarksPLT = true
		whole := mustMakeWhole(t, in)
		p := whole.Architectures[0]
		var reason, source string
		for _, l := range p.Libraries {
			if l.Soname == "libdriver.so.2" {
				reason = l.Reason
			}
		}
		for _, m := range capsule.PlaceMounts(whole.Mounts, "/build") {
			if m.Target == "/usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/libdriver.so.2.0" {
				source = m.Source
			}
		}
		want := "/host/usr/lib/libdriver.so.2.0"
		if c.copied {
			want = "/build/x86_64-linux-gnu/rewritten/usr/lib/libdriver.so.2.0"
		}
		if n := len(p.Artefacts().Rewritten); source != want || (n == 1) != c.copied ||
			strings.Contains(reason, "DT_RELR") != c.copied || strings.Contains(reason, "mark-plt") != c.copied {
			t.Errorf("glibc %s: %d copies, mounted from %s, because %s", c.libc, n, source, reason)
		}
	}
}

// What ld.so must be able to do beyond relocations is told by name where the runtime's does not promise it.
func TestWarnsOfABI(t *testing.T) {
	in := input()
	in.Host.Libraries[3].File.VersionNeeds = []dynelf.VersionNeed{
		{Library: "libc.so.6", Versions: []string{"GLIBC_2.2.5", "GLIBC_ABI_DT_RELR", "GLIBC_ABI_GNU2_TLS"}}}
	if w := strings.Join(mustMake(t, in).Warnings, "\n"); !strings.Contains(w, "libdriver.so.2 wants GLIBC_ABI_GNU2_TLS") ||
		strings.Contains(w, "GLIBC_ABI_DT_RELR") {
		t.Errorf("warnings:\n%s", w)
	}
	libc := in.Runtime.Libraries["libc.so.6"]
	libc.File.VersionDefs = append(libc.File.VersionDefs, defs("GLIBC_ABI_GNU2_TLS")...)
	if w := strings.Join(mustMake(t, in).Warnings, "\n"); strings.Contains(w, "GNU2_TLS") {
		t.Errorf("the runtime has it:\n%s", w)
	}
}
