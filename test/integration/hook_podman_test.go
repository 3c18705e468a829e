//go:build integration

package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// podman is one user's, with storage of its own.
type podman struct {
	t       *testing.T
	prefix  []string // how to become the user
	env     []string
	options []string
}

// needsPodman: see needsRoot.
func needsPodman(t *testing.T) {
	needsRoot(t, append(engines, "podman", "setpriv", "useradd")...)
}

// asRoot is root's, with a hooks directory.
func asRoot(t *testing.T, hooks string) *podman {
	p := rootOn("vfs", t, hooks)
	p.run("runc", "info") // what stays mounted for the storage is not the hook's
	return p
}

// rootOn is root's on a storage driver.
func rootOn(driver string, t *testing.T, hooks string) *podman {
	dir := shared(t)
	return &podman{t: t, options: []string{"--root", dir + "/root", "--runroot", dir + "/run", "--hooks-dir", hooks, "--storage-driver", driver}}
}

// run runs a podman command on an engine.
func (p *podman) run(engine string, args ...string) result {
	p.t.Helper()
	argv := append(append([]string{}, p.prefix...), "podman", "--runtime", engine, "--log-level", "error")
	mounts := engine
	if len(p.prefix) > 0 {
		mounts = "crun" // a rootless podman's containers share one mount namespace, whichever engine was first
	}
	return inEngine(p.t, mounts, "/", p.env, append(append(argv, p.options...), args...)...)
}

// container runs one. What the machine may not let podman do (limits, networks) is left out.
func (p *podman) container(engine string, args ...string) result {
	p.t.Helper()
	start := []string{"run", "--rm", "--network", "none", "--ulimit", "nofile=1024:2048", "--ulimit", "nproc=1024:2048"}
	if engine == "crun" {
		start = append(start, "--cgroups=disabled")
	}
	return p.run(engine, append(start, args...)...)
}

// withDisplay lets a container reach a display.
func withDisplay(display *xvfb.Server) []string {
	args := []string{"--tmpfs", "/tmp", "-v", "/tmp/.X11-unix:/tmp/.X11-unix", "--env", "XDG_RUNTIME_DIR=/tmp", "--env", "LANG=C.UTF-8"}
	for _, e := range display.Env() {
		args = append(args, "--env", e)
	}
	return args
}

// outputOf runs the program under test as it is installed for somebody.
func outputOf(t *testing.T, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// Root's podman, by a hooks.d file that hook install writes: both releases, both engines.
func TestHookPodman(t *testing.T) {
	needsPodman(t)
	host, display := trees.Tree(t, "host13"), xvfb.Start(t)
	hooks := filepath.Join(shared(t), "hooks.d")
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	outputOf(t, env, installed(t), "hook", "install", "--dir", hooks, "--config", hookConfig(t, host), "--cache", hookCache())
	p := asRoot(t, hooks)
	for name, tree := range hookTrees(t) {
		want := reference(t, tree, host, display, "sh", "-c", drivers)
		untouched(t, host, tree, "/etc/containers", "/dev")
		for _, engine := range engines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				uncapsuled(t)
				args := append(withDisplay(display), "--annotation", "dev.capsule.gpu=all", "--rootfs", tree+":O", "sh", "-c", drivers)
				if r := p.container(engine, args...); r.stdout != want {
					t.Errorf("exit status %d\n%s\nby the launcher:\n%s", r.status, r.both(), want)
				}
			})
		}
	}
	tree := trees.Tree(t, "runtime11")
	const show = "vulkaninfo --summary 2>/dev/null | grep driverInfo || echo without"
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nobody asks", nil, "without"},
		{"declined", []string{"--annotation", "dev.capsule.gpu=none"}, "without"},
		{"another user", []string{"--annotation", "dev.capsule.gpu=all", "--user", "1234:1234"}, "Mesa"},
		{"read-only", []string{"--annotation", "dev.capsule.gpu=all", "--read-only"}, "Mesa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			uncapsuled(t)
			r := p.container("runc", append(c.args, "--rootfs", tree+":O", "sh", "-c", show)...)
			if r.status != 0 || !strings.Contains(r.stdout, c.want) {
				t.Errorf("exit status %d\n%s", r.status, r.both())
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		uncapsuled(t)
		r := p.container("runc", "--annotation", "dev.capsule.gpu=all", "--rootfs", trees.Tree(t, "musl")+":O", "true")
		if r.status == 0 || !strings.Contains(r.stderr, "built on musl") || !strings.Contains(r.stderr, "hint: the host's driver needs glibc") {
			t.Errorf("exit status %d\n%s", r.status, r.stderr)
		}
	})
	t.Run("uninstall", func(t *testing.T) {
		outputOf(t, env, installed(t), "hook", "uninstall", "--dir", hooks)
		r := p.container("runc", "--annotation", "dev.capsule.gpu=all", "--rootfs", tree+":O", "sh", "-c", show)
		if r.stdout != "without\n" {
			t.Errorf("exit status %d\n%s", r.status, r.both())
		}
	})
}

// An image's variable is a request: the administrator's configuration decides.
func TestHookVariable(t *testing.T) {
	needsPodman(t)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	for lines, want := range map[string]string{"": "without", `environment = ["NVIDIA_VISIBLE_DEVICES"]`: "Mesa"} {
		hooks := filepath.Join(shared(t), "hooks.d")
		outputOf(t, env, installed(t), "hook", "install", "--when", "always", "--dir", hooks, "--config", hookConfig(t, host, lines), "--cache", hookCache())
		r := asRoot(t, hooks).container("runc", "--env", "NVIDIA_VISIBLE_DEVICES=all", "--rootfs", tree+":O",
			"sh", "-c", "vulkaninfo --summary 2>/dev/null | grep driverInfo || echo without")
		if r.status != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("%q: exit status %d\n%s", lines, r.status, r.both())
		}
	}
}

// newUser makes one with subordinate ids, and takes it away afterwards.
func newUser(t *testing.T) *user.User {
	t.Helper()
	// Not in /tmp: there a user namespace shows root's directory as anybody's, and the hook uses no cache below.
	name, dir := "capsule-"+shortID(t), sharedIn(t, "/var/lib")
	if out, err := exec.Command("useradd", "--create-home", "--home-dir", dir+"/home", "--shell", "/bin/sh", name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("userdel", "--force", name).CombinedOutput(); err != nil {
			t.Errorf("userdel: %v\n%s", err, out)
		}
	})
	u, err := user.Lookup(name)
	must(t, err)
	t.Cleanup(func() { endProcesses(t, u) })
	return u
}

// endProcesses ends what a user of ours has running. A rootless podman leaves a process behind that holds its user namespace
// ("podman pause"), and the next user may get the same id.
func endProcesses(t *testing.T, u *user.User) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/status")
	must(t, err)
	for _, name := range files {
		// Not the directory's owner, which is root for a process that may not be traced.
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), "\nUid:\t"+u.Uid+"\t") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// asUser is a user's, whose containers.conf names the user's hooks directory, as hook install says.
func asUser(t *testing.T, u *user.User) *podman {
	t.Helper()
	run := filepath.Join(shared(t), "run")
	must(t, os.Mkdir(run, 0o700))
	uid, err := strconv.Atoi(u.Uid)
	must(t, err)
	gid, err := strconv.Atoi(u.Gid)
	must(t, err)
	must(t, os.Chown(run, uid, gid))
	p := &podman{t: t, prefix: []string{"setpriv", "--reuid", u.Uid, "--regid", u.Gid, "--init-groups"},
		env:     []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + u.HomeDir, "USER=" + u.Username, "XDG_RUNTIME_DIR=" + run, "LANG=C.UTF-8"},
		options: []string{"--storage-driver", "overlay"}}
	t.Cleanup(func() { p.run("runc", "system", "migrate") }) // ends the process that keeps the user's namespaces
	return p
}

// as runs a command as the user.
func (p *podman) as(stdin io.Reader, argv ...string) string {
	p.t.Helper()
	argv = append(append([]string{}, p.prefix...), argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin = p.env, "/", stdin
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// image makes an image of a tree's parts that GL and Vulkan programs use.
func (p *podman) image(tree, name string) {
	p.t.Helper()
	tar := exec.Command("tar", "-C", tree, "--exclude=./dev", "--exclude=./usr/games", "--exclude=./usr/share", "--exclude=./usr/sbin",
		"--exclude=./var", "--exclude=perl", "--exclude=perl-base", "--exclude=python3*", "--exclude=gconv", "--exclude=libicu*", "-c", ".")
	out, err := tar.StdoutPipe()
	must(p.t, err)
	must(p.t, tar.Start())
	p.as(out, append(append([]string{"podman"}, p.options...), "import", "-", name)...)
	must(p.t, tar.Wait())
	// The next command makes the mount namespace that all containers of the user share, as an engine may need it.
	p.as(nil, append(append([]string{"podman"}, p.options...), "system", "migrate")...)
}

// A user's own podman, with nothing of root's: hook install --user, the user's cache.
func TestHookRootless(t *testing.T) {
	needsPodman(t)
	host, tree, display := trees.Tree(t, "host13"), trees.Tree(t, "runtime12"), xvfb.Start(t)
	want := reference(t, tree, host, display, "sh", "-c", drivers)
	untouched(t, host, tree)
	u := newUser(t)
	p := asUser(t, u)
	self := filepath.Join(shared(t), "capsule-run") // where the user may read it
	must(t, exec.Command("cp", binary, self).Run())
	told := p.as(nil, self, "hook", "install", "--user", "--config", hookConfig(t, host))
	conf := filepath.Join(u.HomeDir, ".config/containers/containers.conf")
	i := strings.Index(told, "  [engine]")
	if i < 0 {
		t.Fatalf("hook install does not say what containers.conf needs:\n%s", told)
	}
	p.as(strings.NewReader(strings.Join(strings.SplitAfter(told[i:], "\n")[:2], "")), "tee", conf)
	p.image(tree, "localhost/debian12")
	for _, engine := range engines {
		for _, more := range [][]string{nil, {"--userns=keep-id"}} {
			t.Run(engine+fmt.Sprint(more), func(t *testing.T) {
				uncapsuled(t)
				args := append(append(more, withDisplay(display)...), "--annotation", "dev.capsule.gpu=all", "localhost/debian12", "sh", "-c", drivers)
				if r := p.container(engine, args...); r.stdout != want {
					t.Errorf("exit status %d\n%s\nby the launcher:\n%s", r.status, r.both(), want)
				}
			})
		}
	}
	if _, err := os.Stat(filepath.Join(u.HomeDir, ".cache/capsule-run/builds")); err != nil {
		t.Error("the user's cache was not used:", err)
	}
}
