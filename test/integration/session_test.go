//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// session is an ordinary user's: his home, his XDG_RUNTIME_DIR, and the launcher. Servers of
// a desktop refuse to be root's, or clients that are not of their own user.
type session struct {
	dir, home, run, launcher string
	env                      []string
	enter                    []string // begins a command that is to be in another mount namespace
}

// needs fails the test, or skips it, where a program of test/setup.sh is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CAPSULE_MUST_WORK") == "1" {
				t.Fatal(err)
			}
			t.Skip("test/setup.sh installs it:", err)
		}
	}
}

func newSession(t *testing.T, env ...string) *session {
	t.Helper()
	dir := beside(t)
	s := &session{dir: dir, home: dir + "/home", run: dir + "/run", launcher: dir + "/capsule-run"}
	copyFile(t, binary, s.launcher)
	must(t, os.Chmod(s.launcher, 0o755))
	for _, d := range []string{s.home, s.run} {
		must(t, os.Mkdir(d, 0o700))
		s.give(t, d)
	}
	s.env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + s.home, "XDG_RUNTIME_DIR=" + s.run, "LANG=C.UTF-8",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + s.run + "/bus"}, env...)
	return s
}

// bus starts the session's.
func (s *session) bus(t *testing.T) {
	t.Helper()
	serve(t, s.command(append([]string{"dbus-daemon"}, busArguments(s.run+"/bus")...)...), s.run+"/bus")
}

// command is one of the user's.
func (s *session) command(argv ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		argv = append([]string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}, argv...)
	}
	if s.enter != nil { // the working directory would stay one of our namespace
		argv = append(append(s.enter[:len(s.enter):len(s.enter)], "env", "-C", s.home), argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = s.env, s.home
	return cmd
}

// give makes a tree the user's.
func (s *session) give(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, 65534, 65534)
	}))
}

func (s *session) ok(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := s.command(argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, tail(string(out)))
	}
	return string(out)
}

// inRuntime is the launcher with a command in Debian 11 with programs of a desktop.
func (s *session) inRuntime(t *testing.T, flags []string, argv ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{s.launcher, "--runtime", trees.Tree(t, "desktop11"), "--host", trees.Tree(t, "host13")}, flags...)
	return s.command(append(append(args, "--"), argv...)...)
}
