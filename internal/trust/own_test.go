package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// envOwn has the directory that a process of another user is to make its own.
const envOwn = "TRUST_TEST_OWN"

func TestMain(m *testing.M) {
	if name := os.Getenv(envOwn); name != "" {
		err := Own(name, 0o700)
		fmt.Printf("%v %v|%s\n", err, errors.Is(err, ErrShared), fault.Hint(err))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// owner is who makes a directory their own; their group has the same number, and /etc/group has
// none of it.
const owner = 4321

// asOwner makes a directory the user's own, by way of some program, and tells what came of it and
// the hint.
func asOwner(t *testing.T, test, name string, by ...string) (said, hint string) {
	t.Helper()
	argv := append(by, test)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{envOwn + "=" + name, "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner, Gid: owner}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said, hint, _ = strings.Cut(strings.TrimSuffix(string(out), "\n"), "|")
	return said, hint
}

// outsideTemporary is a directory whose way is root's alone, with this program in it.
func outsideTemporary(t *testing.T) (dir, test string) {
	t.Helper()
	if os.Geteuid() != 0 || inUserNamespace() {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal("only root can be somebody else")
		}
		t.Skip("only root can be somebody else")
	}
	dir, err := os.MkdirTemp("/var/lib", "capsule-trust-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	test = dir + "/test"
	must(t, os.WriteFile(test, self, 0o755))
	return dir, test
}

func TestOwn(t *testing.T) {
	dir, test := outsideTemporary(t)
	give := func(name string, uid int, mode fs.FileMode) error {
		return errors.Join(os.Chown(name, uid, uid), os.Chmod(name, mode))
	}
	for i, c := range []struct {
		name string
		make func(home string) error // of owner's; what is wanted is home/.cache/capsule-run/builds
		said string                  // "" says that it is the user's own then; HOME stands for home
		hint string
	}{
		{"nothing is there yet", func(string) error { return nil }, "", ""},
		{"all is there, of an earlier release", func(home string) error {
			return errors.Join(os.MkdirAll(home+"/.cache/capsule-run/builds", 0o755), give(home+"/.cache", owner, 0o755),
				give(home+"/.cache/capsule-run", owner, 0o755), give(home+"/.cache/capsule-run/builds", owner, 0o755))
		}, "", ""},
		{"home is another user's", func(home string) error { return give(home, 1234, 0o777) }, "HOME belongs to user 1234", ""},
		{"home is everybody's", func(home string) error { return give(home, owner, 0o777) },
			"HOME can be written by others than its owner", "chmod go-w HOME"},
		{"home is a group's", func(home string) error { return give(home, owner, 0o775) },
			"HOME can be written by others than its owner", "chmod go-w HOME"},
		{"home is everybody's, with the sticky bit", func(home string) error { return give(home, 0, 0o777|os.ModeSticky) }, "", ""},
		{"the same of another user", func(home string) error { return give(home, 1234, 0o777|os.ModeSticky) }, "HOME belongs to user 1234", ""},
		{"another one's directory in it", func(home string) error {
			return errors.Join(give(home, 0, 0o777|os.ModeSticky), os.Mkdir(home+"/.cache", 0o755), give(home+"/.cache", 1234, 0o755))
		}, "HOME/.cache belongs to user 1234", ""},
		{"root's directory in it, closed", func(home string) error {
			return errors.Join(give(home, 0, 0o777|os.ModeSticky), os.Mkdir(home+"/.cache", 0o755))
		}, "mkdir HOME/.cache/capsule-run: permission denied", ""},
		{"another one's link in it", func(home string) error {
			return errors.Join(give(home, 0, 0o777|os.ModeSticky), os.Mkdir(home+"/real", 0o700), give(home+"/real", owner, 0o700),
				os.Symlink("real", home+"/.cache"), os.Lchown(home+"/.cache", 1234, 1234))
		}, "HOME/.cache belongs to user 1234", ""},
		{"a link of the user's own", func(home string) error {
			return errors.Join(os.Mkdir(home+"/real", 0o700), give(home+"/real", owner, 0o700),
				os.Symlink("real", home+"/.cache"), os.Lchown(home+"/.cache", owner, owner))
		}, "", ""},
		{"a link to what is everybody's", func(home string) error {
			return errors.Join(os.Mkdir(home+"/real", 0o700), give(home+"/real", owner, 0o777),
				os.Symlink("real", home+"/.cache"), os.Lchown(home+"/.cache", owner, owner))
		}, "HOME/real can be written by others than its owner", "chmod go-w HOME/real"},
		{"another user's at the end", func(home string) error {
			return errors.Join(os.MkdirAll(home+"/.cache/capsule-run/builds", 0o755), give(home+"/.cache", owner, 0o755),
				give(home+"/.cache/capsule-run", owner, 0o755), give(home+"/.cache/capsule-run/builds", 1234, 0o755))
		}, "HOME/.cache/capsule-run/builds belongs to user 1234", ""},
		{"root's at the end", func(home string) error {
			return errors.Join(os.MkdirAll(home+"/.cache/capsule-run/builds", 0o755), give(home+"/.cache", owner, 0o755),
				give(home+"/.cache/capsule-run", owner, 0o755))
		}, "HOME/.cache/capsule-run/builds belongs to user 0", ""},
		{"everybody's at the end, sticky or not", func(home string) error {
			return errors.Join(os.MkdirAll(home+"/.cache/capsule-run/builds", 0o755), give(home+"/.cache", owner, 0o755),
				give(home+"/.cache/capsule-run", owner, 0o755), give(home+"/.cache/capsule-run/builds", owner, 0o777|os.ModeSticky))
		}, "HOME/.cache/capsule-run/builds can be written by others than its owner", ""},
		{"a file", func(home string) error {
			return errors.Join(os.WriteFile(home+"/.cache", nil, 0o600), os.Lchown(home+"/.cache", owner, owner))
		}, "open HOME/.cache/capsule-run: not a directory", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := fmt.Sprint(dir, "/", i)
			must(t, os.Mkdir(home, 0o755))
			must(t, give(home, owner, 0o755))
			must(t, c.make(home))
			said, hint := asOwner(t, test, home+"/.cache/capsule-run/builds")
			want := strings.ReplaceAll(c.said, "HOME", home)
			wantHint := strings.ReplaceAll(c.hint, "HOME", home)
			if c.said == "" {
				want = "<nil> false"
			} else if strings.HasPrefix(c.said, "HOME") {
				want += " true"
			} else {
				want += " false"
			}
			if said != want || hint != wantHint {
				t.Errorf("got %q, hint %q, want %q, %q", said, hint, want, wantHint)
			}
			info, err := os.Stat(home + "/.cache/capsule-run/builds")
			if c.said == "" && (err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != owner) {
				t.Errorf("got %v, %v", info, err)
			}
			if _, err := os.Lstat(home + "/.cache"); c.said != "" && i == 2 && err == nil {
				t.Error("something was made in another user's directory")
			}
		})
	}
}

// In a user namespace root and all others have one number, which may lead the way, but where
// everybody can make files.
func TestOwnInUserNamespace(t *testing.T) {
	dir, test := outsideTemporary(t)
	must(t, os.Mkdir(dir+"/home", 0o700))
	must(t, os.Chown(dir+"/home", owner, owner))
	must(t, os.Mkdir(dir+"/tmp", 0o777))
	must(t, os.Chmod(dir+"/tmp", 0o777|os.ModeSticky))
	must(t, os.MkdirAll(dir+"/tmp/other/mine", 0o755))
	must(t, os.Chown(dir+"/tmp/other", 1234, 1234))
	must(t, os.Chown(dir+"/tmp/other/mine", owner, owner))
	for _, ids := range []string{"--map-root-user", "--map-current-user"} {
		for name, want := range map[string]string{"/home/.cache": "<nil> false", "/tmp/cache" + ids: "<nil> false",
			"/tmp/other/mine/cache": dir + "/tmp/other belongs to user 65534 true"} {
			if said, _ := asOwner(t, test, dir+name, "unshare", "--user", ids); said != want {
				t.Errorf("%s %s: got %q, want %q", ids, name, said, want)
			}
		}
	}
	// The same holds for the files that a user writes.
	must(t, os.WriteFile(dir+"/tmp/other/file", nil, 0o644))
	must(t, os.Chown(dir+"/tmp", 1234, 1234))
	cmd := exec.Command("unshare", "--user", "--map-root-user", test, "-test.run=^TestUnreachable$")
	cmd.Env = []string{envName + "=" + dir + "/tmp/other/file", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner, Gid: owner}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "belongs to user 65534, in a directory in which everybody") {
		t.Errorf("got %s, %v", out, err)
	}
}

// A group that has nobody else in it is the user's own (umask 002), and no other.
func TestAlone(t *testing.T) {
	passwd := [][]string{{"root", "x", "0", "0"}, {"alice", "x", "1000", "1000"}, {"bob", "x", "1001", "100"}, {"carol", "x", "1002", "1002"}, {}, {"#"}}
	group := [][]string{{"root", "x", "0", ""}, {"alice", "x", "1000", ""}, {"users", "x", "100", ""}, {"games", "x", "60", "alice,bob"},
		{"own", "x", "61", "alice"}, {"twice", "x", "62", ""}, {"twice", "x", "62", "bob"}, {"short", "x", "63"}, {"admin", "x", "64", "root,alice"}, {}}
	for gid, want := range map[uint32]bool{0: true, 64: true, 1000: true, 61: true, 100: false, 60: false, 62: false, 63: false, 99: false, 1002: false} {
		if got := aloneBy(1000, gid, passwd, group); got != want {
			t.Errorf("group %d: got %v, want %v", gid, got, want)
		}
	}
	if aloneBy(4711, 62, passwd, group) {
		t.Error("a user without a name is taken to be alone")
	}
}

// What an access control list allows shows as the group's bits.
func TestListed(t *testing.T) {
	name := t.TempDir()
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	if listed(f) {
		t.Error("a plain directory has a list")
	}
	// acl(5), as the kernel has it: version 2, then tag, rights and number of each entry
	// (linux/posix_acl_xattr.h).
	acl := "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\xd2\x04\x00\x00" +
		"\x04\x00\x05\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	if err := unix.Setxattr(name, "system.posix_acl_access", []byte(acl), 0); err == unix.ENOTSUP && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skip("the file system has no access control lists")
	} else if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode()&0o020 == 0 || !listed(f) {
		t.Errorf("got %v, %v, %v", info.Mode(), err, listed(f))
	}
}
