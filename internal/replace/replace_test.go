package replace

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// only complains if a directory has other files than one.
func only(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	got, err := os.ReadFile(name)
	st, statErr := os.Lstat(name)
	if err != nil || statErr != nil || string(got) != text || st.Mode() != mode {
		t.Errorf("%q, %v; %v, %v", got, err, st, statErr)
	}
	if all, err := os.ReadDir(filepath.Dir(name)); err != nil || len(all) != 1 {
		t.Errorf("beside it: %v, %v", all, err)
	}
}

func TestFile(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	t.Setenv("TMPDIR", t.TempDir())
	name := filepath.Join(t.TempDir(), "spec.json")
	if err := File(name, []byte("first"), Options{}); err != nil {
		t.Fatal(err)
	}
	only(t, name, "first", 0o644)
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(name, 1234, 1234); os.Geteuid() == 0 && err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	sentinel := errors.New("sentinel")
	asked := ""
	err = File(name, []byte("bad"), Options{Like: before, Check: func(name string) error {
		text, err := os.ReadFile(name)
		asked = filepath.Base(name) + " " + string(text)
		return errors.Join(err, sentinel)
	}})
	if !errors.Is(err, sentinel) || !strings.HasPrefix(asked, ".") || !strings.HasSuffix(asked, " bad") || strings.Contains(asked, ".json ") {
		t.Errorf("%q, %v", asked, err)
	}
	only(t, name, "first", 0o640)
	if err := File(name, []byte("second"), Options{Like: before, Check: func(string) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	only(t, name, "second", 0o640)
	if after, err := os.Stat(name); err != nil || after.Sys().(*syscall.Stat_t).Uid != before.Sys().(*syscall.Stat_t).Uid {
		t.Errorf("another owner: %v, %v", after, err)
	}
}

// A user's own file: a new one is what the umask leaves, and one that is there stays as it is.
func TestFileIsKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.html")
	defer unix.Umask(unix.Umask(0o027))
	if err := File(name, []byte("first"), Options{Kept: true}); err != nil {
		t.Fatal(err)
	}
	only(t, name, "first", 0o640)
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := File(name, []byte("second"), Options{Kept: true}); err != nil {
		t.Fatal(err)
	}
	only(t, name, "second", 0o600)
}

func TestFileIsUndone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.MkdirAll(dir+"/taken/x", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := File(dir+"/taken", []byte("x"), Options{}); err == nil {
		t.Error("a directory was replaced")
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
	if err := File(dir+"/nowhere/x", nil, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// What a killed process has left beside the file goes with the next one, and nothing else does.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "spec.json")
	// As SIGKILL leaves it.
	left := dir + "/.spec.json1234567890123456789"
	if err := os.WriteFile(left, []byte("te"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := File(name, []byte("text"), Options{Check: func(temporary string) error {
		if digits, ok := strings.CutPrefix(temporary, dir+"/.spec.json"); !ok || strings.Trim(digits, "0123456789") != "" {
			t.Errorf("got %s, want a name like %s", temporary, left)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	others := []string{left + "x", dir + "/.spec.json20260101", dir + "/.other.json1234567890123456789"}
	old := time.Now().Add(-2 * abandoned)
	for _, f := range others {
		if err := errors.Join(os.WriteFile(f, nil, 0o600), os.Chtimes(f, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{true, false} { // somebody may be writing it, until it is old
		if i == 1 {
			if err := os.Chtimes(left, old, old); err != nil {
				t.Fatal(err)
			}
		}
		if err := File(name, []byte("again"), Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(left); (err == nil) != want {
			t.Errorf("%s: got %v, want it there: %v", left, err, want)
		}
	}
	for _, f := range others {
		if _, err := os.Lstat(f); err != nil {
			t.Error(err)
		}
	}
}
