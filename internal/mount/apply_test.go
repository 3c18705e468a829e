package mount

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestApply(t *testing.T) {
	inside(t, nil, func(c testCase, d string) {
		write(t, d+"/tree/bin/tool", "tool")
		write(t, d+"/tree/sub/file", "sub")
		write(t, d+"/real/data", "data")
		write(t, d+"/one", "1")
		must(t, os.Symlink(d+"/real", d+"/link")) // absolute: must mean the old root's path
		must(t, os.Symlink("../../../../../../../../.."+d+"/one", d+"/climb"))
		must(t, Apply([]Op{
			{Kind: Bind, Source: d + "/tree", Target: "/usr", ReadOnly: true, Recursive: true},
			{Kind: Symlink, Target: "/bin", Text: "usr/bin"},
			{Kind: Symlink, Target: "/bin", Text: "usr/bin"},
			{Kind: Dir, Target: "/secret", Mode: 0o700},
			{Kind: Tmpfs, Target: "/tmp", Mode: 0o1777},
			{Kind: Bind, Source: d + "/one", Target: "/tmp/deep/er/one"},
			{Kind: Bind, Source: d + "/link", Target: "/data", Recursive: true},
			{Kind: Bind, Source: d + "/climb", Target: "/climbed", ReadOnly: true},
			{Kind: Bind, Source: d + "/one", Target: "/bin/tool", ReadOnly: true}, // through our link, onto what exists
			{Kind: Bind, Source: d + "/missing", Target: "/missing", Optional: true},
			{Kind: Bind, Source: d + "/one/below-a-file", Target: "/missing", Optional: true},
			{Kind: File, Target: "/etc/made", Text: "made\n", Mode: 0o600},
			{Kind: Bind, Source: "/proc", Target: "/proc", Recursive: true},
			{Kind: Seal, Target: "/"},
		}, c.api))
		wantFile(t, "/bin/tool", "1")
		wantFile(t, "/usr/sub/file", "sub")
		wantFile(t, "/tmp/deep/er/one", "1")
		wantFile(t, "/data/data", "data")
		wantFile(t, "/climbed", "1")
		wantFile(t, "/etc/made", "made\n")
		for path, mode := range map[string]os.FileMode{
			"/": 0o755, "/secret": 0o700, "/tmp": 0o777, "/tmp/deep": 0o755, "/etc/made": 0o600, "/etc": 0o755,
		} {
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v; want mode %o", path, st, err, mode)
			}
		}
		if _, err := os.Lstat("/missing"); !os.IsNotExist(err) {
			t.Errorf("an optional bind without source left its target: %v", err)
		}
		wantErr(t, "write to a read-only directory", os.WriteFile("/usr/new", nil, 0o644), unix.EROFS)
		wantErr(t, "write to a read-only file", os.WriteFile("/climbed", nil, 0o644), unix.EROFS)
		wantErr(t, "write to the sealed root", os.Mkdir("/new", 0o755), unix.EROFS)
		must(t, os.WriteFile("/tmp/deep/er/one", []byte("2"), 0o644))
		must(t, os.WriteFile("/data/new", []byte("new"), 0o644))
		must(t, os.WriteFile("/tmp/new", nil, 0o644))
		if wd, err := os.Getwd(); err != nil || wd != "/" {
			t.Errorf("working directory %q, %v", wd, err)
		}
		// Nothing of the old root is left, neither by path nor as a mount.
		names, err := filepath.Glob("/*")
		must(t, err)
		if got := strings.Join(names, " "); got != "/bin /climbed /data /etc /proc /secret /tmp /usr" {
			t.Errorf("the new root holds %s", got)
		}
		info, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		for _, p := range mountPoints(info) {
			if strings.HasPrefix(p, "/old") || strings.HasPrefix(p, "/new") {
				t.Errorf("left mounted: %s", p)
			}
		}
	})
}

// TestReadOnlyIsRecursive has a mount below the source, and flags that a namespace without privilege may not clear.
func TestReadOnlyIsRecursive(t *testing.T) {
	prepare := func(dir string) {
		write(t, dir+"/src/top", "top")
		must(t, os.Chmod(dir+"/src", 0o777))
		must(t, os.MkdirAll(dir+"/src/a b\\c/deep", 0o777))
		must(t, unix.Mount("tmpfs", dir+"/src/a b\\c", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0777"))
		must(t, os.Mkdir(dir+"/src/a b\\c/deep", 0o777))
		must(t, unix.Mount("tmpfs", dir+"/src/a b\\c/deep", "tmpfs", unix.MS_NOATIME, "mode=0777"))
		write(t, dir+"/src/a b\\c/deep/file", "deep")
	}
	inside(t, prepare, func(c testCase, d string) {
		must(t, Apply([]Op{
			{Kind: Bind, Source: d + "/src", Target: "/ro", ReadOnly: true, Recursive: true},
			{Kind: Bind, Source: d + "/src", Target: "/rw", Recursive: true},
		}, c.api))
		wantFile(t, "/ro/a b\\c/deep/file", "deep")
		for _, dir := range []string{"/ro", "/ro/a b\\c", "/ro/a b\\c/deep"} {
			wantErr(t, dir, os.WriteFile(dir+"/new", nil, 0o644), unix.EROFS)
		}
		for _, dir := range []string{"/rw", "/rw/a b\\c", "/rw/a b\\c/deep"} {
			must(t, os.WriteFile(dir+"/new", nil, 0o644))
		}
		for path, want := range map[string]int64{
			"/ro/a b\\c":      unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC | unix.ST_RDONLY,
			"/ro/a b\\c/deep": unix.ST_NOATIME | unix.ST_RDONLY,
		} {
			var fs unix.Statfs_t
			must(t, unix.Statfs(path, &fs))
			if int64(fs.Flags)&want != want {
				t.Errorf("%s: flags %#x lack some of %#x", path, fs.Flags, want)
			}
		}
	})
}

// A bind that is not recursive would uncover what the host has mounted over: refused without privilege, with a hint.
func TestNotRecursive(t *testing.T) {
	prepare := func(dir string) {
		must(t, os.MkdirAll(dir+"/src/hidden/below", 0o755))
		must(t, unix.Mount("tmpfs", dir+"/src/hidden", "tmpfs", 0, ""))
	}
	inside(t, prepare, func(c testCase, d string) {
		err := Apply([]Op{{Kind: Bind, Source: d + "/src", Target: "/x"}}, c.api)
		if !c.user {
			must(t, err)
			if _, err := os.Stat("/x/hidden/below"); err != nil {
				t.Error(err)
			}
			return
		}
		wantErr(t, "bind without the mounts below", err, unix.EINVAL)
		if e, ok := err.(*Error); !ok || !strings.Contains(e.Hint(), "without privileges") {
			t.Errorf("no hint in %v", err)
		}
	})
}

// Mounts of ours must not reach a host whose mounts are shared (systemd makes them so).
func TestHostSeesNothing(t *testing.T) {
	prepare := func(dir string) {
		must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""))
		must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0777"))
		must(t, os.Mkdir(dir+"/src", 0o777))
		must(t, os.Mkdir(dir+"/src/on", 0o777))
		before, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		write(t, dir+"/before", string(before))
	}
	inside(t, prepare, func(c testCase, d string) {
		host, err := os.ReadFile(d + "/before")
		must(t, err)
		// The parent process, in the host's namespace, is asked through its own /proc entry.
		parent, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", os.Getppid()))
		must(t, err)
		must(t, Apply([]Op{
			{Kind: Bind, Source: d, Target: d, Recursive: true},
			{Kind: Tmpfs, Target: "/t"},
			{Kind: Bind, Source: "/proc", Target: "/proc", Recursive: true},
		}, c.api))
		// A mount that the game makes in a bound directory stays inside, too.
		must(t, unix.Mount("tmpfs", d+"/src/on", "tmpfs", 0, ""))
		buf := make([]byte, 1<<20)
		n, err := unix.Pread(int(parent.Fd()), buf, 0)
		must(t, err)
		if strings.Count(string(buf[:n]), "\n") != strings.Count(string(host), "\n") {
			t.Errorf("the host's mounts changed from\n%s\nto\n%s", host, buf[:n])
		}
	})
}

func TestErrors(t *testing.T) {
	inside(t, nil, func(c testCase, d string) {
		if os.Getenv("CAPSULE_MOUNT_ERR") == "" {
			// One process each: a failed Apply leaves its process good for nothing.
			for name := range badOps(d) {
				t.Setenv("CAPSULE_MOUNT_ERR", name)
				who := "root"
				if c.user {
					who = "same"
				}
				again(t, who, c.api, d, os.Getenv(envCase), 0)
			}
			return
		}
		os.MkdirAll(d+"/ro", 0o777)
		os.WriteFile(d+"/file", nil, 0o644)
		name := os.Getenv("CAPSULE_MOUNT_ERR")
		bad := badOps(d)[name]
		err := Apply(append([]Op{
			{Kind: Bind, Source: d + "/ro", Target: "/usr", ReadOnly: true, Recursive: true},
			{Kind: Bind, Source: d + "/ro", Target: "/rw", Recursive: true},
			{Kind: Symlink, Target: "/dangling", Text: "/nowhere"},
			{Kind: File, Target: "/file", Text: "x"},
			{Kind: Dir, Target: "/dir"},
		}, bad.op), c.api)
		if err == nil || err.Error() != bad.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, bad.want)
		}
		if e, ok := err.(*Error); ok && e.Index != 5 {
			t.Errorf("%s: blames operation %d", name, e.Index)
		}
	})
}

func badOps(d string) map[string]struct {
	op   Op
	want string
} {
	return map[string]struct {
		op   Op
		want string
	}{
		"no source": {Op{Kind: Bind, Source: d + "/none", Target: "/x"},
			"bind " + d + "/none on /x: open source: no such file or directory"},
		"relative": {Op{Kind: Dir, Target: "x"}, `dir x: check the target: "x" is not absolute`},
		"kind":     {Op{Kind: "bend", Target: "/x"}, `bend /x: check the kind: unknown kind "bend"`},
		"not ours": {Op{Kind: Bind, Source: d + "/file", Target: "/usr/new"},
			"bind " + d + "/file on /usr/new: open target: " + errNotOurs.Error()},
		"not ours, writable": {Op{Kind: Bind, Source: d + "/file", Target: "/rw/new"},
			"bind " + d + "/file on /rw/new: open target: " + errNotOurs.Error()},
		"not ours, directory": {Op{Kind: Dir, Target: "/rw/a/b"}, "dir /rw/a/b: make directory: " + errNotOurs.Error()},
		"not ours, link": {Op{Kind: Symlink, Target: "/rw/l", Text: "x"},
			"symlink /rw/l -> x: check the target's directory: " + errNotOurs.Error()},
		"not ours, file": {Op{Kind: File, Target: "/rw/l", Text: "x"},
			"file /rw/l: check the target's directory: " + errNotOurs.Error()},
		"dir on file": {Op{Kind: Bind, Source: d + "/ro", Target: "/file"},
			"bind " + d + "/ro on /file: open target: a directory cannot be bound on a file"},
		"file on dir": {Op{Kind: Bind, Source: d + "/file", Target: "/dir"},
			"bind " + d + "/file on /dir: open target: a file cannot be bound on a directory"},
		"dangling directory": {Op{Kind: Bind, Source: d + "/file", Target: "/dangling/x"},
			"bind " + d + "/file on /dangling/x: make directory: /dangling is a symbolic link that leads nowhere"},
		"dangling file": {Op{Kind: Bind, Source: d + "/file", Target: "/dangling"},
			"bind " + d + "/file on /dangling: open target: /dangling is a symbolic link that leads nowhere"},
		"other link": {Op{Kind: Symlink, Target: "/dangling", Text: "/elsewhere"},
			"symlink /dangling -> /elsewhere: make link: file exists"},
		"root": {Op{Kind: Symlink, Target: "/", Text: "x"},
			"symlink / -> x: check the target: the root itself cannot be replaced"},
		"magic link": {Op{Kind: Bind, Source: "/proc/self/exe", Target: "/x"},
			"bind /proc/self/exe on /x: open source: invalid cross-device link"},
	}
}
