package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// envName has the file that a process without root's rights is to read.
const envName = "TRUST_TEST_FILE"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree makes a/b/file, where a is the directory that is returned.
func tree(t *testing.T) string {
	t.Helper()
	a := filepath.Join(t.TempDir(), "a")
	must(t, os.MkdirAll(a+"/b", 0o755))
	must(t, os.WriteFile(a+"/b/file", []byte("text"), 0o644))
	return a
}

func TestRead(t *testing.T) {
	root := os.Geteuid() == 0 && !inUserNamespace()
	for _, c := range []struct {
		name    string
		make    func(a string) error
		file    string // below a; empty: b/file
		machine string // what Machine's refusal says to root
		user    string
	}{
		{name: "as it should be", make: func(string) error { return nil }},
		{"the file is everybody's", func(a string) error { return os.Chmod(a+"/b/file", 0o646) }, "", "a/b/file can be", "a/b/file can be"},
		{"the file is a group's", func(a string) error { return os.Chmod(a+"/b/file", 0o664) }, "", "a/b/file can be", ""},
		{"its directory is everybody's", func(a string) error { return os.Chmod(a+"/b", 0o777) }, "", "a/b can be", "a/b can be"},
		{"a directory above is everybody's", func(a string) error { return os.Chmod(a, 0o757) }, "", "a can be", "a can be"},
		{"a directory above is a group's", func(a string) error { return os.Chmod(a, 0o775) }, "", "a can be", ""},
		{"a directory with the sticky bit", func(a string) error { return os.Chmod(a, 0o777|os.ModeSticky) }, "", "", ""},
		{"the file is a user's", func(a string) error { return os.Chown(a+"/b/file", 1234, 0) }, "", "a/b/file belongs to user 1234", ""},
		{"a directory is a user's", func(a string) error { return os.Chown(a, 1234, 0) }, "", "a belongs to user 1234", ""},
		{"a user's file in a directory with the sticky bit", func(a string) error {
			return errors.Join(os.Chmod(a+"/b", 0o777|os.ModeSticky), os.Chown(a+"/b/file", 1234, 0))
		}, "", "a/b/file belongs to user 1234", "a/b/file belongs to user 1234, in a directory in which everybody"},
		{"a user's directory in one with the sticky bit", func(a string) error {
			return errors.Join(os.Chmod(a, 0o777|os.ModeSticky), os.Chown(a+"/b", 1234, 0))
		}, "", "a/b belongs to user 1234", "a/b belongs to user 1234, in a directory in which everybody"},
		{"a user's link in one with the sticky bit", func(a string) error {
			return errors.Join(os.Symlink("b", a+"/link"), os.Chmod(a, 0o777|os.ModeSticky), os.Lchown(a+"/link", 1234, 0))
		}, "link/file", "a/link belongs to user 1234", "a/link belongs to user 1234, in a directory in which everybody"},
		{"a user's directory with the sticky bit", func(a string) error {
			return errors.Join(os.Chmod(a, 0o777|os.ModeSticky), os.Chown(a, 1234, 0), os.Chown(a+"/b", 1234, 0))
		}, "", "a belongs to user 1234", ""},
		{"a group's directory with the group bit", func(a string) error { return os.Chmod(a, 0o775|os.ModeSetgid) }, "", "a can be", ""},
		{"a directory that can be searched and not read", func(a string) error { return os.Chmod(a, 0o711) }, "", "", ""},
		{"nobody's directories, as in a user namespace", func(a string) error {
			return errors.Join(os.Chown(a, 65534, 65534), os.Chown(a+"/b", 65534, 65534), os.Chown(a+"/b/file", 65534, 65534))
		}, "", "a belongs to user 65534", ""},
		{"a link to it", func(a string) error { return os.Symlink("b/../b/./file", a+"/link") }, "link", "", ""},
		{"an absolute link to its directory", func(a string) error { return os.Symlink(a+"/b", a+"/link") }, "link/file", "", ""},
		{"links into a store, as on NixOS", func(a string) error {
			return errors.Join(os.MkdirAll(a+"/store/etc", 0o755), os.Rename(a+"/b/file", a+"/store/etc/file"),
				os.Chmod(a+"/store", 0o775|os.ModeSticky),
				os.Symlink(a+"/store/etc", a+"/static"), os.Symlink(a+"/static/file", a+"/b/file"))
		}, "", "", ""},
		{"a link of a user's", func(a string) error {
			return errors.Join(os.Symlink("b", a+"/link"), os.Lchown(a+"/link", 1234, 0))
		}, "link/file", "a/link belongs to user 1234", ""},
		{"a link in everybody's directory", func(a string) error {
			return errors.Join(os.Mkdir(a+"/c", 0o755), os.Symlink("../b", a+"/c/link"), os.Chmod(a+"/c", 0o777))
		}, "c/link/file", "a/c can be", "a/c can be"},
		{"a link to itself", func(a string) error { return os.Symlink("link", a+"/link") }, "link", "symbolic links", "symbolic links"},
		{"a directory", func(string) error { return nil }, "b", "not a regular file", "not a regular file"},
		{"a pipe", func(a string) error { return unix.Mkfifo(a+"/pipe", 0o600) }, "pipe", "not a regular file", "not a regular file"},
		{"too large", func(a string) error { return os.Truncate(a+"/b/file", 101) }, "", "file too large (limit 100 bytes)", "file too large (limit 100 bytes)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := tree(t)
			if err := c.make(a); errors.Is(err, unix.EPERM) && os.Getenv("CAPSULE_MUST_WORK") != "1" {
				t.Skip("only root can give files away")
			} else if err != nil {
				t.Fatal(err)
			}
			if c.file == "" {
				c.file = "b/file"
			}
			for whose, want := range map[Whose]string{Machine: c.machine, User: c.user} {
				if whose == Machine && !root {
					want = c.user
				}
				text, err := Read(filepath.Join(a, c.file), whose, 100)
				switch {
				case want == "" && (err != nil || string(text) != "text"):
					t.Errorf("%d: %q, %v", whose, text, err)
				case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("%d: %v, not %q", whose, err, want)
				case strings.Contains(want, "can be") && !strings.Contains(fault.Hint(err), "chmod "):
					t.Errorf("%d: hint %q", whose, fault.Hint(err))
				}
			}
		})
	}
}

func TestMissing(t *testing.T) {
	a := tree(t)
	for name, want := range map[string]error{"nowhere": fs.ErrNotExist, "nowhere/file": fs.ErrNotExist, "b/file/x": unix.ENOTDIR} {
		if _, err := Read(filepath.Join(a, name), Machine, 100); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Mkdir(a+"/open", 0o777))
	must(t, os.Chmod(a+"/open", 0o777))
	if _, err := Read(a+"/open/nowhere/file", User, 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file in everybody's directory: %v", err)
	}
	for _, name := range []string{"b", "b/file", "b/.."} {
		if err := Check(a+"/"+name, Machine); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if fds, _ := os.ReadDir("/proc/self/fd"); len(fds) > 30 {
		t.Errorf("%d descriptors are open", len(fds))
	}
}

// Whose environment leads to a home that they cannot look into has no configuration there; what they can see and not read is
// an error.
func TestUnreachable(t *testing.T) {
	if os.Getenv(envName) != "" {
		_, err := Read(os.Getenv(envName), User, 100)
		fmt.Println(Missing(err, User), Missing(err, Machine), err)
		os.Exit(0)
	}
	if os.Geteuid() != 0 || inUserNamespace() {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("only root can be somebody else")
		}
		t.Skip("only root can be somebody else")
	}
	a := tree(t)
	must(t, os.Chmod(filepath.Dir(filepath.Dir(a)), 0o755))
	must(t, os.Chmod(filepath.Dir(a), 0o755))
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(a+"/test", self, 0o755))
	for _, c := range []struct {
		dir, file os.FileMode
		want      string
	}{
		{0o700, 0o600, "true false open " + a + "/b/file: permission denied"},
		{0o711, 0o600, "false false open " + a + "/b/file: permission denied"},
		{0o711, 0o644, "false false <nil>"},
		{0o600, 0o644, "true false "},
	} {
		must(t, os.Chmod(a+"/b", c.dir))
		must(t, os.Chmod(a+"/b/file", c.file))
		cmd := exec.Command(a+"/test", "-test.run=^TestUnreachable$")
		cmd.Env = []string{envName + "=" + a + "/b/file"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), c.want) {
			t.Errorf("%o %o: %s, %v", c.dir, c.file, out, err)
		}
	}
}
