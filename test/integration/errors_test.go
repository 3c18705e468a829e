//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// refused checks a failed launch: the status, nothing on standard output, one line of error that matches, one of hint
// that matches.
func refused(t *testing.T, r result, status int, message, hint string) {
	t.Helper()
	want := regexp.MustCompile(`\Acapsule-run: error: [^\n]*(?:` + message + `)[^\n]*\ncapsule-run: hint: [^\n]*(?:` + hint + `)[^\n]*\n\z`)
	if r.status != status || r.stdout != "" || !want.MatchString(r.stderr) {
		t.Errorf("exit status %d (want %d), error %q, hint %q expected\n%s", r.status, status, message, hint, r.both())
	}
}

// othersMounts is, as an extended regular expression too, where others mount meanwhile: who makes a tree, runs a container, or
// tests on the same machine.
const othersMounts = `/(mmdebstrap\.|containers/|netns/|capsule-hook-|Test[A-Z])`

// unmounted checks at the end of the test that nothing is mounted that was not before.
func unmounted(t *testing.T) {
	t.Helper()
	others, own := regexp.MustCompile(othersMounts), filepath.Dir(t.TempDir())
	read := func() string {
		var kept strings.Builder
		for line := range strings.Lines(readFile(t, "/proc/self/mounts")) {
			if !others.MatchString(line) || strings.Contains(line, own) {
				kept.WriteString(line)
			}
		}
		return kept.String()
	}
	before := read()
	t.Cleanup(func() {
		if after := read(); after != before {
			t.Errorf("mounted before:\n%s\nafter:\n%s", before, after)
		}
	})
}

// quick is a launch in runtime11 on host13, whose build is shared by the tests.
func quick(t *testing.T, argv ...string) launch {
	t.Helper()
	unmounted(t)
	return launch{runtime: trees.Tree(t, "runtime11"), host: trees.Tree(t, "host13"), argv: argv}
}

func TestCommandCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		command       string
		status        int
		message, hint string
	}{
		{"no-such-command", 127, `no-such-command: command not found`, `PATH=/usr/local/bin`},
		{"/usr/bin/no-such-command", 127, `/usr/bin/no-such-command`, `runtime`},
		{"./no-such-command", 127, `\./no-such-command`, `runtime`},
		{"/etc/debian_version/x", 127, `/etc/debian_version/x`, `runtime`},
		{"", 127, `""`, `.`},
		{"/etc/debian_version", 126, `/etc/debian_version.*permission denied`, `execute permission`},
		{"/usr/bin", 126, `/usr/bin.*permission denied`, `directory`},
		{file("text", "no program\n", 0o755), 126, `text.*not a program`, `#!`},
		{file("empty", "", 0o755), 126, `empty.*not a program`, `#!`},
		{file("plain", "#!/bin/sh\n", 0o644), 126, `plain.*permission denied`, `execute permission`},
		{file("script", "#!/opt/missing/python3 -u\n", 0o755), 126, `script.*interpreter is missing`, `/opt/missing/python3`},
		// The host's, which the runtime has not: Debian 11 without the compiler's driver.
		{"/usr/bin/Xvfb", 127, `/usr/bin/Xvfb`, `runtime`},
	} {
		t.Run(strings.ReplaceAll(c.command, "/", "_"), func(t *testing.T) {
			refused(t, quick(t, c.command).run(t), c.status, c.message, c.hint)
		})
	}
}

func TestTreeCannotBeARuntime(t *testing.T) {
	for _, c := range []struct{ tree, message, hint string }{
		{"musl", `musl.*not on glibc`, `Debian`},
		{"foreign", `foreign.*another architecture.*RISCV`, `x86_64`},
	} {
		t.Run(c.tree, func(t *testing.T) {
			unmounted(t)
			cache := t.TempDir()
			l := launch{runtime: trees.Tree(t, c.tree), host: machine, argv: []string{"true"}, env: []string{"XDG_CACHE_HOME=" + cache}}
			refused(t, l.run(t), 125, c.message, c.hint)
			if left, _ := os.ReadDir(cache); len(left) != 0 {
				t.Errorf("left in the cache: %v", left)
			}
		})
	}
}

// A program of a runtime for another C library in a runtime with glibc.
func TestProgramOfAnotherLibc(t *testing.T) {
	program := compileFor(t, "/lib/ld-musl-x86_64.so.1")
	refused(t, quick(t, program).run(t), 126, `interpreter is missing`, `another C library`)
}

// compileFor makes a program that names a dynamic loader.
func compileFor(t *testing.T, interp string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "main")
	if out, err := exec.Command("gcc", "-o", program, source, "-Wl,--dynamic-linker="+interp).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// User namespaces are forbidden, as on hardened systems: the error names the sysctl. The limit is set inside a
// namespace made for this test (user_namespaces(7)); the machine's own is left alone.
func TestUserNamespacesForbidden(t *testing.T) {
	l := quick(t, "true")
	l.flags = []string{"--isolation=userns"}
	l.ok(t) // it is built, and works without the limit
	shell := `echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all "$0" "$@"`
	inside := l.command(t.Context())
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", shell}, inside.Args...)...)
	cmd.Env, cmd.Dir = inside.Env, inside.Dir
	// The user is nobody in particular in there, or no user namespace would be needed.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
	}
	refused(t, finish(t, cmd), 125, `user.* namespace`, `switched off.* sysctl user\.max_user_namespaces=`)
}

// finish runs a command that is no plain launch, for five minutes at most.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = patience // for what holds our pipes and is not the command
	must(t, cmd.Start())
	const limit = 5 * time.Minute
	end := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	cmd.Wait()
	r := result{stdout: out.String(), stderr: errs.String(), status: cmd.ProcessState.ExitCode()}
	if !end.Stop() {
		t.Fatalf("%q has not ended after %v\n%s", cmd.Args, limit, tail(r.both()))
	}
	return r
}

// inMountNamespace runs a shell script that may mount, for the test alone.
func inMountNamespace(ctx context.Context, script string) *exec.Cmd {
	args := []string{"--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	return exec.CommandContext(ctx, "unshare", append(args, "sh", "-c", script)...)
}

// The disk is full at one step of the build after the other: told as such, nothing half written stays, and the next
// launch with space works.
func TestFullDisk(t *testing.T) {
	for _, size := range []string{"4k", "64k", "1m", "1500k"} {
		t.Run("size="+size, func(t *testing.T) {
			refused(t, onFullDisk(t, "size="+size), 125, `no space left on device`, `free some space`)
		})
	}
	// A file more each time, until all of them fit: so the last that failed was the last to be made.
	n := 2
	for ; n < 200; n++ {
		r := onFullDisk(t, fmt.Sprintf("nr_inodes=%d", n))
		if r.status == 0 {
			break
		}
		refused(t, r, 125, `no space left on device`, `free some space`)
	}
	if n < 20 || n == 200 {
		t.Errorf("the build fits into %d inodes", n)
	}
}

// onFullDisk launches with a file system of the given options as XDG_CACHE_HOME, then once more with space there. On
// standard output it prints each file left after a failure.
func onFullDisk(t *testing.T, options string) result {
	t.Helper()
	l := quick(t, "true")
	dir := t.TempDir()
	l.env = []string{"XDG_CACHE_HOME=" + dir}
	inside := l.command(t.Context())
	cmd := inMountNamespace(t.Context(), fmt.Sprintf(`
		mount -t tmpfs -o %s full %[2]s || exit 90
		"$@"
		status=$?
		[ $status = 0 ] && exit
		find %[2]s ! -type d -o -name '.*'
		mount -o remount,size=64m,nr_inodes=1000 %[2]s || exit 91
		"$@" || exit 92
		[ -e %[2]s/capsule-run/builds/*/current/plan.json ] || exit 93
		exit $status`, options, dir))
	cmd.Args = append(append(cmd.Args, "sh"), inside.Args...)
	cmd.Env, cmd.Dir = inside.Env, inside.Dir
	return finish(t, cmd)
}

// A cache directory that belongs to somebody else.
func TestCacheCannotBeWritten(t *testing.T) {
	l := quick(t, "true")
	dir := t.TempDir()
	l.env = []string{"XDG_CACHE_HOME=" + dir}
	inside := l.command(t.Context())
	cmd := inMountNamespace(t.Context(), fmt.Sprintf(`mount -t tmpfs -o ro full %s || exit 90; exec "$@"`, dir))
	cmd.Args = append(append(cmd.Args, "sh"), inside.Args...)
	cmd.Env, cmd.Dir = inside.Env, inside.Dir
	refused(t, finish(t, cmd), 125, `read-only file system`, `XDG_CACHE_HOME`)
}
