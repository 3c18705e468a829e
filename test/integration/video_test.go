//go:build integration

package integration

import (
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// sameAsNative runs a program of Debian 11 natively on the host and in capsules, and wants the same words and exit status.
func sameAsNative(t *testing.T, l launch, want string) {
	t.Helper()
	program := l.argv[0]
	full := trees.Tree(t, "full11compute")
	native := natively(t, l.host, full, append(l.env, l.display.Env()...), append([]string{"/mnt/usr/bin/" + program}, l.argv[1:]...)...)
	if !strings.Contains(native.both(), want) {
		t.Fatalf("%s natively does not say %q:\n%s", program, want, native.both())
	}
	if got := l.run(t); got != native {
		t.Errorf("natively, exit status %d:\n%s\nin the capsule, exit status %d:\n%s", native.status, native.both(), got.status, got.both())
	}
}

// vainfo without a driver, with Mesa's, which want a GPU, and with one that does not.
func TestVAInfo(t *testing.T) {
	l := launch{runtime: trees.Tree(t, "runtime11compute"), host: trees.ComputeHost(t), display: xvfb.Start(t), argv: []string{"vainfo"}}
	for driver, want := range map[string]string{"": "vaInitialize failed", "radeonsi": "radeonsi_drv_video.so init failed",
		"none": "none_drv_video.so", "capsuletest": "VAEntrypointEncPicture"} {
		t.Run(driver, func(t *testing.T) {
			l := l
			l.env = []string{"XDG_RUNTIME_DIR=" + t.TempDir(), "LIBVA_DRIVER_NAME=" + driver}
			if driver == "" {
				l.env = l.env[:1]
			}
			sameAsNative(t, l, want)
		})
	}
}

// vdpauinfo without a driver, with Mesa's, which want a GPU, and with one on top of OpenGL.
func TestVDPAUInfo(t *testing.T) {
	l := launch{runtime: trees.Tree(t, "runtime11compute"), host: trees.Tree(t, "host13compute"), display: xvfb.Start(t),
		argv: []string{"vdpauinfo"}}
	for driver, want := range map[string]string{"": "libvdpau_nvidia.so", "radeonsi": "Error creating VDPAU device: 23",
		"va_gl": "OpenGL/VAAPI backend"} {
		t.Run(driver, func(t *testing.T) {
			l := l
			l.env = []string{"XDG_RUNTIME_DIR=" + t.TempDir(), "VDPAU_DRIVER=" + driver}
			if driver == "" {
				l.env = l.env[:1]
			}
			sameAsNative(t, l, want)
		})
	}
}
