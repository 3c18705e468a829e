package mount

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// roomOps shows a runtime's /etc, which has what a runtime can have, with all that can be wanted in
// it.
func roomOps(d string) []Op {
	return []Op{
		{Kind: Bind, Source: d + "/rt/usr", Target: "/usr", ReadOnly: true, Recursive: true},
		{Kind: Dir, Target: "/run"},
		{Kind: Bind, Source: d + "/rt/etc", Target: "/etc", ReadOnly: true, Recursive: true},
		{Kind: Room, Target: "/etc"},
		{Kind: Room, Target: "/usr/lib"},
		{Kind: Bind, Source: d + "/host", Target: "/etc/there", ReadOnly: true},
		{Kind: Bind, Source: d + "/host", Target: "/etc/lacking", ReadOnly: true},
		{Kind: Bind, Source: d + "/host", Target: "/etc/zone", ReadOnly: true},
		{Kind: Bind, Source: d + "/host", Target: "/etc/dir/deep/lacking", ReadOnly: true},
		{Kind: Bind, Source: d + "/host", Target: "/etc/new/er/file", ReadOnly: true},
		{Kind: Bind, Source: d + "/host", Target: "/etc/linked/mine", ReadOnly: true},
		{Kind: Bind, Source: d + "/host", Target: "/etc/torun/x/mine"},
		{Kind: Bind, Source: d + "/rt/usr", Target: "/etc/overrun", ReadOnly: true, Recursive: true},
		{Kind: Bind, Source: d + "/missing", Target: "/etc/optional/deep", Optional: true},
		{Kind: Bind, Source: d + "/missing", Target: "/etc/kept", Optional: true},
		{Kind: Symlink, Target: "/etc/dir/link", Text: "/run"},
		{Kind: Symlink, Target: "/etc/dir/link", Text: "/run"},
		{Kind: File, Target: "/etc/text", Text: "text", Mode: 0o600},
		{Kind: Tmpfs, Target: "/usr/lib/ours"},
		{Kind: Bind, Source: d + "/host", Target: "/usr/lib/ours/a/b", ReadOnly: true},
		{Kind: Seal, Target: "/usr/lib/ours"},
		{Kind: Bind, Source: "/proc", Target: "/proc", Recursive: true},
	}
}

func roomTree(t *testing.T, d string) {
	write(t, d+"/host", "host")
	for _, name := range []string{"there", "plain", "kept", "dir/one", "dir/deep/two"} {
		write(t, d+"/rt/etc/"+name, "runtime")
	}
	write(t, d+"/rt/usr/lib/lib.so", "runtime")
	write(t, d+"/rt/usr/lib/sub/mod.so", "runtime")
	write(t, d+"/rt/usr/share/vendor/in/link", "runtime")
	for name, text := range map[string]string{"zone": "../usr/share/none", "linked": "/usr/share/vendor", "torun": "../run", "overrun": "../run",
		"own": "dir/one", "climb": "../usr/lib/lib.so"} {
		must(t, os.Symlink(text, d+"/rt/etc/"+name))
	}
}

// Entries of the runtime are there as they are, not as links to elsewhere, and so is what later
// operations bring, whether the runtime has a place for it or not. Nothing of it can be written to,
// and the runtime is not.
func TestRoom(t *testing.T) {
	inside(t, nil, func(c testCase, d string) {
		roomTree(t, d)
		var before, after unix.Stat_t
		must(t, unix.Stat(d+"/rt/etc/plain", &before))
		must(t, Apply(roomOps(d), c.api))
		checkRoom(t)
		if must(t, unix.Stat("/etc/plain", &after)); after.Ino != before.Ino {
			t.Errorf("inode %#x, want %#x", after.Ino, before.Ino)
		}
		var fs unix.Statfs_t
		must(t, unix.Statfs("/etc", &fs))
		if overlay := fs.Type == unix.OVERLAYFS_SUPER_MAGIC; overlay != (c.api == New) {
			t.Errorf("/etc is of type %#x", fs.Type)
		}
	})
}

func checkRoom(t *testing.T) {
	t.Helper()
	for path, text := range map[string]string{"there": "host", "lacking": "host", "zone": "host", "dir/deep/lacking": "host", "new/er/file": "host",
		"linked/mine": "host", "torun/x/mine": "host", "plain": "runtime", "kept": "runtime", "dir/one": "runtime", "dir/deep/two": "runtime", "own": "runtime",
		"climb": "runtime", "linked/in/link": "runtime", "text": "text", "../usr/lib/lib.so": "runtime", "../usr/lib/sub/mod.so": "runtime",
		"../usr/lib/ours/a/b": "host", "../run/x/mine": "host", "overrun/lib/lib.so": "runtime"} {
		wantFile(t, filepath.Join("/etc", path), text)
	}
	for name, text := range map[string]string{"torun": "../run", "own": "dir/one", "dir/link": "/run"} {
		if got, err := os.Readlink("/etc/" + name); got != text {
			t.Errorf("link %s: got %q, %v, want %q", name, got, err, text)
		}
	}
	for _, name := range []string{"there", "plain", "dir", "zone", "dir/one", "linked"} {
		if st, err := os.Lstat("/etc/" + name); err != nil || st.Mode()&os.ModeSymlink != 0 {
			t.Errorf("%s: %v, %v, want no link", name, st, err)
		}
	}
	names, err := os.ReadDir("/etc")
	must(t, err)
	var got []string
	for _, n := range names {
		got = append(got, n.Name())
	}
	if want := []string{"climb", "dir", "kept", "lacking", "linked", "new", "overrun", "own", "plain", "text", "there", "torun", "zone"}; !slices.Equal(got, want) {
		t.Errorf("/etc has %q, want %q", got, want)
	}
	if list, err := os.ReadDir("/run"); err != nil || len(list) != 1 {
		t.Errorf("/run has %v, %v, want x alone", list, err)
	}
	for _, dir := range []string{"/etc", "/etc/dir", "/etc/new", "/usr/lib", "/usr/lib/sub", "/usr/lib/ours"} {
		wantErr(t, "write to "+dir, os.WriteFile(dir+"/made", nil, 0o644), unix.EROFS)
	}
}

// What the host has mounted below the runtime's directory is seen, and what it forbids stays
// forbidden.
func TestRoomOverMounts(t *testing.T) {
	prepare := func(d string) {
		roomTree(t, d)
		must(t, os.Mkdir(d+"/rt/usr/lib/wsl", 0o755))
		must(t, unix.Mount("tmpfs", d+"/rt/usr/lib/wsl", "tmpfs", unix.MS_NODEV, ""))
		write(t, d+"/rt/usr/lib/wsl/driver", "mounted")
		must(t, unix.Mount(d+"/rt/etc", d+"/rt/etc", "", unix.MS_BIND, ""))
		must(t, unix.Mount("", d+"/rt/etc", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NOEXEC, ""))
	}
	inside(t, prepare, func(c testCase, d string) {
		must(t, Apply(roomOps(d), c.api))
		checkRoom(t)
		wantFile(t, "/usr/lib/wsl/driver", "mounted")
		wantErr(t, "write to a mount", os.WriteFile("/usr/lib/wsl/made", nil, 0o644), unix.EROFS)
		var fs unix.Statfs_t
		must(t, unix.Statfs("/etc/plain", &fs))
		if want := int64(unix.ST_NOSUID | unix.ST_NOEXEC); int64(fs.Flags)&want != want {
			t.Errorf("/etc: flags %#x lack some of %#x", fs.Flags, want)
		}
	})
}

// A runtime without the directory gets it, and a room in which nothing is wanted leaves the
// directory alone.
func TestRoomOfNothing(t *testing.T) {
	inside(t, nil, func(c testCase, d string) {
		write(t, d+"/rt/file", "runtime")
		write(t, d+"/host", "host")
		must(t, Apply([]Op{
			{Kind: Room, Target: "/etc"},
			{Kind: Bind, Source: d + "/host", Target: "/etc/file"},
			{Kind: Bind, Source: d + "/rt", Target: "/opt", ReadOnly: true, Recursive: true},
			{Kind: Room, Target: "/opt"},
			{Kind: Bind, Source: "/proc", Target: "/proc", Recursive: true},
		}, c.api))
		wantFile(t, "/etc/file", "host")
		wantFile(t, "/opt/file", "runtime")
		info, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		if n := strings.Count(string(info), " /opt "); n != 1 {
			t.Errorf("%d mounts at /opt", n)
		}
	})
}
