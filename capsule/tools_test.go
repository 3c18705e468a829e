package capsule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/mount"
)

func TestTools(t *testing.T) {
	in := input()
	file := func(path string) capsule.DataFile { return capsule.DataFile{Path: path, Source: "/host" + path} }
	in.Host.Links = []capsule.HostLink{{From: "/bin", To: "/usr/bin"}}
	in.Host.Tools = []capsule.HostTool{{Path: "/bin/ld", Reason: "links", File: file("/usr/bin/ld.it's"), Loader: file("/lib64/ld.so.2"),
		Libraries: []capsule.DataFile{file("/usr/lib/libbfd.so"), file("/usr/lib/libc.so.6"), file("/lib64/libz.so.1")},
		Files:     []capsule.DataFile{file("/usr/lib/libm.so"), file("/usr/lib/libc.so.6")},
		Arguments: []string{"--sysroot=$ROOT", "a b"}, DirectoryArgument: "-L="}}
	whole := mustMakeWhole(t, in)
	p := whole.Architectures[0]
	const root = "/usr/lib/capsule/x86_64-linux-gnu/root"
	const want = "ROOT=${0%'/tools/bin/ld'}/root\nunset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT\nexec \"$ROOT\"'/lib64/ld.so.2' --inhibit-cache " +
		`--library-path "$ROOT"'/usr/lib':"$ROOT"'/lib64' "$ROOT"'/usr/bin/ld.it'\''s' "$@" '--sysroot='"$ROOT" 'a b' '-L=/usr/lib'` + "\n"
	for _, g := range p.Artefacts().Generated {
		script := string(g.Text)
		if g.File != "x86_64-linux-gnu/tools/bin/ld" || !strings.HasPrefix(script, "#!/bin/sh\n") || !strings.HasSuffix(script, want) {
			t.Errorf("%s is\n%s\nand should end with\n%s", g.File, script, want)
		}
	}
	if n := len(p.Artefacts().Generated); n != 1 {
		t.Errorf("%d generated files", n)
	}
	if !slices.ContainsFunc(p.PathMap, func(m capsule.PathMap) bool {
		return m.From == "/usr/bin/ld" && m.To == "/usr/lib/capsule/x86_64-linux-gnu/tools/bin/ld"
	}) {
		t.Errorf("paths %v", p.PathMap)
	}
	var below []string
	for _, op := range whole.Mounts {
		if rest, ok := strings.CutPrefix(op.Target, root); ok {
			below = append(below, rest)
			if op.Source != "/host"+rest || !op.ReadOnly || op.Kind != mount.Bind {
				t.Errorf("%+v", op)
			}
		}
	}
	if !slices.Equal(below, []string{"/usr/bin/ld.it's", "/lib64/ld.so.2", "/usr/lib/libbfd.so", "/usr/lib/libc.so.6", "/lib64/libz.so.1",
		"/usr/lib/libm.so"}) {
		t.Errorf("mounts %q", below)
	}
	for _, l := range p.Libraries { // not in the capsule
		if l.Soname == "libbfd.so" {
			t.Errorf("%+v", l)
		}
	}
	if len(p.Tools) != 1 || p.Tools[0].Inside != "/usr/lib/capsule/x86_64-linux-gnu/tools/bin/ld" || len(p.Tools[0].Libraries) != 3 {
		t.Errorf("%+v", p.Tools)
	}
}
