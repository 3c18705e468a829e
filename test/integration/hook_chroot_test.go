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
// by chroot, or the same, by pivot_root. The inner one is
//
//   - overlay: an overlay over LOWER, or
//   - bind: the outer one's own root directory, under another mount.
//
// runc and crun start nothing where the root is no mount. The outer /run is made empty first, so that
// a capsule in it was made by mistake.
const innerMachine = `set -e
kind=$1 how=$2 dir=$3; shift 3
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$dir"
mkdir "$dir/up" "$dir/work" "$dir/root"
root=$dir/root
if [ $kind = bind ]; then
	mount --rbind / "$root"
else
	mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$dir/up,workdir=$dir/work" "$root"
	for d in /sys /dev $BINDS; do mkdir -p "$root$d"; mount --rbind "$d" "$root$d"; done
fi
mount -t proc proc "$root/proc"
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

// inner returns what starts an engine in an inner machine, of this machine's files or of a tree's.
func inner(t *testing.T, kind, how, lower string) []string {
	t.Helper()
	binds := []string{os.TempDir(), filepath.Dir(trees.Tree(t, "host13")), filepath.Dir(binary)}
	return []string{"env", "LOWER=" + lower, "BINDS=" + strings.Join(binds, " "), "unshare", "--mount", "--propagation", "private",
		"sh", "-c", innerMachine, "sh", kind, how, shared(t)}
}

// inContainer is what a container in an inner machine shows of itself.
const inContainer = "ls /run/capsule; vulkaninfo --summary 2>/dev/null | grep driverInfo"

// served complains unless a container has the capsule of a host, and nothing was made around it.
func served(t *testing.T, host string, r result) {
	t.Helper()
	want := "Mesa " + mesaVersion(t, host)
	if r.status != 0 || !strings.Contains(r.stdout, want) || !strings.Contains(r.stdout, "x86_64-linux-gnu\n") ||
		strings.Contains(r.stderr, " OUTSIDE") {
		t.Errorf("exit status %d, want 0, the capsule's directory and %q, and nothing outside\n%s", r.status, want, tail(r.both()))
	}
}

// An engine that is in a chroot, or has left its first root behind: the container has its capsule,
// and the machine around it nothing.
func TestHookEngineInChroot(t *testing.T) {
	needsRoot(t, append(engines, "podman", "pivot_root", "chroot")...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	hooks := filepath.Join(shared(t), "hooks.d")
	outputOf(t, []string{"PATH=/usr/bin:/bin", "HOME=" + home}, installed(t), "hook", "install", "--dir", hooks, "--config", config,
		"--cache", hookCache())
	untouched(t, host, tree, filepath.Dir(config))
	for _, kind := range []string{"overlay", "bind"} {
		for _, how := range []string{"chroot", "pivot"} {
			for _, engine := range engines {
				for _, stage := range []string{"createRuntime", "createContainer"} {
					t.Run(kind+"/"+how+"/"+engine+"/"+stage, func(t *testing.T) {
						uncapsuled(t)
						b := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", inContainer).hook(stage, config, "--gpu=all")
						b.prefix = inner(t, kind, how, "/")
						served(t, host, b.run())
					})
				}
			}
			t.Run(kind+"/"+how+"/podman", func(t *testing.T) {
				uncapsuled(t)
				p := rootOn("vfs", t, hooks)
				p.prefix = inner(t, kind, how, "/")
				served(t, host, p.container("runc", "--annotation", "dev.capsule.gpu=all", "--rootfs", tree+":O", "sh", "-c", inContainer))
			})
		}
	}
}

// dockerRuns starts a daemon, makes an image of a tree, runs a container with all GPUs by CDI, and ends
// the daemon.
const dockerRuns = `set -e
specs=$1 tree=$2 show=$3 cgroup=$4
mkdir -p /var/lib/docker /run/docker-test
mount -t tmpfs tmpfs /var/lib/docker
cd /run/docker-test
echo '{"features": {"cdi": true}, "cdi-spec-dirs": ["'$specs'"]}' > daemon.json
dockerd --config-file daemon.json --bridge none --iptables=false --ip6tables=false --default-ulimit nofile=1024:2048 \
	--cgroup-parent "/$cgroup" > log 2>&1 &
daemon=$!
trap 'status=$?; kill $daemon || true; wait $daemon || true; [ $status = 0 ] || tail -20 log >&2' EXIT
tries=0
until docker info > info 2>&1; do
	kill -0 $daemon && [ $((tries += 1)) -lt 300 ]
	sleep 0.1
done
tar -C "$tree" -c . | docker import - image > /dev/null
docker run --rm --network none --device capsule.dev/gpu=all image sh -c "$show"`

// Docker on a Debian 13 that is entered by chroot and by pivot_root.
func TestHookDocker(t *testing.T) {
	needsRoot(t, "chroot", "pivot_root")
	host, tree, machine := trees.Tree(t, "host13"), trees.Tree(t, "layers11"), trees.Tree(t, "docker13")
	specs := generated(t, host)
	untouched(t, host, tree, machine)
	for _, how := range []string{"chroot", "pivot"} {
		t.Run(how, func(t *testing.T) {
			uncapsuled(t)
			cgroup := "capsule-docker-" + shortID(t)
			t.Cleanup(func() { // which the daemon leaves empty, one in each hierarchy
				for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
					dirs, _ := filepath.Glob(pattern + cgroup)
					for _, dir := range dirs {
						must(t, os.Remove(dir))
					}
				}
			})
			// All that the daemon has started ends with its process namespace.
			argv := append([]string{"unshare", "--pid", "--fork", "--kill-child"}, inner(t, "overlay", how, machine)...)
			served(t, host, inEngine(t, "runc", "/", nil, append(argv, "sh", "-c", dockerRuns, "sh", specs, tree, inContainer, cgroup)...))
		})
	}
}
