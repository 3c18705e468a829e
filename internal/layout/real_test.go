package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/capsule-run/capsule-run/internal/launch"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// The test binary is the launcher of these tests, too: the operations come from the file that this variable names.
const envOps = "CAPSULE_LAYOUT_OPS"

func TestMain(m *testing.M) {
	if name := os.Getenv(envOps); name != "" {
		os.Exit(launcher(name))
	}
	os.Exit(m.Run())
}

func launcher(name string) int {
	b, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	spec := &launch.Spec{Argv: os.Args[1:], Env: os.Environ()}
	if err := json.Unmarshal(b, &spec.Ops); err != nil {
		panic(err)
	}
	spec.Dir, _ = os.Getwd()
	code, err := launch.Run(spec)
	var e *launch.Error
	if errors.As(err, &e) {
		fmt.Fprintf(os.Stderr, "error: %s\nhint: %s\n", e.Msg, e.Hint)
	}
	return code
}

// trees are the runtimes to try: this machine's own root everywhere, and real ones where CAPSULE_TREES has them.
func trees(t *testing.T) map[string]string {
	out := map[string]string{"this machine": "/"}
	if dir := os.Getenv("CAPSULE_TREES"); dir != "" {
		for _, name := range []string{"runtime11", "runtime12"} {
			found, err := filepath.Glob(filepath.Join(dir, name+"-*")) // one for each recipe that it has had
			must(t, err)
			for _, tree := range found {
				out[filepath.Base(tree)] = tree
			}
		}
		if len(out) == 1 {
			t.Errorf("CAPSULE_TREES=%s holds no runtime", dir)
		}
	}
	return out
}

// world is a home, a working directory and an etc of the test's own, reachable for every user.
func world(t *testing.T) (home, etc string) {
	dir, err := os.MkdirTemp("", "capsule-layout-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	home, etc = dir+"/home", dir+"/etc"
	must(t, os.MkdirAll(home+"/work", 0o777))
	must(t, os.Chmod(home, 0o777))
	must(t, os.Chmod(home+"/work", 0o777))
	must(t, os.MkdirAll(etc+"/deep/er", 0o755))
	must(t, os.Symlink("../../../usr/bin/env", etc+"/deep/er/env")) // as etc/fonts/conf.d has them on Fedora
	must(t, os.Symlink("../usr/lib/os-release", etc+"/os-release"))
	must(t, os.Symlink("../proc/self/mounts", etc+"/mtab"))
	must(t, os.WriteFile(etc+"/own", []byte("own\n"), 0o644))
	must(t, os.WriteFile(dir+"/cache", []byte("cache\n"), 0o644))
	return home, etc
}

func TestRealTrees(t *testing.T) {
	home, etc := world(t)
	dir := filepath.Dir(home)
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	exe := dir + "/launcher"
	must(t, os.WriteFile(exe, self, 0o755))

	run := func(t *testing.T, tops []Top, drop []string, script string) string {
		t.Helper()
		env := []string{"HOME=" + home, "PATH=/usr/bin:/bin"}
		h := Gather(env, home+"/work")
		if drop != nil {
			h.UID = 65534
		}
		ops, err := Compose(Input{Top: tops, Host: h, LdSoCache: dir + "/cache",
			Binds:   []Bind{{Src: dir + "/cache", Dst: "/data/deep/file", ReadOnly: true}},
			Capsule: []mount.Op{{Kind: mount.Bind, Source: dir + "/cache", Target: "/usr/lib/capsule/triplet/lib/x", ReadOnly: true}}})
		must(t, err)
		b, err := json.Marshal(ops)
		must(t, err)
		must(t, os.WriteFile(dir+"/ops", b, 0o644))
		argv := append(append([]string{}, drop...), exe, "/bin/sh", "-c", script)
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = home+"/work", append(env, envOps+"="+dir+"/ops")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	users := map[string][]string{"self": nil}
	if os.Getuid() == 0 {
		users["nobody"] = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	}
	for name, root := range trees(t) {
		for user, drop := range users {
			t.Run(name+"/"+user, func(t *testing.T) {
				if drop != nil && exec.Command(drop[0], append(drop[1:], "test", "-d", root+"/usr")...).Run() != nil {
					return // the tree lies below a directory that is closed to others: nothing to test for them
				}
				tops, err := ReadTree(root)
				must(t, err)
				// With a loader cache that is none, ld.so searches its default directories: enough for a shell.
				out := run(t, tops, drop, `set -e
					pwd -P; cat /data/deep/file /etc/ld.so.cache /usr/lib/capsule/triplet/lib/x
					echo here > made; rm made; echo there > "$HOME/made"; rm "$HOME/made"; echo x > /tmp/capsule-layout-$$; rm /tmp/capsule-layout-$$
					for d in /usr /usr/lib /usr/lib/capsule /etc /var; do
						if ( : > $d/made ) 2>/dev/null; then echo "can write to $d"; fi
					done
					test -c /dev/null; test -r /proc/self/status; test -d /sys/devices; test -e /var/run/host || test -e /var/run/user; test -d /var/lib
					cat /etc/debian_version`)
				want := home + "/work\ncache\ncache\ncache\n"
				version, err := os.ReadFile(filepath.Join(root, "etc/debian_version"))
				must(t, err)
				if out != want+string(version) {
					t.Errorf("got\n%s\nwant\n%s%s", out, want, version)
				}
			})
		}
	}
	t.Run("links that climb", func(t *testing.T) {
		tops, err := ReadTree("/")
		must(t, err)
		for i := range tops {
			if tops[i].Name == "etc" {
				tops[i].Source = etc
			}
		}
		out := run(t, tops, nil, `/etc/deep/er/env -i /bin/echo climbed; cat /etc/own; test -e /etc/os-release && test -e /etc/mtab && echo there
			test -e /etc/shadow || echo "no shadow"`)
		if want := "climbed\nown\nthere\nno shadow\n"; out != want {
			t.Errorf("got\n%s\nwant\n%s", out, want)
		}
	})
}
