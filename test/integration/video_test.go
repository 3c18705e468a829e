//go:build integration

package integration

import (
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// video runs a program natively on the host and in capsules, and wants the same words and exit status: Debian 11's in a
// runtime with no library of the API, and Debian 13's with its own, which gets stubs for the drivers. drivers says what is
// heard of each that variable may name, natively; the empty one leaves the variable alone.
func video(t *testing.T, api, program, variable string, host string, drivers map[string]string) {
	display := xvfb.Start(t)
	old := trees.Tree(t, "full11compute")
	for _, c := range []struct{ runtime, boundary, native string }{
		{"runtime11compute", "frontend", "/mnt/usr/bin/"},
		{"host13compute", "driver", "/usr/bin/"},
	} {
		for driver, want := range drivers {
			t.Run(c.boundary+"/"+driver, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, c.runtime), host: host, display: display, argv: []string{program},
					flags: []string{"--boundary", api + "=" + c.boundary}, env: []string{"XDG_RUNTIME_DIR=" + t.TempDir()}}
				if driver != "" {
					l.env = append(l.env, variable+"="+driver)
				}
				native := natively(t, host, old, append(l.env, display.Env()...), c.native+program)
				if !strings.Contains(native.both(), want) {
					t.Fatalf("%s natively does not say %q:\n%s", program, want, native.both())
				}
				got := l.run(t)
				if c.boundary == "driver" { // the directory that the runtime's loader has been told
					got.stderr = strings.ReplaceAll(got.stderr, "/usr/lib/capsule/x86_64-linux-gnu/lib/", "/usr/lib/x86_64-linux-gnu/")
				}
				if got != native {
					t.Errorf("natively, exit status %d:\n%s\nin the capsule, exit status %d:\n%s", native.status, native.both(),
						got.status, got.both())
				}
			})
		}
	}
}

// vainfo without a driver, with Mesa's, which want a GPU, and with one that does not.
func TestVAInfo(t *testing.T) {
	video(t, "VA-API", "vainfo", "LIBVA_DRIVER_NAME", trees.ComputeHost(t), map[string]string{"": "vaInitialize failed",
		"radeonsi": "radeonsi_drv_video.so init failed", "none": "none_drv_video.so", "capsuletest": "VAEntrypointEncPicture"})
}

// vdpauinfo without a driver, with Mesa's, which want a GPU, and with one on top of OpenGL.
func TestVDPAUInfo(t *testing.T) {
	video(t, "VDPAU", "vdpauinfo", "VDPAU_DRIVER", trees.Tree(t, "host13compute"), map[string]string{"": "libvdpau_nvidia.so",
		"radeonsi": "Error creating VDPAU device: 23", "va_gl": "OpenGL/VAAPI backend"})
}
