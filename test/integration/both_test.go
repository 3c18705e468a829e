//go:build integration

package integration

import (
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// One run, one runtime of two architectures: a 64-bit shell starts a 64-bit and a 32-bit program, and each has the host's
// Mesa of its own architecture.
func TestBothArchitecturesInOneRun(t *testing.T) {
	probes64, probes32 := trees.Probes(t), trees.ProbesI386(t)
	display := xvfb.Start(t)
	l := launch{runtime: trees.Tree(t, "runtime11both"), host: trees.Tree(t, "host13both"), display: display,
		flags: []string{"--bind", probes64 + ":/probes64:ro", "--bind", probes32 + ":/probes32:ro"},
		argv: []string{"sh", "-ec", `glxinfo -B; for p in /probes64 /probes32; do
			$p/bin/maps >/tmp/maps.$$; grep -c /usr/lib/capsule/ /tmp/maps.$$; cat /tmp/maps.$$; rm /tmp/maps.$$; done`}}
	out := l.ok(t).stdout
	for _, want := range []string{"OpenGL renderer string: llvmpipe",
		"/usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libgallium-25",
		"/usr/lib/capsule/i386-linux-gnu/host/usr/lib/i386-linux-gnu/libgallium-25",
		"/usr/lib/capsule/x86_64-linux-gnu/proxy/libc.so.6", "/usr/lib/capsule/i386-linux-gnu/proxy/libc.so.6"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, tail(out))
		}
	}
	p, _ := planOf(t, l.runtime, l.host)
	if len(p.Architectures) != 2 || p.Architectures[0].Arch != "x86_64" || p.Architectures[1].Arch != "i386" {
		t.Errorf("architectures of the plan: %d", len(p.Architectures))
	}
	// A host without a 32-bit stack: 64-bit programs run as ever.
	l.host, l.argv = trees.Tree(t, "host13"), []string{"glxinfo", "-B"}
	if out := l.ok(t).stdout; !strings.Contains(out, "llvmpipe") {
		t.Errorf("on a 64-bit host:\n%s", tail(out))
	}
}
