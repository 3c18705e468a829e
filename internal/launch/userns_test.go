package launch

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestForbidden forbids user namespaces for real, inside a user namespace of the test's own: the limit that is written
// there counts there only.
func TestForbidden(t *testing.T) {
	for _, c := range []struct{ name, setting, want, mode, what string }{
		{"user namespaces", "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces=16384", "userns", "a user and a mount namespace"},
		{"mount namespaces", "/proc/sys/user/max_mnt_namespaces", "user.max_mnt_namespaces=16384", "userns", "a user and a mount namespace"},
		{"process namespaces", "/proc/sys/user/max_pid_namespaces", "user.max_pid_namespaces=16384", "userns pid",
			"a user, a mount and a process namespace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := "echo 0 > " + c.setting + " || exit 77; exec \"$@\""
			cmd := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c", script, "-", "/proc/self/exe", "true")
			exe := public(t)
			cmd.Args[len(cmd.Args)-2] = exe
			cmd.Env = append(os.Environ(), envLauncher+"="+c.mode)
			out, errs, code := result(t, cmd)
			if code == 77 || strings.Contains(errs, "unshare") {
				if os.Getenv("CAPSULE_MUST_WORK") == "1" {
					t.Fatal(errs)
				}
				t.Skipf("user namespaces are forbidden to the test, too: %s", errs)
			}
			if code != ExitSetup || out != "" || !strings.Contains(errs, c.want) ||
				!strings.HasPrefix(errs, "error: make "+c.what+": no space left on device\nhint: ") {
				t.Errorf("got %d, %q; want %d and %q", code, errs, ExitSetup, c.want)
			}
		})
	}
}

// Inside a chroot the kernel makes no user namespace for anybody.
func TestChroot(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("needs root: it calls chroot")
		}
		t.Skip("needs root: it calls chroot")
	}
	dir, err := os.MkdirTemp("", "capsule-chroot-")
	must(t, err)
	defer os.RemoveAll(dir)
	exe := public(t)
	data, err := os.ReadFile(exe)
	must(t, err)
	must(t, os.WriteFile(dir+"/test", data, 0o755))
	must(t, os.Mkdir(dir+"/proc", 0o755))
	for mode, want := range map[string]string{
		"userns": "user namespaces are forbidden inside a chroot",
		"root":   "chroot",
	} {
		// The mount of /proc lives in a mount namespace of its own.
		script := "mount -t proc proc " + dir + "/proc && exec chroot " + dir + " /test true"
		cmd := exec.Command("unshare", "--mount", "sh", "-c", script)
		cmd.Env = append(os.Environ(), envLauncher+"="+mode, envDir+"=/")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != ExitSetup || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: got %d, %q; want %q", mode, code, errs.String(), want)
		}
	}
}

func TestNamespaceHint(t *testing.T) {
	for _, c := range []struct {
		name   string
		errno  unix.Errno
		root   bool
		files  map[string]string
		expect string
	}{
		{"debian", unix.EPERM, false, map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, "kernel.unprivileged_userns_clone=1"},
		{"ubuntu", unix.EACCES, false, map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"},
			"kernel.apparmor_restrict_unprivileged_userns=0"},
		{"rhel", unix.ENOSPC, false, map[string]string{"/proc/sys/user/max_user_namespaces": "0\n"}, "user.max_user_namespaces=16384"},
		{"limit", unix.ENOSPC, false, map[string]string{"/proc/sys/user/max_user_namespaces": "96365\n"}, "96365 here"},
		{"nested", unix.EUSERS, false, nil, "nested"},
		{"not built in", unix.EINVAL, false, nil, "CONFIG_USER_NS"},
		{"container", unix.EPERM, false, map[string]string{"/proc/self/status": "Name:\tx\nSeccomp:\t2\n",
			"/proc/self/mountinfo": "1 2 0:1 / / rw - overlay overlay rw\n"}, "seccomp"},
		{"chroot", unix.EPERM, false, map[string]string{"/proc/self/mountinfo": "1 2 0:1 / /proc rw - proc proc rw\n"}, "chroot"},
		{"no idea", unix.EPERM, false, nil, "security modules"},
		{"root in a container", unix.EPERM, true, nil, "CAP_SYS_ADMIN"},
		{"other", unix.ENOENT, false, nil, ""},
	} {
		got := namespaceHint(c.errno, !c.root, func(name string) string { return c.files[name] })
		if !strings.Contains(got, c.expect) || c.expect == "" && got != "" {
			t.Errorf("%s: %q, want %q", c.name, got, c.expect)
		}
	}
}
