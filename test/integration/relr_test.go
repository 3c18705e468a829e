//go:build integration

package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/test/trees"
)

// A host library with DT_RELR and a marked PLT works on a glibc that knows no such thing: as a copy, the host's file is
// untouched.
func TestRELR(t *testing.T) {
	_, bind := probes(t)
	host := trees.HostWithTestLib(t)
	for r, copied := range map[string]bool{"runtime11": true, "runtime12": false, "runtime13": false} {
		t.Run(r, func(t *testing.T) {
			relr(t, launch{runtime: trees.Tree(t, r), host: host, flags: bind}, "x86_64-linux-gnu", copied)
		})
	}
	t.Run("runtime11i386", func(t *testing.T) { // its relocations are DT_REL
		_, bind := probesI386(t)
		l := launch{runtime: trees.Tree(t, "runtime11i386"), host: trees.HostWithTestLibI386(t), flags: bind}
		relr(t, l, "i386-linux-gnu", true)
	})
	t.Run("runtime11arm64", func(t *testing.T) {
		l := onAArch64(t)
		l.host = trees.HostWithTestLibArm64(t)
		relr(t, l, "aarch64-linux-gnu", true)
	})
}

func relr(t *testing.T, l launch, triplet string, copied bool) {
	const library = "libcapsuletest-relr.so"
	file := filepath.Join(l.host, "usr/local/lib", library)
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dynelf.Read(bytes.NewReader(original), int64(len(original)))
	marked := triplet == "x86_64-linux-gnu"
	if err != nil || !f.HasRELR || f.MarksPLT != marked {
		t.Fatalf("the test's library has no DT_RELR or no marked PLT: %+v, %v", f, err)
	}
	p, _ := planOf(t, l.runtime, l.host, "--library", library)
	for _, lib := range p.Architectures[0].Libraries {
		if lib.Soname == library && lib.Side == "host" && (strings.Contains(lib.Reason, "DT_RELR") != copied ||
			strings.Contains(lib.Reason, "mark-plt") != (copied && marked)) {
			t.Errorf("the plan's reason: %s", lib.Reason)
		}
	}
	l.flags = append([]string{"--library", library, "--bind", filepath.Dir(file) + ":/original:ro"}, l.flags...)
	l.argv = []string{"/probes/bin/dl_call", library, "ct_relr"}
	if out := l.emulated(t).ok(t).stdout; out != "ct_relr 0\n" {
		t.Errorf("the library says %q", out)
	}
	if emulating(t, l.runtime) {
		return // its container has no cmp
	}
	l.argv = []string{"cmp", "/usr/lib/capsule/" + triplet + "/host/usr/local/lib/" + library, "/original/" + library}
	if same := l.run(t).status == 0; same == copied {
		t.Errorf("the container has the host's file: %v", same)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, original) {
		t.Errorf("the host's file has changed (%v)", err)
	}
}
