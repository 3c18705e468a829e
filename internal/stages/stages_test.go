package stages

import (
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// Whoever has the runtime of another machine is not told to install drivers.
func TestNoStack(t *testing.T) {
	for _, c := range []struct {
		of     *arch.Arch
		goarch string
		want   string
	}{
		{arch.AArch64, "amd64", "the runtime is for aarch64, and this machine is x86_64: get the runtime for this one (podman pull --arch amd64)"},
		{arch.X8664, "arm64", "the runtime is for x86_64, and this machine is aarch64: get "},
		{arch.X8664, "amd64", "install"}, {arch.I386, "amd64", "install"}, {arch.AArch64, "arm64", "install"}, {arch.X8664, "riscv64", "install"},
	} {
		if got := noStack(c.of, c.goarch, "install"); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s on %s: %s", c.of.Name, c.goarch, got)
		}
	}
}
