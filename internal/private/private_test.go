package private

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/trust"
)

// envKind is set for a process that makes a directory of that kind, tells its name, and waits to be
// killed.
const envKind = "PRIVATE_TEST_KIND"

func TestMain(m *testing.M) {
	if kind := os.Getenv(envKind); kind != "" {
		s, err := Temporary(os.Getenv, kind, nil)
		if err == nil {
			err = os.MkdirAll(s.Dir+"/deep/er", 0o700)
		}
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString(s.Dir + "\n")
		io.Copy(io.Discard, os.Stdin)
		s.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// another starts such a process, and returns its directory and what makes it end.
func another(t *testing.T, kind string) (dir string, cmd *exec.Cmd, end func()) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envKind+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return strings.TrimSpace(line), cmd, func() { in.Close(); cmd.Wait() }
}

// environment has directories of the test's own alone.
func environment(t *testing.T) (getenv func(string) string, tmp string) {
	tmp = t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return os.Getenv, tmp
}

// What a killed process has left goes when the next one comes, and nothing else.
func TestKilled(t *testing.T) {
	getenv, tmp := environment(t)
	killed, cmd, _ := another(t, "doctor")
	place := filepath.Dir(killed)
	if filepath.Dir(place) != tmp {
		t.Fatalf("got %s, want a place in %s", killed, tmp)
	}
	living, _, end := another(t, "doctor")
	otherKind, other, _ := another(t, "hook")
	must(t, cmd.Process.Kill())
	cmd.Wait()
	must(t, other.Process.Kill())
	other.Wait()
	if _, err := os.Stat(killed + "/deep/er"); err != nil {
		t.Fatalf("what a killed process has left is not there: %v", err)
	}
	must(t, os.Mkdir(place+"/doctors", 0o700))
	must(t, os.Symlink(place+"/doctors", place+"/doctor-link"))
	if os.Geteuid() == 0 {
		must(t, os.Mkdir(place+"/doctor-foreign", 0o700))
		must(t, os.Chown(place+"/doctor-foreign", 1234, 1234))
	}

	s, err := Temporary(getenv, "doctor", nil)
	must(t, err)
	if _, err := os.Lstat(killed); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", killed, err)
	}
	keeps := []string{living, otherKind, place + "/doctors", place + "/doctor-link"}
	if os.Geteuid() == 0 {
		keeps = append(keeps, place+"/doctor-foreign")
	}
	for _, dir := range keeps {
		if _, err := os.Lstat(dir); err != nil {
			t.Errorf("%s is gone: %v", dir, err)
		}
	}
	end()
	if _, err := os.Lstat(living); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left after the end: %v", living, err)
	}
	must(t, s.Close())
	if info, err := os.Stat(place); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v", info, err)
	}
}

// What is made for one process leaves not even the place.
func TestNothingStays(t *testing.T) {
	getenv, tmp := environment(t)
	s, err := Temporary(getenv, "doctor", nil)
	must(t, err)
	must(t, s.Close())
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v, want nothing", left, err)
	}
}

// A place that does not suit, that is not there or not the user's is passed over; none is followed
// through a link of another's.
func TestPlaces(t *testing.T) {
	getenv, tmp := environment(t)
	session := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", session)
	own := filepath.Join(session, "capsule-run")
	no := errors.New("does not suit")
	inSession := func(dir string) error {
		if dir != own {
			return no
		}
		return nil
	}
	s, err := Temporary(getenv, "doctor", inSession)
	must(t, err)
	if filepath.Dir(s.Dir) != own {
		t.Errorf("got %s, want one in %s", s.Dir, own)
	}
	must(t, s.Close())
	if _, err := Temporary(getenv, "doctor", func(string) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v, want %v", err, no)
	}
	for _, dir := range []string{tmp, session} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("got %v, %v in a place that does not suit, want nothing", left, err)
		}
	}
	must(t, os.Symlink(t.TempDir(), own)) // the user's own, to where there is room
	s, err = Temporary(getenv, "doctor", inSession)
	must(t, err)
	must(t, s.Close())
	if _, err := Temporary(getenv, "doctor", func(string) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v, want %v", err, no)
	}
	if _, err := os.Readlink(own); err != nil {
		t.Errorf("the user's link: %v", err)
	}
	t.Setenv("TMPDIR", tmp+"/none")
	for _, p := range places(getenv) {
		if strings.HasPrefix(p, tmp) {
			t.Errorf("%s is a place", p)
		}
	}
	if _, err := os.Lstat(tmp + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Error("TMPDIR was made")
	}
	t.Setenv("TMPDIR", "relative")
	if p := places(getenv)[0]; filepath.Dir(p) != "/tmp" {
		t.Errorf("got %s, want one in /tmp", p)
	}
}

// The cache is the user's own while nobody else can write to it; nothing is made.
func TestFind(t *testing.T) {
	getenv, tmp := environment(t)
	home := getenv("XDG_CACHE_HOME")
	c, err := Find(getenv)
	if err != nil || c.Dir != home+"/capsule-run" || c.Instead != nil || c.Lasting != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
	if left, _ := os.ReadDir(home); len(left) != 0 {
		t.Errorf("%v was made", left)
	}
	must(t, os.MkdirAll(home+"/capsule-run/runtimes", 0o700))
	must(t, os.Chmod(home+"/capsule-run/runtimes", 0o777))
	c, err = Find(getenv)
	if err != nil || filepath.Dir(c.Dir) != tmp || !errors.Is(c.Instead, trust.ErrShared) || c.Lasting != lasting {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := Look(getenv); !errors.Is(err, trust.ErrShared) {
		t.Errorf("got %v, want %v", err, trust.ErrShared)
	}
	for _, name := range []string{"XDG_CACHE_HOME", "HOME"} {
		t.Setenv(name, "")
	}
	if _, err := Find(getenv); !errors.Is(err, ErrNoCacheDir) {
		t.Errorf("got %v, want %v", err, ErrNoCacheDir)
	}
}
