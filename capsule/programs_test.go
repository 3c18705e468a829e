package capsule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// A program of the host is shown where the runtime's ld.so would take it; otherwise it is told why not.
func TestPrograms(t *testing.T) {
	needs := func(library string, versions ...string) []dynelf.VersionNeed {
		return []dynelf.VersionNeed{{Library: library, Versions: versions, Weak: make([]bool, len(versions))}}
	}
	for _, c := range []struct {
		name string
		file dynelf.File
		want string // of the warning; empty: it is shown
	}{
		{"fits", dynelf.File{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libc.so.6", "libdl.so.2", "libGL.so.1"},
			VersionNeeds: needs("libc.so.6", "GLIBC_2.2.5")}, ""},
		{"too new", dynelf.File{Needed: []string{"libc.so.6"}, VersionNeeds: needs("libc.so.6", "GLIBC_2.2.5", "GLIBC_2.38")},
			"it needs GLIBC_2.38 of libc.so.6, which is newer than the runtime's"},
		{"a warning of ld.so's only", dynelf.File{Needed: []string{"libc.so.6"},
			VersionNeeds: []dynelf.VersionNeed{{Library: "libc.so.6", Versions: []string{"GLIBC_2.38"}, Weak: []bool{true}}}}, ""},
		{"of NixOS", dynelf.File{Interp: "/nix/store/x/lib/ld-linux-x86-64.so.2"}, "it wants /nix/store/x/lib/ld-linux-x86-64.so.2 as its loader"},
		{"with a library of its own", dynelf.File{Needed: []string{"libown.so.1"}}, "it needs libown.so.1, of which a plan knows nothing"},
		{"with a library that only the capsule has", dynelf.File{Needed: []string{"libdriver.so.2"}}, "it needs libdriver.so.2"},
	} {
		in := input()
		in.Host.Programs = []capsule.HostProgram{{Name: "smi", Path: "/opt/smi", Source: "/host/opt/smi", Reason: "test", File: &c.file}}
		p := mustMakeWhole(t, in)
		const inside = "/usr/lib/capsule/x86_64-linux-gnu/bin/smi"
		shown := slices.ContainsFunc(p.Mounts, func(op mount.Op) bool {
			return op.Target == inside && op.Source == "/host/opt/smi" && op.ReadOnly
		})
		warnings := strings.Join(p.Architectures[0].Warnings, "\n")
		if c.want == "" {
			if !shown || len(p.Architectures[0].Programs) != 1 || !slices.Equal(p.Path, []string{"/usr/lib/capsule/x86_64-linux-gnu/bin"}) ||
				strings.Contains(warnings, "smi") {
				t.Errorf("%s: shown %v, PATH %q, warnings %s", c.name, shown, p.Path, warnings)
			}
		} else if shown || len(p.Path) != 0 || !strings.Contains(warnings, "smi is left out: "+c.want) {
			t.Errorf("%s: shown %v, PATH %q, warnings %s", c.name, shown, p.Path, warnings)
		}
	}
}
