package mount

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// A test that applies a list needs a process of its own, whose root it may exchange. inside runs the calling test again
// in such processes, one for each combination of privilege and mount API, and calls body in them.

const (
	envCase  = "CAPSULE_MOUNT_CASE"  // "root/new": set in the process that has the namespace
	envShare = "CAPSULE_MOUNT_SHARE" // a directory for the test's own files, writable for all
)

type testCase struct {
	user bool // in a user namespace
	api  API
}

// prepare runs before the namespaces of the case are made, in a
// mount namespace that stands for the host's; it may be nil.
func inside(t *testing.T, prepare func(dir string), body func(c testCase, dir string)) {
	t.Helper()
	if c := os.Getenv(envCase); c != "" {
		who, api, _ := strings.Cut(c, "/")
		apis := map[string]API{"new": New, "old": Old}
		dir := os.Getenv(envShare)
		if who == "prepare" {
			who, api, _ = strings.Cut(api, "/")
			must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
			prepare(dir)
			again(t, who, apis[api], dir, who+"/"+api, 0)
			os.Exit(exitOf(t))
		}
		unix.Umask(0)
		inroot.NoOpenat2.Store(apis[api] == Old) // a kernel without the one has no other either
		body(testCase{user: who != "root", api: apis[api]}, dir)
		return
	}
	if os.Getuid() == 0 {
		for _, api := range []API{New, Old} {
			for _, who := range []string{"root", "user", "nobody"} {
				t.Run(who+"/"+api.String(), func(t *testing.T) {
					name := who + "/" + api.String()
					if prepare != nil {
						again(t, "root", api, share(t), "prepare/"+name, 0)
					} else {
						again(t, who, api, share(t), name, 0)
					}
				})
			}
		}
	} else if prepare == nil {
		for _, api := range []API{New, Old} {
			t.Run("user/"+api.String(), func(t *testing.T) { again(t, "user", api, share(t), "user/"+api.String(), 0) })
		}
	} else {
		needRoot(t, "it mounts file systems that stand for the host's")
	}
}

func needRoot(t *testing.T, why string) {
	if os.Getenv("CAPSULE_MUST_WORK") == "1" {
		t.Fatalf("needs root: %s", why)
	}
	t.Skipf("needs root: %s", why)
}

func exitOf(t *testing.T) int {
	if t.Failed() {
		return 1
	}
	return 0
}

// share makes a directory that every user can reach and write: t.TempDir's parent is closed to others.
func share(t *testing.T) string {
	dir, err := os.MkdirTemp("", "capsule-mount-")
	must(t, err)
	must(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// again runs the current test in new namespaces.
func again(t *testing.T, who string, api API, dir, name string, extra uintptr) {
	t.Helper()
	exe := "/proc/self/exe"
	test := strings.Split(t.Name(), "/")[0]
	args := []string{"-test.run=^" + test + "$", "-test.v"}
	cmd := exec.Command(exe, args...)
	id := os.Getuid()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | extra}
	switch who {
	case "nobody":
		// setpriv starts the program under another user, which then makes the namespaces with unshare: the way a
		// user's own process goes, without a right of root left over.
		data, err := os.ReadFile(exe)
		must(t, err)
		bin := filepath.Join(dir, "test")
		must(t, os.WriteFile(bin, data, 0o755))
		cmd = exec.Command("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups",
			"unshare", "--user", "--mount", "--map-user=65534", "--map-group=65534", "--keep-caps", bin}, args...)...)
		attr = &syscall.SysProcAttr{}
	case "user":
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), envCase+"="+name, envShare+"="+dir)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: "+test) && !strings.HasPrefix(name, "prepare") {
		t.Fatalf("%s as %s: %v\n%s", test, name, err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file and its directories on what stands for the host.
func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func wantFile(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s: got %q, %v; want %q", path, got, err, text)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if err == nil || !isErr(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func isErr(err, want error) bool {
	return err == want || fmt.Sprint(err) == fmt.Sprint(want) || strings.HasSuffix(fmt.Sprint(err), fmt.Sprint(want))
}
