package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/setup"
	"github.com/capsule-run/capsule-run/test/trees"
)

// measureHook starts containers that do nothing, without and with the hook: by runc alone and by Podman, with a cache that
// is filled and with an empty one.
func measureHook(ctx context.Context, b *bench) ([]figure, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("needs root")
	}
	tree, err := trees.Get(ctx, "runtime11")
	if err != nil {
		return nil, err
	}
	host, err := trees.Get(ctx, "host13")
	if err != nil {
		return nil, err
	}
	h, err := newHookBench(b, tree, host)
	if err != nil {
		return nil, err
	}
	defer h.close()
	var figures []figure
	for _, engine := range []struct {
		name, text string
		argv       func(bundle bool) []string
		dir        func(hook bool) string
	}{
		{"runc run", "runc", h.runc, h.bundle},
		{"podman run", "podman", h.podman, func(bool) string { return b.dir }},
	} {
		side := func(hook bool, cold bool) sampler {
			return func(ctx context.Context) (sample, error) {
				if cold {
					if err := os.RemoveAll(h.cache); err != nil {
						return nil, err
					}
				}
				argv := engine.argv(hook)
				cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
				cmd.Dir = engine.dir(hook)
				return timed(cmd)
			}
		}
		got, err := alternate(ctx, b.count(15), side(false, false), side(true, false))
		if err != nil {
			return figures, fmt.Errorf("%s: %w", engine.name, err)
		}
		figures = append(figures, figure{Name: engine.name + " … true with the hook, warm", Unit: "ms", Against: engine.text + " without it",
			Compare: difference, Reference: column(got[0], "ms"), Capsule: column(got[1], "ms"), target: moreAtMost(40, "ms")})
		if got, err = alternate(ctx, b.count(7), side(false, false), side(true, true)); err != nil {
			return figures, fmt.Errorf("%s: %w", engine.name, err)
		}
		figures = append(figures, figure{Name: engine.name + " … true with the hook, cold", Unit: "ms", Against: engine.text + " without it",
			Compare: difference, Reference: column(got[0], "ms"), Capsule: column(got[1], "ms")})
	}
	return figures, nil
}

// hookBench is two bundles with one root, and a directory of hooks.
type hookBench struct {
	b                       *bench
	tree, dir, hooks, cache string
	entry                   setup.Entry
	mounted                 bool
	with, without           string
}

func newHookBench(b *bench, tree, host string) (*hookBench, error) {
	h := &hookBench{b: b, tree: tree, dir: filepath.Join(b.dir, "hook")}
	h.hooks, h.cache = filepath.Join(h.dir, "hooks.d"), filepath.Join(h.dir, "cache")
	h.with, h.without = filepath.Join(h.dir, "with"), filepath.Join(h.dir, "without")
	for _, d := range []string{h.with, h.without, h.dir + "/root", h.dir + "/up", h.dir + "/work"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	program, err := filepath.Abs("bin/capsule-hook")
	if err != nil {
		return nil, err
	}
	h.entry = setup.Entry{Binary: program, Stage: "createRuntime", GPU: "all", Host: host, Cache: h.cache}
	text, err := h.entry.File(setup.WhenAnnotation)
	if err == nil {
		err = setup.Install(h.hooks, text)
	}
	if err == nil {
		err = unix.Mount("overlay", h.dir+"/root", "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s/up,workdir=%s/work", tree, h.dir, h.dir))
	}
	if err != nil {
		return nil, err
	}
	h.mounted = true
	for dir, edits := range map[string]*setup.Edits{h.without: nil, h.with: {Entry: h.entry}} {
		if err := h.write(dir, edits); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

func (h *hookBench) write(dir string, edits *setup.Edits) error {
	cmd := exec.Command("runc", "spec")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("runc spec: %w: %s", err, out)
	}
	name := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(name)
	var spec specs.Spec
	if err == nil {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil {
		return err
	}
	spec.Root = &specs.Root{Path: h.dir + "/root"}
	spec.Process.Terminal, spec.Process.Args = false, []string{"true"}
	if text, err = json.Marshal(spec); err != nil {
		return err
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return err
	}
	if edits != nil {
		_, err = setup.Inject(name, *edits)
	}
	return err
}

func (h *hookBench) close() {
	if h.mounted {
		_ = unix.Unmount(h.dir+"/root", 0)
	}
}

func (h *hookBench) bundle(hook bool) string {
	if hook {
		return h.with
	}
	return h.without
}

func (h *hookBench) runc(bool) []string {
	return []string{"runc", "run", "bench-" + filepath.Base(h.b.dir)}
}

func (h *hookBench) podman(hook bool) []string {
	argv := []string{"podman", "--root", h.dir + "/storage", "--runroot", h.dir + "/run", "--hooks-dir", h.hooks, "--runtime", "runc",
		"run", "--rm", "--network", "none", "--ulimit", "nofile=1024:2048", "--ulimit", "nproc=1024:2048"}
	if hook {
		argv = append(argv, "--annotation", "dev.capsule.gpu=all")
	}
	return append(argv, "--rootfs", h.tree+":O", "true")
}
