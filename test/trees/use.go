package trees

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Tree returns the root of the named tree for a test. Without mmdebstrap or a mirror the test is skipped, or, if
// CAPSULE_MUST_WORK=1, fails.
func Tree(t testing.TB, name string) string {
	t.Helper()
	return use(t, func(ctx context.Context) (string, error) { return Get(ctx, name) })
}

// Directories of compiled programs, and of hosts with something more, for a test: see the function of the name Build…
func Probes(t testing.TB) string              { t.Helper(); return use(t, BuildProbes) }
func ProbesI386(t testing.TB) string          { t.Helper(); return use(t, BuildProbesI386) }
func ProbesArm64(t testing.TB) string         { t.Helper(); return use(t, BuildProbesArm64) }
func GPUProbes(t testing.TB) string           { t.Helper(); return use(t, BuildGPUProbes) }
func GPUProbesI386(t testing.TB) string       { t.Helper(); return use(t, BuildGPUProbesI386) }
func ComputeProbes(t testing.TB) string       { t.Helper(); return use(t, BuildComputeProbes) }
func ComputeHost(t testing.TB) string         { t.Helper(); return use(t, BuildComputeHost) }
func HostWithTestLib(t testing.TB) string     { t.Helper(); return use(t, BuildHostWithTestLib) }
func HostWithTestLibI386(t testing.TB) string { t.Helper(); return use(t, BuildHostWithTestLibI386) }
func HostWithTestLibArm64(t testing.TB) string {
	t.Helper()
	return use(t, BuildHostWithTestLibArm64)
}

func use(t testing.TB, make func(context.Context) (string, error)) string {
	t.Helper()
	dir, err := make(t.Context())
	if err == nil {
		return dir
	}
	if os.Getenv("CAPSULE_MUST_WORK") == "1" {
		t.Fatal(err)
	}
	t.Skip("cannot make a file tree:", err)
	return ""
}

// Enter returns a command that runs in a tree by itself, the reference which a capsule is compared with: natively, or by
// qemu-user (see emulation). The tree is read-only, /tmp is the machine's (X11 sockets are there), and dir, if not empty, is seen as /mnt. env is the
// whole environment besides PATH and HOME.
func Enter(ctx context.Context, root, dir string, env []string, command ...string) *exec.Cmd {
	args := []string{"--unshare-pid", "--die-with-parent", "--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev",
		"--ro-bind", "/sys", "/sys", "--bind", "/tmp", "/tmp"}
	if dir != "" {
		args = append(args, "--ro-bind", dir, "/mnt")
	}
	emulator, err := emulate(root)
	if err != nil {
		command = []string{Emulator + ": not found"} // says so when it is run
	} else {
		args, command = append(args, emulator.bind...), append(emulator.command, command...)
	}
	// By arguments, not by bwrap's own environment: LD_PRELOAD and the like are for the command alone.
	args = append(args, "--clearenv")
	for _, v := range append([]string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "HOME=/tmp"}, env...) {
		name, value, _ := strings.Cut(v, "=")
		args = append(args, "--setenv", name, value)
	}
	return exec.CommandContext(ctx, "bwrap", append(append(args, "--"), command...)...)
}
