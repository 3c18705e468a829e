//go:build integration

package integration

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// engines are the runtimes that must be there: runc 1.1 and crun 1.8 on Debian 12, newer ones on Debian 13.
var engines = []string{"runc", "crun"}

// needsRoot says, or fails to say, that this machine can start containers.
func needsRoot(t *testing.T, programs ...string) {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return
	}
	if os.Getenv("CAPSULE_MUST_WORK") == "1" {
		t.Fatalf("missing: %v", missing)
	}
	t.Skipf("missing: %v", missing)
}

// installed is the program where it and all directories above are root's, as an installation is and a checkout may not be.
func installed(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(home, "bin")
	must(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"capsule-run", "capsule-hook"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			must(t, exec.Command("install", "-m", "755", filepath.Join(filepath.Dir(binary), name), dir).Run())
		}
	}
	return filepath.Join(dir, "capsule-run")
}

// hookConfig writes the administrator's configuration for a host, with further lines below [hook].
func hookConfig(t *testing.T, host string, more ...string) string {
	t.Helper()
	name := filepath.Join(shared(t), "config.toml")
	text := fmt.Sprintf("[hook]\nhost = %q\n%s\n", host, strings.Join(more, "\n"))
	must(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}

// shared is a directory that other users may enter.
func shared(t *testing.T) string {
	t.Helper()
	return sharedIn(t, "")
}

func sharedIn(t *testing.T, above string) string {
	t.Helper()
	dir, err := os.MkdirTemp(above, "capsule-hook-")
	must(t, err)
	evict(t, dir)
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// hookCache is one for all tests of root's hook.
func hookCache() string { return filepath.Join(home, "hook-cache") }

// writableRoot mounts an overlay over a tree, so that a container may write to its root, and returns it.
func writableRoot(t *testing.T, lower string) string {
	t.Helper()
	dir := shared(t)
	for _, d := range []string{"root", "up", "work"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	root := filepath.Join(dir, "root")
	must(t, unix.Mount("overlay", root, "overlay", 0,
		fmt.Sprintf("lowerdir=%s,upperdir=%s/up,workdir=%s/work", lower, dir, dir)))
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Errorf("unmount %s: %v", root, err)
			unix.Unmount(root, unix.MNT_DETACH)
		}
	})
	return root
}

// bundle is a container for runc or crun.
type bundle struct {
	t      *testing.T
	dir    string
	engine string
	spec   *specs.Spec
	prefix []string // of the engine's command line
}

// newBundle makes one of `runc spec`'s configuration: a root, a command.
func newBundle(t *testing.T, engine, root string, argv ...string) *bundle {
	t.Helper()
	b := &bundle{t: t, dir: shared(t), engine: engine, spec: &specs.Spec{}}
	cmd := exec.Command("runc", "spec")
	cmd.Dir = b.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("runc spec: %v\n%s", err, out)
	}
	text, err := os.ReadFile(b.config())
	must(t, err)
	must(t, json.Unmarshal(text, b.spec))
	b.spec.Root = &specs.Root{Path: root}
	b.spec.Process.Terminal = false
	b.spec.Process.Args = argv
	b.spec.Process.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", "XDG_RUNTIME_DIR=/tmp"}
	b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=1777"}})
	if engine == "crun" { // it can do nothing with a machine's hybrid cgroups
		isCgroup := func(m specs.Mount) bool { return m.Type == "cgroup" }
		b.spec.Mounts = slices.DeleteFunc(b.spec.Mounts, isCgroup)
		b.spec.Linux.Namespaces = slices.DeleteFunc(b.spec.Linux.Namespaces,
			func(n specs.LinuxNamespace) bool { return n.Type == specs.CgroupNamespace })
		b.spec.Linux.Resources = nil
	}
	return b
}

func (b *bundle) config() string { return filepath.Join(b.dir, "config.json") }

// write writes the configuration.
func (b *bundle) write() {
	b.t.Helper()
	text, err := json.Marshal(b.spec)
	must(b.t, err)
	must(b.t, os.WriteFile(b.config(), text, 0o644))
}

// hook enters a call of the hook.
func (b *bundle) hook(stage, config string, flags ...string) *bundle {
	args := append([]string{"capsule-hook", stage, "--config=" + config, "--cache=" + hookCache()}, flags...)
	h := specs.Hook{Path: filepath.Join(filepath.Dir(installed(b.t)), "capsule-hook"), Args: args, Env: []string{"PATH=/usr/bin:/bin"}}
	if stage == "prestart" { // the launcher serves as well, by either name
		h.Path, h.Args = installed(b.t), append([]string{"capsule-run", "hook"}, args[1:]...)
	}
	if b.spec.Hooks == nil {
		b.spec.Hooks = &specs.Hooks{}
	}
	switch stage {
	case "createRuntime":
		b.spec.Hooks.CreateRuntime = append(b.spec.Hooks.CreateRuntime, h)
	case "createContainer":
		b.spec.Hooks.CreateContainer = append(b.spec.Hooks.CreateContainer, h)
	case "prestart":
		b.spec.Hooks.Prestart = append(b.spec.Hooks.Prestart, h) //nolint:staticcheck // engines still have it
	}
	return b
}

// show lets the container reach a display.
func (b *bundle) show(display *xvfb.Server) *bundle {
	b.spec.Process.Env = append(b.spec.Process.Env, display.Env()...)
	b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/tmp/.X11-unix", Type: "bind", Source: "/tmp/.X11-unix",
		Options: []string{"rbind", "ro"}})
	return b
}

// run writes the configuration and starts the container.
func (b *bundle) run() result {
	b.t.Helper()
	b.write()
	id := filepath.Base(b.dir)
	argv := []string{"runc", "run", id}
	if b.engine == "crun" {
		argv = []string{"crun", "--cgroup-manager=disabled", "run", id}
	}
	return inEngine(b.t, b.engine, b.dir, nil, append(slices.Clone(b.prefix), argv...)...)
}

// ok runs and demands success.
func (b *bundle) ok() result {
	b.t.Helper()
	r := b.run()
	if r.status != 0 {
		b.t.Fatalf("%s: exit status %d\n%s", b.engine, r.status, tail(r.both()))
	}
	return r
}

// keepsMounts runs a command and complains if the mount table that it sees is another afterwards. crun refuses machines
// that have cgroups of both versions mounted, so it gets a mount namespace without the second.
const keepsMounts = `
if [ "$1" = crun ] && [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi
shift
mounts() { grep -v -e ' - overlay overlay ' -e /mmdebstrap. -e /containers/ -e /netns/ /proc/self/mountinfo | cut -d' ' -f4-; } # other tests' come and go
before=$(mounts); "$@"; status=$?
after=$(mounts)
if [ "$before" != "$after" ]; then echo "MOUNTS CHANGED"; echo "$before"; echo "--"; echo "$after"; fi >&2
exit $status`

// inEngine runs an engine to its end.
func inEngine(t *testing.T, engine, dir string, env []string, argv ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := append([]string{"--mount", "--propagation", "unchanged", "sh", "-c", keepsMounts, "sh", engine}, argv...)
	if engine == "crun" {
		args[2] = "slave"
	}
	cmd := exec.CommandContext(ctx, "unshare", args...)
	if env == nil {
		env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "LANG=C.UTF-8"}
	}
	cmd.Dir, cmd.Env = dir, env
	r := toEnd(t, ctx, cmd)
	if strings.Contains(r.stderr, "MOUNTS CHANGED") {
		t.Errorf("something stayed mounted:\n%s", r.stderr)
	}
	return r
}

// uncapsuled complains if a capsule is mounted in the tests' own namespace at the end of a test. What else is mounted there
// is for keepsMounts to see, where other processes of the machine do not disturb.
func uncapsuled(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		text, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "/run/capsule") || strings.Contains(line, " - tmpfs capsule-run ") {
				t.Errorf("stayed mounted: %s", line)
			}
		}
	})
}

// untouched compares file trees before and after a test: names, types, modes, sizes, times, link texts.
func untouched(t *testing.T, dirs ...string) {
	t.Helper()
	before := snapshot(t, dirs)
	t.Cleanup(func() {
		after := snapshot(t, dirs)
		for name, what := range before {
			if after[name] != what {
				t.Errorf("%s was %s, is %s", name, what, after[name])
			}
		}
		for name := range after {
			if _, ok := before[name]; !ok {
				t.Errorf("%s is new", name)
			}
		}
	})
}

func snapshot(t *testing.T, dirs []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return nil // gone meanwhile
			}
			what := fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
			if strings.HasPrefix(name, "/dev/") { // terminals come and go
				if what = info.Mode().String(); name == "/dev/pts" || name == "/dev/shm" {
					return fs.SkipDir
				}
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				link, _ := os.Readlink(name)
				what += " " + link
			}
			out[name] = what
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) == 0 {
		t.Fatalf("nothing in %v", dirs)
	}
	return out
}

// reference is what the launcher shows of a program in the same runtime on the same host.
func reference(t *testing.T, runtime, host string, display *xvfb.Server, argv ...string) string {
	t.Helper()
	return launch{runtime: runtime, host: host, display: display, argv: argv}.ok(t).stdout
}

// shortID is for names of containers and users that must differ from test to test.
func shortID(t *testing.T) string {
	sum := sha256.Sum256([]byte(t.Name() + fmt.Sprint(os.Getpid())))
	return fmt.Sprintf("%x", sum[:4])
}

// hookTrees are the images' trees.
func hookTrees(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"Debian 11": trees.Tree(t, "runtime11"), "Debian 12": trees.Tree(t, "runtime12")}
}
