//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// The Debian package, installed on Debian 12 and 13 by their own dpkg, works there for an unprivileged user; what it
// brings besides the program is understood by the programs that it is for; and removing it leaves nothing.
func TestDebianPackage(t *testing.T) {
	display := xvfb.Start(t)
	made := exec.Command("make", "--no-print-directory", "-s", "deb")
	made.Dir, made.Stderr = "../..", os.Stderr
	out, err := made.Output()
	must(t, err)
	deb, err := filepath.Abs("../../" + lastLine(string(out)))
	must(t, err)
	runtime := trees.Tree(t, "runtime11")
	for _, release := range []string{"full12", "host13"} {
		t.Run(release, func(t *testing.T) {
			unmounted(t)
			root := writableRoot(t, trees.Tree(t, release))
			must(t, os.Remove(root+"/etc/dpkg/dpkg.cfg.d/99mmdebstrap")) // which leaves man pages out of the trees
			copyFile(t, deb, root+"/capsule-run.deb")
			in := func(user string, argv ...string) result { return inTree(t, root, runtime, user, display, argv...) }

			before := listing(t, root+"/usr")
			if r := in("0", "dpkg", "--install", "/capsule-run.deb"); r.status != 0 {
				t.Fatal(r.both())
			}
			r := in("1000", "capsule-run", "--runtime", "/runtime", "--", "glxinfo", "-B")
			if r.status != 0 || !strings.Contains(r.stdout, "llvmpipe") || r.stderr != "" {
				t.Errorf("glxinfo, exit status %d:\n%s", r.status, r.both())
			}
			// `frontend` comes from the program itself, by way of the script.
			r = in("1000", "bash", "-c", `. /usr/share/bash-completion/completions/capsule-run
				_get_comp_words_by_ref() { cur= prev=--boundary words=(capsule-run --boundary "") cword=2; }
				_init_completion() { _get_comp_words_by_ref; }
				COMP_WORDS=(capsule-run --boundary "") COMP_CWORD=2 COMP_LINE="capsule-run --boundary " COMP_POINT=23 COMP_TYPE=9
				__start_capsule-run; printf '%s\n' "${COMPREPLY[@]}"`)
			if !regexp.MustCompile(`(?m)^frontend\b`).MatchString(r.stdout) {
				t.Errorf("bash completes --boundary to:\n%s", r.both())
			}
			for _, page := range []string{"capsule-run.1", "capsule-run-plan.1", "capsule-run-hook-install.1", "capsule-run-cdi-generate.1"} {
				name := strings.TrimSuffix(page, ".1") + " - "
				if text := readFile(t, root+"/usr/share/man/man1/"+page); !strings.HasPrefix(text, ".") || !strings.Contains(text, name) {
					t.Errorf("%s begins with %.40q", page, text)
				}
			}
			// The links between the documents lead to files beside them.
			docs := root + "/usr/share/doc/capsule-run/"
			links := regexp.MustCompile(`\]\(([^):#]+)[#)]`).FindAllStringSubmatch(readFile(t, docs+"README.md")+readFile(t, docs+"getting-started.md"), -1)
			for _, link := range links {
				if _, err := os.Stat(docs + link[1]); err != nil {
					t.Error(err)
				}
			}
			if len(links) < 10 {
				t.Errorf("README.md has the links %v", links)
			}
			if r := in("1000", "capsule-hook"); r.status != 2 || !strings.Contains(r.stderr, "hook install") {
				t.Errorf("capsule-hook by itself, exit status %d:\n%s", r.status, r.both())
			}
			if r := in("0", "dpkg", "--purge", "capsule-run"); r.status != 0 {
				t.Fatal(r.both())
			}
			after := listing(t, root+"/usr")
			for name := range after {
				if _, ok := before[name]; !ok {
					t.Errorf("left behind: %s", name)
				}
			}
		})
	}
}

// inTree runs a command as a user of a tree, which is the root directory: in a chroot(2) the kernel refuses user
// namespaces. The runtime is at /runtime.
func inTree(t *testing.T, root, runtime, user string, display *xvfb.Server, argv ...string) result {
	t.Helper()
	args := []string{"--bind", root, "/", "--proc", "/proc", "--dev-bind", "/dev", "/dev", "--ro-bind", "/sys", "/sys", "--perms", "1777", "--tmpfs", "/tmp",
		"--bind", "/tmp/.X11-unix", "/tmp/.X11-unix", "--ro-bind", runtime, "/runtime", "--cap-add", "ALL", "--chdir", "/tmp", "--clearenv",
		"--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--setenv", "HOME", "/tmp/home", "--setenv", "DEBIAN_FRONTEND", "noninteractive"}
	for _, e := range display.Env() {
		name, value, _ := strings.Cut(e, "=")
		args = append(args, "--setenv", name, value)
	}
	args = append(args, "--", "setpriv", "--reuid", user, "--regid", user, "--clear-groups")
	if user != "0" {
		args = append(args, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
	}
	// A home of the user's own: a cache in one that others can write to is not used.
	args = append(args, "sh", "-c", `mkdir -m 700 "$HOME" && cd "$HOME" && exec "$@"`, "sh")
	return finish(t, exec.Command("bwrap", append(args, argv...)...))
}
