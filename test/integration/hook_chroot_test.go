//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// A machine in a machine: the engine's root directory is another than that of its mount namespace,
// by chroot, or the same, by pivot_root. The inner one is an overlay over the outer one's files, or
// the outer one's directory itself, under another mount. The outer /run is made empty first, so
// that all that is then in it was made by mistake.
const innerMachine = `set -e
kind=$1 how=$2 dir=$3; shift 3
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$dir"
mkdir "$dir/up" "$dir/work" "$dir/root"
root=$dir/root
if [ $kind = overlay ]; then
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/up,workdir=$dir/work" "$root"
	for d in /proc /sys /dev "${TMPDIR:-/tmp}" "$TREES"; do mount --rbind "$d" "$root$d"; done
else
	mount --rbind / "$root"
fi
mount -t tmpfs tmpfs "$root/run"
if [ $how = chroot ]; then
	chroot "$root" sh -c 'cd "$0" && exec "$@"' "$PWD" "$@" || status=$?
	if [ -e /run/capsule ]; then echo "MADE OUTSIDE"; fi >&2
	if grep -e ' /run/capsule' -e ' - tmpfs capsule-run ' /proc/self/mountinfo; then echo "MOUNTED OUTSIDE"; fi >&2
	exit ${status:-0}
fi
here=$PWD
cd "$root"
mkdir run/old
pivot_root . run/old
cd "$here"
umount -l /run/old
exec "$@"`

// inner returns what starts an engine in an inner machine.
func inner(t *testing.T, kind, how string) []string {
	t.Helper()
	trees := filepath.Dir(trees.Tree(t, "host13"))
	return []string{"env", "TREES=" + trees, "TMPDIR=" + os.TempDir(), "unshare", "--mount", "--propagation", "private", "sh", "-c", innerMachine, "sh",
		kind, how, shared(t)}
}

// An engine that is in a chroot, or has left its first root behind: the container has its capsule,
// and the machine around it nothing.
func TestHookEngineInChroot(t *testing.T) {
	needsRoot(t, append(engines, "podman", "pivot_root", "chroot")...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, want := hookConfig(t, host), "Mesa "+mesaVersion(t, host)
	const show = "ls /run/capsule; vulkaninfo --summary 2>/dev/null | grep driverInfo"
	hooks := filepath.Join(shared(t), "hooks.d")
	outputOf(t, []string{"PATH=/usr/bin:/bin", "HOME=" + home}, installed(t), "hook", "install", "--dir", hooks, "--config", config,
		"--cache", hookCache())
	untouched(t, host, tree, filepath.Dir(config))
	for _, kind := range []string{"overlay", "bind"} {
		for _, how := range []string{"chroot", "pivot"} {
			judge := func(t *testing.T, r result) {
				t.Helper()
				if r.status != 0 || !strings.Contains(r.stdout, want) || !strings.Contains(r.stdout, "x86_64-linux-gnu\n") ||
					strings.Contains(r.stderr, " OUTSIDE") {
					t.Errorf("exit status %d, want 0, the capsule's directory and %q, and nothing outside\n%s", r.status, want, tail(r.both()))
				}
			}
			for _, engine := range engines {
				for _, stage := range []string{"createRuntime", "createContainer"} {
					t.Run(kind+"/"+how+"/"+engine+"/"+stage, func(t *testing.T) {
						uncapsuled(t)
						b := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", show).hook(stage, config, "--gpu=all")
						b.prefix = inner(t, kind, how)
						judge(t, b.run())
					})
				}
			}
			t.Run(kind+"/"+how+"/podman", func(t *testing.T) {
				uncapsuled(t)
				p := rootOn("vfs", t, hooks)
				p.prefix = inner(t, kind, how)
				judge(t, p.container("runc", "--annotation", "dev.capsule.gpu=all", "--rootfs", tree+":O", "sh", "-c", show))
			})
		}
	}
}
