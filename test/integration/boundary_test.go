//go:build integration

package integration

import (
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Runtimes that have loaders (and Mesa) of their own: at the driver boundary their libGL, libEGL and libvulkan are used, and
// behind them the host's drivers.
func TestDriverBoundary(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	for _, boundary := range []string{"driver", "auto"} {
		for _, r := range []string{"full11", "full12", "full13"} {
			t.Run(boundary+"/"+r, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), display: display,
					flags: append([]string{"--boundary", boundary}, bind...)}
				mesa := "Mesa " + mesaVersion(t, l.host)
				for _, argv := range [][]string{{"glxinfo", "-B"}, {dir + "/bin/egl_small"}, {"vulkaninfo"}} {
					l.argv = argv
					if out := l.ok(t).stdout; !strings.Contains(out, mesa) {
						t.Errorf("%s does not say %s:\n%s", argv[0], mesa, tail(out))
					}
				}
				l.argv = []string{"vkcube", "--c", "50"}
				l.ok(t)
				l.argv = []string{dir + "/bin/maps"}
				maps := l.ok(t).stdout
				checkOneLibc(t, maps)
				if !strings.Contains(maps, " /usr/lib/x86_64-linux-gnu/libGLX.so.0") {
					t.Errorf("the runtime's libGLX is not used:\n%s", files(maps, "libGL"))
				}
				if strings.Contains(maps, "/run/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libGLX.so") ||
					!strings.Contains(maps, "/run/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libGLX_mesa.so") {
					t.Errorf("the capsule should hold the vendor's library, not the loader:\n%s", files(maps, "libGL"))
				}
			})
		}
	}
	t.Run("without loaders", func(t *testing.T) {
		l := launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), display: display,
			flags: []string{"--boundary", "driver"}, argv: []string{"glxinfo"}}
		if r := l.run(t); r.status != 125 || !strings.Contains(r.stderr, "the runtime has no libGL.so.1") ||
			!strings.Contains(r.stderr, "hint: ") {
			t.Errorf("exit status %d\n%s", r.status, r.stderr)
		}
		l.flags = []string{"--boundary", "auto"}
		if r := l.run(t); r.status != 0 || !strings.Contains(r.stdout, "llvmpipe") {
			t.Errorf("auto: exit status %d\n%s", r.status, tail(r.both()))
		}
	})
}
