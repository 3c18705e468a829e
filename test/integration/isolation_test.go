//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Without any namespace the same programs print the same, with one libc, which is the runtime's.
func TestIsolationNone(t *testing.T) {
	probes := sharedProbes(t)
	free := regexp.MustCompile(`(?m)^.* \d+ MB.*\n`) // memory, which changes by itself
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		unmounted(t)
		l.display = display
		for _, argv := range [][]string{{"glxinfo", "-B"}, {"/usr/bin/vulkaninfo", "--summary"}, {probes + "/bin/egl_small"}} {
			l.argv, l.flags = argv, []string{"--isolation=userns"}
			want := l.ok(t)
			l.flags = []string{"--isolation=none"}
			if a, b := free.ReplaceAllString(want.stdout, ""), free.ReplaceAllString(l.ok(t).stdout, ""); a != b {
				t.Errorf("%s in namespaces:\n%s\nand without:\n%s", argv[0], tail(a), tail(b))
			}
		}
		l.argv, l.flags = []string{probes + "/bin/maps"}, []string{"--isolation=none"}
		libc := map[string]bool{}
		maps := l.ok(t).stdout
		for _, m := range regexp.MustCompile(`(?m) (/\S*/lib(?:c\.so\.6|c-2\.\d+\.so|pthread[-.]\S*|m\.so\.6))$`).FindAllStringSubmatch(maps, -1) {
			if strings.HasPrefix(m[1], home+"/.cache/capsule-run/") && strings.Contains(m[1], "/proxy/") {
				continue
			}
			libc[m[1]] = true
			if !strings.HasPrefix(m[1], l.runtime+"/") {
				t.Errorf("not the runtime's: %s", m[1])
			}
		}
		if len(libc) == 0 || !strings.Contains(maps, "/host13-") && l.host != machine {
			t.Errorf("the maps are no driver's:\n%s", maps)
		}
	})
}

// sharedProbes are the probes in a directory that has the same path in namespaces.
func sharedProbes(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() + "/probes"
	must(t, os.CopyFS(dir, os.DirFS(trees.Probes(t))))
	return dir
}

// Every check of one libc holds, each in a process of its own: the probe starts itself by /proc/self/exe, which is ld.so here.
func TestIsolationNoneHasOneLibc(t *testing.T) {
	dir := sharedProbes(t)
	display := xvfb.Start(t)
	for _, r := range []string{"runtime11", "runtime13"} {
		t.Run(r, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, r), host: trees.HostWithTestLib(t), display: display,
				flags: []string{"--isolation=userns"},
				env:   []string{"CT_STRAY=" + dir + "/stray/libcapsuletest-stray.so"}, argv: []string{dir + "/bin/one_libc"}}
			for _, lib := range hostlibraries.HostLibraries {
				l.flags = append(l.flags, "--library", lib)
			}
			names := regexp.MustCompile(`(?m)^ok (\S+)`).FindAllStringSubmatch(l.ok(t).stdout, -1)
			if len(names) < 60 {
				t.Fatalf("%d checks", len(names))
			}
			l.flags = append([]string{"--isolation=none"}, l.flags[1:]...)
			for _, n := range names {
				l.argv = []string{dir + "/bin/one_libc", n[1]}
				if out := l.ok(t).stdout; strings.Contains(out, "FAIL") {
					t.Errorf("%s", out)
				}
			}
		})
	}
}

// At the driver boundary the generated manifests name the stubs where they are.
func TestIsolationNoneAtTheDriverBoundary(t *testing.T) {
	display := xvfb.Start(t)
	for _, r := range []string{"full11", "full13"} {
		l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13"), display: display}
		for _, argv := range [][]string{{"glxinfo", "-B"}, {"vulkaninfo", "--summary"}} {
			l.argv, l.flags = argv, []string{"--isolation=none", "--boundary", "driver"}
			if out, mesa := l.ok(t).stdout, "Mesa "+mesaVersion(t, l.host); !strings.Contains(out, mesa) {
				t.Errorf("%s: %s does not say %s:\n%s", r, argv[0], mesa, tail(out))
			}
		}
	}
}

// What is started, and how it ends, is as it is in namespaces.
func TestIsolationNoneStarts(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		must(t, os.WriteFile(dir+"/"+name, []byte(text), 0o755))
		return dir + "/" + name
	}
	for _, c := range []struct {
		argv   []string
		status int
		out    string
	}{
		{[]string{"bash", "-c", "echo $BASH_VERSION"}, 0, "5.1."}, // Debian 11's
		{[]string{script("s", "#!/bin/bash -e\necho $BASH_VERSION $1 $-\n"), "word"}, 0, "5.1.4(1)-release word eh"},
		{[]string{script("t", "#!"+dir+"/s\n"), "word"}, 0, "5.1.4(1)-release " + dir + "/t"},
		{[]string{"bash", "-c", "echo ${0##*/}"}, 0, "bash\n"},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15, ""},
		{[]string{"sh", "-c", "exit 3"}, 3, ""},
		{[]string{"no-such-program"}, 127, ""},
		{[]string{script("loop", "#!"+dir+"/loop\n")}, 126, ""},
		{[]string{script("empty", "")}, 126, ""},
	} {
		l := quick(t, c.argv...)
		l.flags = []string{"--isolation=none"}
		if r := l.run(t); r.status != c.status || !strings.HasPrefix(r.stdout, c.out) {
			t.Errorf("%q: exit status %d, want %d; %q, want %q\n%s", c.argv, r.status, c.status, r.stdout, c.out, r.stderr)
		}
	}
	l := quick(t, "true")
	l.flags = []string{"--isolation=none", "--bind", "/usr/share"}
	refused(t, l.run(t), 125, "--bind is not possible", "--isolation=none")
}

// Where no namespace can be had, auto goes on without, and says so in one line; userns is an error.
func TestIsolationAuto(t *testing.T) {
	display := xvfb.Start(t)
	l := quick(t, "glxinfo", "-B")
	l.display = display
	// User 0 of a user namespace that may have no further ones, without capabilities.
	forbidden := func(flags ...string) result {
		l.flags = flags
		cmd := l.command(t.Context())
		args := []string{"--user", "--map-root-user", "sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces &&
			exec setpriv --bounding-set=-all --inh-caps=-all "$@"`, "sh"}
		wrapped := exec.Command("unshare", append(args, cmd.Args...)...)
		wrapped.Env, wrapped.Dir = cmd.Env, cmd.Dir
		return finish(t, wrapped)
	}
	r := forbidden()
	if r.status != 0 || !strings.Contains(r.stdout, "llvmpipe") ||
		!regexp.MustCompile(`\Acapsule-run: note: no namespaces here [^\n]*--isolation=none\n\z`).MatchString(r.stderr) {
		t.Errorf("auto: exit status %d\n%s", r.status, tail(r.both()))
	}
	refused(t, forbidden("--isolation=userns"), 125, "namespace", "user.max_user_namespaces")
	if r := l.ok(t); strings.Contains(r.stderr, "note") {
		t.Errorf("where namespaces are: %s", r.stderr)
	}
}

// In a container, with the host's release as its image: Podman lets it have user namespaces, Docker's seccomp profile does
// not (clone and unshare fail with EPERM, clone3 with ENOSYS).
func TestInsideContainers(t *testing.T) {
	if _, err := exec.LookPath("podman"); err != nil {
		t.Fatal("podman is not installed: run make test, or apt-get install podman runc")
	}
	unmounted(t)
	display := xvfb.Start(t)
	args := []string{"run", "--rm", "--runtime", "runc", "--network", "none", "--ulimit", "nofile=1024:2048", "--ulimit", "nproc=1024:2048",
		"--volume", "/tmp/.X11-unix:/tmp/.X11-unix", "--volume", filepath.Dir(binary) + ":/opt:ro",
		"--volume", trees.Tree(t, "runtime11") + ":/runtime:ro", "--env", "HOME=/tmp"}
	for _, e := range display.Env() {
		args = append(args, "--env", e)
	}
	const newUser = `"args":[{"index":0,"value":268435456,"valueTwo":268435456,"op":"SCMP_CMP_MASKED_EQ"}]`
	profile := t.TempDir() + "/seccomp.json"
	must(t, os.WriteFile(profile, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
		{"names":["clone","unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":1,`+newUser+`},
		{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}`), 0o644))
	command := []string{"--rootfs", trees.Tree(t, "host13") + ":O", "/opt/capsule-run", "--runtime", "/runtime", "--", "glxinfo", "-B"}
	for name, more := range map[string][]string{
		"Podman": nil,
		"Docker": {"--security-opt", "seccomp=" + profile, "--cap-drop", "all", "--security-opt", "no-new-privileges"},
	} {
		t.Run(name, func(t *testing.T) {
			r := finish(t, exec.Command("podman", slices.Concat(args, more, command)...))
			noted := strings.Contains(r.stderr, "note: no namespaces here")
			if r.status != 0 || !strings.Contains(r.stdout, "llvmpipe") || noted != (name == "Docker") {
				t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
			}
		})
	}
}
