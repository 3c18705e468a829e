//go:build integration

package integration

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// CUDA and NVML, which no image has, say in a container what they say on the host, by a hook in the bundle and by hooks.d.
func TestHookNVIDIA(t *testing.T) {
	needsPodman(t)
	n := newNVIDIA(t, "runtime11")
	config := hookConfig(t, n.host)
	hooks := filepath.Join(shared(t), "hooks.d")
	outputOf(t, []string{"PATH=/usr/bin:/bin", "HOME=" + home}, installed(t), "hook", "install", "--dir", hooks, "--config", config, "--cache", hookCache())
	p := asRoot(t, hooks)
	for program, want := range map[string]string{"cuda": "cuInit: 100 CUDA_ERROR_NO_DEVICE", "nvml": "nvmlInit_v2: 9: Driver Not Loaded"} {
		native := n.natively("/gpu/" + program)
		if !strings.Contains(native, want) {
			t.Fatalf("natively %s says:\n%s", program, native)
		}
		// As trees.Enter and finish have it: both streams, no times, no exit status.
		native = withoutTimes(native[:strings.LastIndex(native, "exit status")])
		for name, tree := range hookTrees(t) {
			for _, engine := range engines {
				t.Run(program+"/"+name+"/"+engine, func(t *testing.T) {
					b := newBundle(t, engine, writableRoot(t, tree), "/gpu/bin/"+program)
					b.spec.Process.User = specs.User{UID: 65534, GID: 65534}
					b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/gpu", Type: "bind", Source: n.dir, Options: []string{"rbind", "ro"}})
					r := b.hook("createRuntime", config, "--gpu=all").run()
					if got := withoutTimes(r.both()); got != native {
						t.Errorf("natively:\n%s\nin the container (exit status %d):\n%s", native, r.status, got)
					}
					r = p.container(engine, "--annotation", "dev.capsule.gpu=all", "--user", "65534:65534", "-v", n.dir+":/gpu:ro", "--rootfs", tree+":O", "/gpu/bin/"+program)
					if got := withoutTimes(r.both()); got != native {
						t.Errorf("natively:\n%s\nby podman (exit status %d):\n%s", native, r.status, got)
					}
				})
			}
		}
	}
}

func withoutTimes(s string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(s, "\n"), func(l string) bool { return strings.HasPrefix(l, "time ") })
	return strings.Join(lines, "")
}
