//go:build integration

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// withProbes shows a container the programs of both architectures that tell what they have loaded.
func withProbes(t *testing.T, b *bundle) *bundle {
	t.Helper()
	for at, dir := range map[string]string{"/probes64": trees.Probes(t), "/probes32": trees.ProbesI386(t)} {
		b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: at, Type: "bind", Source: dir, Options: []string{"rbind", "ro"}})
	}
	return b
}

// An image of 32-bit x86, and one of both: each program has the host's Mesa of its own architecture. A host without a 32-bit
// stack serves what is 64-bit, and refuses what is not.
func TestHookArchitectures(t *testing.T) {
	needsRoot(t, engines...)
	display, both, only64 := xvfb.Start(t), trees.Tree(t, "host13both"), trees.Tree(t, "host13")
	const maps64, maps32 = "/probes64/bin/maps", "/probes32/bin/maps"
	const driver64, driver32 = "/run/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libgallium-25",
		"/run/capsule/i386-linux-gnu/host/usr/lib/i386-linux-gnu/libgallium-25"
	for i, c := range []struct {
		name, host, tree, run string
		has                   []string
		refused               string
	}{
		{"32-bit", both, "runtime11i386", maps32, []string{driver32, "/run/capsule/i386-linux-gnu/proxy/libc.so.6"}, ""},
		{"32-bit vulkaninfo", both, "runtime11i386", "vulkaninfo --summary", []string{"driverInfo", "Mesa " + mesaVersion(t, both)}, ""},
		{"64-bit in both", both, "runtime11both", maps64, []string{driver64, "/run/capsule/x86_64-linux-gnu/proxy/libc.so.6"}, ""},
		{"32-bit in both", both, "runtime11both", maps32, []string{driver32, "/run/capsule/i386-linux-gnu/proxy/libc.so.6"}, ""},
		{"64-bit host, 64-bit in both", only64, "runtime11both", maps64, []string{driver64}, ""},
		{"64-bit host, 32-bit", only64, "runtime11i386", maps32, nil, "i386"},
	} {
		engine := engines[i%len(engines)]
		t.Run(c.name+"/"+engine, func(t *testing.T) {
			uncapsuled(t)
			untouched(t, c.host)
			b := withProbes(t, newBundle(t, engine, writableRoot(t, trees.Tree(t, c.tree)), "sh", "-c", c.run)).show(display)
			r := b.hook("createRuntime", hookConfig(t, c.host), "--gpu=all").run()
			if told := told(r, engine); c.refused != "" {
				if r.status == 0 || !strings.Contains(told, c.refused) || !strings.Contains(told, "hint: ") {
					t.Errorf("exit status %d\n%s\n%s", r.status, r.both(), told)
				}
				return
			}
			for _, want := range c.has {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("exit status %d, no %s\n%s", r.status, want, tail(r.both()))
				}
			}
		})
	}
}

// Images in which nothing can use a driver, for want of glibc: as the configuration has it, they are refused in one line with
// a hint, or start as they are.
func TestHookWithoutGlibc(t *testing.T) {
	needsRoot(t, engines...)
	config, optional := hookConfig(t, trees.Tree(t, "host13")), hookConfig(t, trees.Tree(t, "host13"), `mode = "optional"`)
	for name, c := range map[string]struct{ tree, told, hint string }{
		"static": {"", "no dynamic loader", "the image has no dynamic loader, so nothing in it can use a driver"},
		"musl":   {trees.Tree(t, "musl"), "built on musl, not on glibc", "the host's driver needs glibc"},
	} {
		for _, engine := range engines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				uncapsuled(t)
				tree := c.tree
				if tree == "" {
					tree = shared(t)
				}
				root := writableRoot(t, tree)
				must(t, exec.Command("cp", binary, root+"/static").Run())
				start := func(config string) result {
					return newBundle(t, engine, root, "/static", "--help").hook("createRuntime", config, "--gpu=all").run()
				}
				r := start(config)
				told := told(r, engine)
				if r.status == 0 || !strings.Contains(told, c.told) || !strings.Contains(told, c.hint) || strings.Contains(r.stdout, "capsule-run") {
					t.Errorf("exit status %d\n%s\n%s", r.status, r.both(), told)
				}
				for _, made := range []string{"/run/capsule", "/etc/ld.so.cache"} {
					if _, err := os.Lstat(root + made); err == nil {
						t.Errorf("%s was made", made)
					}
				}
				if r := start(optional); r.status != 0 || !strings.Contains(r.stdout, "capsule-run") {
					t.Errorf("optional: exit status %d\n%s", r.status, r.both())
				}
			})
		}
	}
}

// An image with no more of glibc than its own programs need, as one copies it by ldd's list: what went into libc.so.6 with 2.34
// is not there by its old names, which libcapsule.so has for the sake of older ones.
func TestHookLeastGlibc(t *testing.T) {
	needsRoot(t, engines...)
	host := trees.Tree(t, "host13")
	config, want := hookConfig(t, host), "Mesa "+mesaVersion(t, host)
	root := writableRoot(t, trees.Tree(t, "runtime12"))
	for _, name := range []string{"libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libanl.so.1"} {
		must(t, os.Remove(root+"/usr/lib/x86_64-linux-gnu/"+name))
	}
	for _, stale := range []bool{true, false} {
		if !stale {
			must(t, os.Remove(root+"/etc/ld.so.cache"))
		}
		b := newBundle(t, "runc", root, "sh", "-c", "vulkaninfo --summary").hook("createRuntime", config, "--gpu=all")
		if out := b.ok().stdout; !strings.Contains(out, want) {
			t.Errorf("ld.so.cache %v: not the host's driver:\n%s", stale, out)
		}
	}
}
