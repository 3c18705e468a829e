//go:build integration

package integration

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/capsule-run/capsule-run/test/trees"
)

// withLog runs a command with a /dev/log at which the test listens: $1 is a directory with the socket.
const withLog = `set -e
mkdir "$1/dev"; mount -t tmpfs -o mode=755 tmpfs "$1/dev"; cp -a --one-file-system /dev/. "$1/dev/"
for d in pts shm; do mount --rbind "/dev/$d" "$1/dev/$d"; done
ln -sf "$1/log" "$1/dev/log"; mount --rbind "$1/dev" /dev
shift; exec "$@"`

// Why a container did not start is found at the place that docs/podman.md names, whatever engine calls the hook at whatever
// stage.
func TestHookReason(t *testing.T) {
	needsPodman(t)
	host, musl := trees.Tree(t, "host13"), trees.Tree(t, "musl")
	config := hookConfig(t, host)
	const reason, hint = "built on musl, not on glibc", "the host's driver needs glibc"
	has := func(text string) bool { return strings.Contains(text, reason) && strings.Contains(text, hint) }
	for _, engine := range engines {
		for _, stage := range []string{"createRuntime", "createContainer"} {
			for _, how := range []string{"alone", "podman", "user namespace"} {
				if how == "user namespace" && stage == "createRuntime" {
					continue // it is root there
				}
				t.Run(engine+"/"+stage+"/"+how, func(t *testing.T) {
					dir, cache := shared(t), shared(t)
					socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/log"})
					must(t, err)
					defer socket.Close()
					must(t, os.Chmod(dir+"/log", 0o666))
					var r result
					if how == "podman" {
						hooks := filepath.Join(shared(t), "hooks.d")
						outputOf(t, []string{"PATH=/usr/bin:/bin", "HOME=" + home}, installed(t), "hook", "install", "--dir", hooks, "--stage", stage,
							"--config", config, "--cache", cache)
						p := asRoot(t, hooks)
						p.prefix = []string{"unshare", "--mount", "--propagation", "slave", "sh", "-c", withLog, "sh", dir}
						r = p.container(engine, "--annotation", "dev.capsule.gpu=all", "--rootfs", musl+":O", "true")
					} else {
						root := writableRoot(t, musl)
						b := newBundle(t, engine, root, "true").hook(stage, config, "--gpu=all").withCache(cache)
						if how == "user namespace" { // in which the engine may make no mount points
							for _, hooks := range [][]specs.Hook{b.spec.Hooks.CreateRuntime, b.spec.Hooks.CreateContainer} {
								for i := range hooks {
									hooks[i].Args = without(hooks[i].Args, "--cache="+cache)
								}
							}
							for _, m := range b.inUserNamespace().spec.Mounts {
								must(t, os.MkdirAll(root+m.Destination, 0o755))
							}
						}
						b.prefix = []string{"unshare", "--mount", "--propagation", "slave", "sh", "-c", withLog, "sh", dir}
						r = b.run()
					}
					if r.status == 0 {
						t.Fatal("the container started")
					}
					log, _ := os.ReadFile(filepath.Join(cache, "hook.log"))
					must(t, socket.SetReadDeadline(time.Now().Add(10*time.Second)))
					buffer := make([]byte, 4096)
					n, err := socket.Read(buffer)
					if !has(string(buffer[:n])) {
						t.Errorf("the system's log: %q, %v", buffer[:n], err)
					}
					// A user of the container's can write to no file outside.
					if outside := how != "user namespace"; has(string(log)) != outside {
						t.Errorf("hook.log: %q", log)
					}
					if has(r.stderr) != (engine == "runc") {
						t.Errorf("standard error: %s", r.stderr)
					}
				})
			}
		}
	}
}
