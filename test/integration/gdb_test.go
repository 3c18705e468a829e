//go:build integration

package integration

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// gdb sees the capsule's libraries with their symbols, also with a glibc (2.31) that does not tell it of namespaces.
func TestGDB(t *testing.T) {
	display := xvfb.Start(t)
	for _, r := range []string{"runtime11", "runtime13", "runtime11i386"} {
		t.Run(r, func(t *testing.T) {
			dir, bind := probes(t)
			triplet := "x86_64-linux-gnu"
			if bits(r) != "" {
				dir, bind = probesI386(t)
				triplet = "i386-linux-gnu"
			}
			l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"+bits(r)), display: display, flags: bind,
				argv: []string{dir + "/bin/frames", "1000000"}}
			ctx, cancel := context.WithCancel(t.Context())
			cmd := l.command(ctx)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); cmd.Wait() }()
			var pid string
			if err := waitFor(20*time.Second, func() error {
				pids := children(t, cmd.Process.Pid)
				if len(pids) != 1 {
					return fmt.Errorf("%d children", len(pids))
				}
				pid = pids[0]
				if maps := readFile(t, "/proc/"+pid+"/maps"); !strings.Contains(maps, "libgallium") {
					return fmt.Errorf("the driver is not loaded yet")
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "gdb", "-nx", "-batch", "-p", pid, "-ex", "source ../../cshim/gdb/capsule.py",
				"-ex", "capsule-libraries", "-ex", "capsule-symbols", "-ex", "info address glXGetClientString",
				"-ex", "detach").CombinedOutput()
			if err != nil {
				t.Fatalf("gdb: %v\n%s", err, tail(string(out)))
			}
			for _, want := range []string{"/usr/lib/capsule/" + triplet + "/lib/libcapsule-root.so", "/host/usr/lib/" + triplet + "/libGLX_mesa.so.0.0.0",
				"/proxy/libc.so.6", `Symbol "glXGetClientString" is`} {
				if !strings.Contains(string(out), want) {
					t.Errorf("gdb does not say %q:\n%s", want, tail(string(out)))
				}
			}
		})
	}
}
