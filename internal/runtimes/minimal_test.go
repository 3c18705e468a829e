package runtimes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// minimal is Steam Runtime 3 as the client installs it, with a description.
func minimal(t testing.TB, description string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	platform := dir + "/sniper_platform_3.0.20250101.1"
	for name, text := range map[string]string{"lib/libc-2.31.so": "libc", "bin/sh": "shell", "0a/bcdef0-1.bin": "twice", "share/doc": "not described"} {
		must(t, os.MkdirAll(filepath.Dir(platform+"/files/"+name), 0o755))
		must(t, os.WriteFile(platform+"/files/"+name, []byte(text), 0o644))
	}
	must(t, os.Chmod(platform+"/files/lib/libc-2.31.so", 0o755))
	must(t, os.WriteFile(platform+"/usr-mtree.txt.gz", compressed(t, "gz", []byte(description)), 0o644))
	return dir
}

const described = `#mtree
. type=dir
./bin type=dir
./bin/sh type=file mode=755 time=1600000000.000000001 size=5 sha256=00
./bin/bash type=link link=sh
./lib type=dir
./lib/libc-2.31.so type=file mode=755 size=4
./lib/libc.so.6 type=link link=libc-2.31.so
./lib/a\040file type=file mode=644 size=5 contents=./0a/bcdef0-1.bin

# between
./lib/b:file type=file size=5 contents=./0a/bcdef0-1.bin unknown=word
./share/empty type=file size=0 mode=644
./none type=file size=3 optional
./var type=dir
`

func TestMinimalRuntime(t *testing.T) {
	dir := minimal(t, described)
	s := Open(t.TempDir() + "/store")
	h, err := s.Acquire(dir, nil)
	must(t, err)
	defer h.Close()
	files := h.Dir + "/files"
	for name, want := range map[string]string{"bin/bash": "shell", "lib/libc.so.6": "libc", "lib/a file": "twice", "lib/b:file": "twice", "share/empty": ""} {
		if text, err := os.ReadFile(files + "/" + name); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for name, want := range map[string]struct {
		exec, linked bool // linked: it is the installed file, which has the right mode
	}{"bin/sh": {true, false}, "lib/libc-2.31.so": {true, true}, "lib/a file": {false, true}, "share/empty": {false, false}} {
		info, err := os.Lstat(files + "/" + name)
		must(t, err)
		if got := info.Sys().(*syscall.Stat_t).Nlink > 1; got != want.linked || info.Mode().Perm()&0o100 != 0 != want.exec {
			t.Errorf("%s: %v, linked: %v", name, info.Mode(), got)
		}
	}
	if info, err := os.Stat(files + "/bin/sh"); err != nil || info.ModTime().Unix() != 1600000000 {
		t.Errorf("time of a copy: %v, %v", info.ModTime(), err)
	}
	if info, err := os.Stat(files + "/var"); err != nil || !info.IsDir() {
		t.Errorf("empty directory: %v", err)
	}
	for _, name := range []string{"share/doc", "0a", "none"} {
		if _, err := os.Lstat(files + "/" + name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	// Whichever of its directories is meant, it is the same entry.
	platform := dir + "/sniper_platform_3.0.20250101.1"
	for _, name := range []string{platform, platform + "/files", platform + "/files/"} {
		again, err := s.Acquire(name, nil)
		must(t, err)
		if again.Dir != h.Dir {
			t.Errorf("%s is %s, not %s", name, again.Dir, h.Dir)
		}
		again.Close()
	}
	if list, err := s.List(); err != nil || len(list) != 1 || list[0].Source != platform {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := OpenWhere(func() (Place, error) { return Place{}, unix.EROFS }).Acquire(dir, nil); !errors.Is(err, unix.EROFS) {
		t.Errorf("without a store: %v", err)
	}
}

// What is not as it is described is refused, and nothing of it stays, least of all outside.
func TestMinimalRuntimeRefused(t *testing.T) {
	for name, text := range map[string]string{
		"missing":      "./lib/none type=file size=3",
		"other size":   "./bin/sh type=file size=6",
		"upwards":      "./../x type=file size=0",
		"upwards deep": "./a/../../x type=file size=0",
		"contents":     "./x type=file size=1 contents=./../usr-mtree.txt.gz",
		"absolute":     "/x type=file size=0",
		"through link": "./lib type=link link=/tmp\n./lib/x type=file size=0",
		"link, dir":    "./lib type=link link=/tmp\n./lib type=dir",
		"twice":        "./x type=file size=0\n./x type=link link=y",
		"device":       "./x type=char",
		"no type":      "./x size=0",
		"no target":    "./x type=link",
		"file, target": "./x type=file link=y",
		"top":          ". type=link link=x",
		"escape":       `./x\9 type=dir`,
		"directory":    "./x type=file size=4096 contents=./lib",
		"deep":         "." + strings.Repeat("/x", maxMtreeDepth+1) + " type=dir",
		"long":         "./" + strings.Repeat("x", maxMtreeLine) + " type=dir",
	} {
		t.Run(name, func(t *testing.T) {
			s := Open(t.TempDir() + "/store")
			h, err := s.Acquire(minimal(t, text), nil)
			if h != nil || !errors.Is(err, ErrArchive) || fault.Hint(err) == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			empty(t, s)
		})
	}
}

// A line of a description is short, and may name hundreds of directories.
func TestMinimalRuntimeBounded(t *testing.T) {
	for _, name := range []string{"a/b", "f"} {
		m := &mtreeWriter{top: t.TempDir(), dirs: map[string]bool{".": true}, files: maxMtreeFiles - 1}
		e := &mtreeEntry{name: name, kind: "dir"}
		if name == "f" {
			m.files, e.kind = maxMtreeFiles, "file"
		}
		err := m.write(e)
		if !errors.Is(err, errMtree) || !strings.Contains(err.Error(), "more than 1048576 files") {
			t.Errorf("%s: got %v, want %v", name, err, errMtree)
		}
	}
}

// A runtime whose files are said to lie outside of it is not one.
func TestMinimalRuntimeOutside(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/secret", []byte("text"), 0o644))
	for _, link := range []string{outside, "../" + filepath.Base(outside)} {
		dir := t.TempDir() + "/runtime"
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.Symlink(link, dir+"/files"))
		if link[0] == '.' {
			must(t, os.Rename(outside, filepath.Dir(dir)+"/"+filepath.Base(outside)))
		}
		must(t, os.WriteFile(dir+"/usr-mtree.txt", []byte("./secret type=file size=4\n"), 0o644))
		s := Open(t.TempDir() + "/store")
		src, err := mtreeSource(dir)
		must(t, err)
		if h, err := s.unpacked(src, nil); h != nil || !errors.Is(err, ErrArchive) || fault.Hint(err) == "" {
			t.Errorf("%s: got %v, want %v", link, err, ErrArchive)
		}
		empty(t, s)
	}
}

// A signal that asks us to end does so before the next file, and names what was unpacked.
func TestMinimalRuntimeInterrupted(t *testing.T) {
	platform := minimal(t, described) + "/sniper_platform_3.0.20250101.1"
	s, err := mtreeSource(platform)
	must(t, err)
	s.stop = make(interruptions, 1)
	s.stop <- syscall.SIGTERM
	dir := t.TempDir()
	err = unpackMtree(s, dir, nil)
	if !errors.Is(err, errInterrupted) || fault.ExitCode(err) != 143 || !strings.HasPrefix(err.Error(), platform+" cannot be unpacked: ") {
		t.Errorf("%v", err)
	}
	if all, err := os.ReadDir(dir + "/files"); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// FuzzMtree: what a line names lies below the top, and a link has a target.
func FuzzMtree(f *testing.F) {
	for _, line := range strings.Split(described, "\n") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, err := parseMtree(line)
		if err != nil || e.name == "" {
			return
		}
		if !filepath.IsLocal(e.name) || !filepath.IsLocal(e.contents) || filepath.Clean(e.name) != e.name || (e.kind == "link") == (e.link == "") ||
			strings.ContainsRune(e.name+e.link, 0) {
			t.Fatalf("%+v of %q", e, line)
		}
	})
}
