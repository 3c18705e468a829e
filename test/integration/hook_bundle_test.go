//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// drivers shows what GL and Vulkan run on.
const drivers = "glxinfo -B | grep -v -i memory && vulkaninfo --summary 2>/dev/null | grep -A 12 ^Devices"

// Debian 11 and 12 images see exactly what the launcher shows them, at each stage, with each engine.
func TestHookBundles(t *testing.T) {
	needsRoot(t, engines...)
	host, display := trees.Tree(t, "host13"), xvfb.Start(t)
	config := hookConfig(t, host)
	for name, tree := range hookTrees(t) {
		want := reference(t, tree, host, display, "sh", "-c", drivers)
		if !strings.Contains(want, "Mesa "+mesaVersion(t, host)) {
			t.Fatalf("the reference is not the host's Mesa:\n%s", want)
		}
		untouched(t, host, tree)
		for _, engine := range engines {
			for _, stage := range []string{"createRuntime", "createContainer", "prestart"} {
				t.Run(name+"/"+engine+"/"+stage, func(t *testing.T) {
					uncapsuled(t)
					b := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", drivers).show(display)
					got := b.hook(stage, config, "--gpu=all").ok().stdout
					if got != want {
						t.Errorf("in the container:\n%s\nby the launcher:\n%s", got, want)
					}
				})
			}
		}
	}
}

// A bundle as somebody has it, with hook inject; twice is once. The engine's own environment does not reach the hook.
func TestHookInject(t *testing.T) {
	needsRoot(t, engines...)
	host, display, tree := trees.Tree(t, "host13"), xvfb.Start(t), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			b := newBundle(t, engine, writableRoot(t, tree), "glxinfo", "-B").show(display)
			b.write()
			inject := func() []byte {
				cmd := exec.Command(installed(t), "hook", "inject", "--config", config, "--cache", hookCache(), b.config())
				cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				text, err := os.ReadFile(b.config())
				must(t, err)
				return text
			}
			once := inject()
			if twice := inject(); !bytes.Equal(once, twice) {
				t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
			}
			b.spec = &specs.Spec{}
			must(t, json.Unmarshal(once, b.spec))
			if out := b.ok().stdout; !strings.Contains(out, "Mesa "+mesaVersion(t, host)) {
				t.Errorf("not the host's Mesa:\n%s", out)
			}
		})
	}
}

// Images that are not as one would make them. Each container is started twice: what the first start has made in the image's
// tree must not be in the second's way.
func TestHookImages(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config, want := hookConfig(t, host), "Mesa "+mesaVersion(t, host)
	const show = "vulkaninfo --summary 2>/dev/null"
	untouched(t, host, tree)
	for _, c := range []struct {
		name string
		make func(t *testing.T, b *bundle, root string)
	}{
		{"a user that is not root", func(_ *testing.T, b *bundle, _ string) { b.spec.Process.User = specs.User{UID: 1234, GID: 1234} }},
		{"read-only", func(_ *testing.T, b *bundle, _ string) { b.spec.Root.Readonly = true }},
		{"without ld.so.cache", func(t *testing.T, _ *bundle, root string) { must(t, os.Remove(root+"/etc/ld.so.cache")) }},
		{"without mount points", func(t *testing.T, _ *bundle, root string) { must(t, os.RemoveAll(root+"/run")) }},
		{"/run is a link", func(t *testing.T, _ *bundle, root string) {
			must(t, os.RemoveAll(root+"/run"))
			must(t, os.Symlink("/var/../var/lib/run", root+"/run"))
			must(t, os.Mkdir(root+"/var/lib/run", 0o755))
		}},
		{"/etc is an absolute link", func(t *testing.T, _ *bundle, root string) {
			must(t, exec.Command("cp", "-a", root+"/etc", root+"/usr/etc2").Run())
			must(t, os.RemoveAll(root+"/etc"))
			must(t, os.Symlink("/usr/etc2", root+"/etc"))
		}},
		{"a tmpfs at /run", func(_ *testing.T, b *bundle, _ string) {
			b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/run", Type: "tmpfs", Source: "tmpfs"})
		}},
		{"two hooks", func(_ *testing.T, b *bundle, _ string) {
			b.hook("createRuntime", config, "--gpu=all").hook("createContainer", config, "--gpu=all")
		}},
		{"LD_PRELOAD of the image", func(_ *testing.T, b *bundle, _ string) {
			b.spec.Process.Env = append(b.spec.Process.Env, "LD_PRELOAD=/usr/lib/nonexistent.so")
		}},
	} {
		for _, engine := range engines {
			t.Run(c.name+"/"+engine, func(t *testing.T) {
				uncapsuled(t)
				root := writableRoot(t, tree)
				b := newBundle(t, engine, root, "sh", "-c", show)
				c.make(t, b, root)
				b.hook("createRuntime", config, "--gpu=all")
				for range 2 {
					if out := b.ok().stdout; !strings.Contains(out, want) {
						t.Errorf("not the host's driver:\n%s", out)
					}
				}
			})
		}
	}
}

// told is what an engine shows of the hook's error. crun shows nothing: then the hook's log has it.
func told(r result, engine string) string {
	if engine != "crun" {
		return strings.ReplaceAll(r.stderr, `\"`, `"`)
	}
	text, _ := os.ReadFile(filepath.Join(hookCache(), "hook.log"))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// What cannot be is refused before the container starts, in one line and one that says what to do, and leaves nothing. With
// --mode=optional the container starts as it would have without the hook.
func TestHookRefuses(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	volume := shared(t)
	for _, c := range []struct {
		name, message, hint string
		tree                string
		make                func(t *testing.T, b *bundle, root string)
	}{
		{"musl", "built on musl", "use an image on", trees.Tree(t, "musl"), func(*testing.T, *bundle, string) {}},
		{"another architecture", "of another architecture", "this machine's", trees.Tree(t, "foreign"), func(*testing.T, *bundle, string) {}},
		{"/run is a volume", "is a volume of the host", "create capsule in the volume", tree, func(_ *testing.T, b *bundle, _ string) {
			b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/run", Type: "bind", Source: volume, Options: []string{"rbind"}})
		}},
		{"/run/capsule is a link", "a symbolic link stands in its place", "", tree, func(t *testing.T, _ *bundle, root string) {
			must(t, os.Symlink("/etc", root+"/run/capsule"))
		}},
		{"ld.so.cache is a directory", "is a directory", "the image is damaged", tree, func(t *testing.T, _ *bundle, root string) {
			must(t, os.Rename(root+"/etc/ld.so.cache", root+"/etc/ld.so.cache.old"))
			must(t, os.Mkdir(root+"/etc/ld.so.cache", 0o755))
		}},
		{"ld.so.cache leads nowhere", "a symbolic link stands in its place", "", tree, func(t *testing.T, _ *bundle, root string) {
			must(t, os.Remove(root+"/etc/ld.so.cache"))
			must(t, os.Symlink("/nowhere/ld.so.cache", root+"/etc/ld.so.cache"))
		}},
		{"no such GPU", `no GPU "card9"`, "capsule-run inspect", tree, func(_ *testing.T, b *bundle, _ string) {
			b.spec.Annotations = map[string]string{"dev.capsule.gpu": "card9"}
		}},
	} {
		for _, engine := range engines {
			t.Run(c.name+"/"+engine, func(t *testing.T) {
				uncapsuled(t)
				untouched(t, c.tree, volume)
				root := writableRoot(t, c.tree)
				b := newBundle(t, engine, root, "true")
				b.spec.Annotations = map[string]string{"dev.capsule.gpu": "all"}
				c.make(t, b, root)
				up := filepath.Join(filepath.Dir(root), "up")
				before := snapshot(t, []string{up})
				r := b.hook("createRuntime", config).run()
				told := told(r, engine)
				if r.status == 0 || !strings.Contains(told, c.message) || !strings.Contains(told, c.hint) {
					t.Errorf("exit status %d\n%s\n%s", r.status, r.stderr, told)
				}
				for name := range snapshot(t, []string{up}) {
					rest := strings.TrimPrefix(name, up)
					// The engine makes its own mount points; an overlay's upper layer keeps a copy of a changed directory.
					if _, ok := before[name]; !ok && rest != "" && !strings.HasPrefix(rest, "/proc") &&
						!strings.HasPrefix(rest, "/sys") && !strings.HasPrefix(rest, "/dev") && rest != "/run" && rest != "/etc" && rest != "/tmp" {
						t.Errorf("%s stayed", rest)
					}
				}
			})
		}
	}
	t.Run("optional", func(t *testing.T) {
		root := writableRoot(t, tree)
		// Shows only when /run/capsule is mounted already.
		must(t, os.Remove(root+"/etc/ld.so.cache"))
		must(t, os.Symlink("/nowhere", root+"/etc/ld.so.cache"))
		for _, engine := range engines {
			b := newBundle(t, engine, root, "sh", "-c", "echo started; ls -d /run/capsule; grep -c /run/capsule /proc/self/mountinfo")
			r := b.hook("createRuntime", config, "--gpu=all", "--mode=optional").run()
			if !strings.HasPrefix(r.stdout, "started\n0\n") {
				t.Errorf("%s: exit status %d\n%s", engine, r.status, r.both())
			}
		}
	})
	t.Run("declined", func(t *testing.T) {
		b := newBundle(t, "runc", writableRoot(t, tree), "sh", "-c", "ls -d /run/capsule || echo none")
		b.spec.Annotations = map[string]string{"dev.capsule.gpu": "none"}
		if r := b.hook("createRuntime", config, "--gpu=all").ok(); r.stdout != "none\n" {
			t.Error(r.both())
		}
	})
}

// In a container with a user namespace the hook is, at createContainer, a user who owns nothing on the host: it has no cache
// to write to, and does without.
func TestHookUserNamespace(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime12")
	config := hookConfig(t, host)
	for _, engine := range engines {
		for _, stage := range []string{"createRuntime", "createContainer"} {
			t.Run(engine+"/"+stage, func(t *testing.T) {
				uncapsuled(t)
				b := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", "vulkaninfo --summary 2>/dev/null; ls -nd /run/capsule")
				b.inUserNamespace().hook(stage, config, "--gpu=all")
				if stage == "createContainer" {
					h := &b.spec.Hooks.CreateContainer[0]
					h.Args = slices.DeleteFunc(h.Args, func(a string) bool { return strings.HasPrefix(a, "--cache=") })
				}
				before, _ := filepath.Glob("/tmp/capsule-run-*/hook-*")
				r := b.run()
				if r.status != 0 || !strings.Contains(r.stdout, "Mesa "+mesaVersion(t, host)) {
					t.Errorf("exit status %d\n%s", r.status, r.both())
				}
				if err := waitFor(patience, func() error { // what another process has there goes away
					left, _ := filepath.Glob("/tmp/capsule-run-*/hook-*")
					left = slices.DeleteFunc(left, func(name string) bool { return slices.Contains(before, name) })
					if len(left) > 0 {
						return fmt.Errorf("left behind: %v", left)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A bundle that the engine keeps to itself is read at createRuntime, and at createContainer the hook, a user of the
// container's, says what to do.
func TestHookUnreadableBundle(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime12")
	config := hookConfig(t, host)
	for _, engine := range engines {
		for _, stage := range []string{"createRuntime", "createContainer"} {
			t.Run(engine+"/"+stage, func(t *testing.T) {
				uncapsuled(t)
				b := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", "vulkaninfo --summary 2>/dev/null").inUserNamespace()
				must(t, os.Chmod(b.dir, 0o700))
				r := b.hook(stage, config, "--gpu=all").run()
				if stage == "createRuntime" {
					if r.status != 0 || !strings.Contains(r.stdout, "Mesa "+mesaVersion(t, host)) {
						t.Errorf("exit status %d\n%s", r.status, r.both())
					}
					return
				}
				// crun shows nothing, and a user of the container's has no log to write to.
				if told := r.stderr; r.status == 0 || engine == "runc" && (!strings.Contains(told, "permission denied") ||
					!strings.Contains(told, "use it at createRuntime")) {
					t.Errorf("exit status %d\n%s", r.status, told)
				}
			})
		}
	}
}

// inUserNamespace gives the container ids of its own, and a /run that it may write to.
func (b *bundle) inUserNamespace() *bundle {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 65536}}
	b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids, ids
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/run", Type: "tmpfs", Source: "tmpfs"})
	return b
}

// What others than root can write to, or put something else in its place, does not say what root's hook does.
func TestHookUntrusted(t *testing.T) {
	needsRoot(t, engines...)
	tree := trees.Tree(t, "runtime11")
	for name, c := range map[string]struct {
		make func(config, cache string) error
		want string
	}{
		"configuration": {func(config, _ string) error { return os.Chmod(config, 0o664) }, "config.toml can be written"},
		"directory of the configuration": {func(config, _ string) error { return os.Chmod(filepath.Dir(config), 0o775) },
			"can be written by others"},
		"owner of the configuration's directory": {func(config, _ string) error { return os.Chown(filepath.Dir(config), 1234, 0) },
			"belongs to user 1234"},
		"directory above the cache": {func(_, cache string) error { return os.Chmod(filepath.Dir(cache), 0o777) }, "can be written by others"},
	} {
		t.Run(name, func(t *testing.T) {
			config, cache := hookConfig(t, trees.Tree(t, "host13")), filepath.Join(shared(t), "cache")
			must(t, c.make(config, cache))
			r := newBundle(t, "runc", writableRoot(t, tree), "true").hook("createRuntime", config, "--gpu=all").withCache(cache).run()
			if r.status == 0 || !strings.Contains(r.stderr, c.want) || !strings.Contains(r.stderr, "hint: ") {
				t.Errorf("exit status %d\n%s", r.status, r.stderr)
			}
		})
	}
}
