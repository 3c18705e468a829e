package rootfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// consult asks the questions whose answers a Content stands for.
func consult(t *testing.T, r *Root) {
	t.Helper()
	r.RecordContents(1 << 20)
	f, err := r.OpenFile("/lib/a.so")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 4), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadFile("/etc/conf", 100); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadDir("/etc/d"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Stat("/lib64/missing"); err == nil {
		t.Fatal("found what is not there")
	}
}

var contentTree = []string{"usr/lib/a.so = 0123456789", "lib -> usr/lib", "etc/conf = text", "etc/d/1.conf", "etc/other = x"}

// A copy of a tree has the same Contents, and each change of what was looked at is seen; other changes are not.
func TestContentsHoldForACopy(t *testing.T) {
	first := open(t, makeTree(t, contentTree...))
	consult(t, first)
	contents := first.Contents()
	for _, c := range []struct {
		name   string
		change func(dir string) error
		same   bool
	}{
		{"nothing", func(string) error { return nil }, true},
		{"a byte that nobody read", func(d string) error { return os.WriteFile(d+"/usr/lib/a.so", []byte("X123456789"), 0o644) }, true},
		{"a file that nobody asked for", func(d string) error { return os.WriteFile(d+"/etc/more", nil, 0o644) }, true},
		{"a byte that was read", func(d string) error { return os.WriteFile(d+"/usr/lib/a.so", []byte("01X3456789"), 0o644) }, false},
		{"the size", func(d string) error { return os.WriteFile(d+"/usr/lib/a.so", []byte("01234567890"), 0o644) }, false},
		{"a whole file", func(d string) error { return os.WriteFile(d+"/etc/conf", []byte("tixt"), 0o644) }, false},
		{"a listed directory", func(d string) error { return os.WriteFile(d+"/etc/d/2.conf", nil, 0o644) }, false},
		{"a file in a link's place", func(d string) error { os.Remove(d + "/lib"); return os.Mkdir(d+"/lib", 0o755) }, false},
		{"another link", func(d string) error { os.Remove(d + "/lib"); return os.Symlink("/usr/lib", d+"/lib") }, false},
		{"what was missing", func(d string) error { return os.MkdirAll(d+"/lib64/missing", 0o755) }, false},
		{"a link for a file", func(d string) error {
			os.Remove(d + "/etc/conf")
			return os.Symlink("/etc/d/1.conf", d+"/etc/conf")
		}, false},
		{"a directory that is a link", func(d string) error {
			if err := os.Rename(d+"/etc", d+"/etc2"); err != nil {
				return err
			}
			return os.Symlink("etc2", d+"/etc")
		}, false},
	} {
		dir := makeTree(t, contentTree...)
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		fd, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		copied := OpenAt(fd, filepath.Base(dir))
		same := true
		for _, content := range contents {
			same = same && copied.Same(content)
		}
		if same != c.same {
			t.Errorf("%s changed: same is %v", c.name, same)
		}
		copied.Close()
	}
	if len(contents) < 5 {
		t.Errorf("only %d contents: %+v", len(contents), contents)
	}
}

// What was found out by an error, or while the tree was changed, holds for no other tree: else one container would make
// what is used for the next.
func TestContentsOfErrorsHoldForNoCopy(t *testing.T) {
	tree := []string{"etc/d/1.conf", "etc/conf = text", "opt/lib/a.so = 0"}
	for _, c := range []struct {
		name string
		ask  func(dir string, r *Root) error
	}{
		{"a file in a directory's place", func(dir string, r *Root) error {
			os.RemoveAll(dir + "/opt")
			os.WriteFile(dir+"/opt", nil, 0o644)
			_, err := r.Stat("/opt/lib/a.so")
			return err
		}},
		{"no directory to go up from", func(dir string, r *Root) error {
			os.Mkdir(dir+"/up", 0o755)
			_, err := r.ReadFile("/up/../etc/conf", 100)
			return errors.Join(err, os.ErrNotExist)
		}},
		{"a directory that is to be read", func(dir string, r *Root) error {
			os.Remove(dir + "/etc/conf")
			os.Mkdir(dir+"/etc/conf", 0o755)
			_, err := r.ReadFile("/etc/conf", 100)
			return err
		}},
		{"a file that is to be listed", func(dir string, r *Root) error {
			os.RemoveAll(dir + "/etc/d")
			os.WriteFile(dir+"/etc/d", nil, 0o644)
			_, err := r.ReadDir("/etc/d")
			return err
		}},
		{"a file that is no link", func(dir string, r *Root) error {
			os.RemoveAll(dir + "/etc/d")
			os.WriteFile(dir+"/etc/d", nil, 0o644)
			_, err := r.Readlink("/etc/d")
			return err
		}},
		{"a pipe in a file's place", func(dir string, r *Root) error {
			r.Stat("/etc/conf")
			os.Remove(dir + "/etc/conf")
			unix.Mkfifo(dir+"/etc/conf", 0o644)
			_, err := r.ReadFile("/etc/conf", 100)
			return err
		}},
		{"a file cut short", func(dir string, r *Root) error {
			r.Stat("/etc/conf")
			os.Truncate(dir+"/etc/conf", 2)
			_, err := r.ReadFile("/etc/conf", 100)
			return errors.Join(err, os.ErrNotExist)
		}},
		{"a link in a directory's place", func(dir string, r *Root) error {
			r.Stat("/etc/d")
			os.Rename(dir+"/etc/d", dir+"/etc/e")
			os.Symlink("e", dir+"/etc/d")
			_, err := r.ReadDir("/etc/d")
			return err
		}},
	} {
		dir := makeTree(t, tree...)
		r := open(t, dir)
		r.RecordContents(1 << 20)
		if c.ask(dir, r) == nil {
			t.Errorf("%s: no error", c.name)
		}
		plain, same := open(t, makeTree(t, tree...)), true
		for _, content := range r.Contents() {
			same = same && plain.Same(content)
		}
		if same {
			t.Errorf("%s: taken for the same: %+v", c.name, r.Contents())
		}
	}
}

// What failed for lack of descriptors is no input that stays.
func TestTraceOfAShortage(t *testing.T) {
	r := open(t, makeTree(t, "a = 0"))
	r.failed(&os.PathError{Op: "open", Path: "/a", Err: unix.EMFILE})
	for _, a := range r.Trace() {
		if !a.Unchanged() {
			return
		}
	}
	t.Error("nothing has changed")
}

// A tree cannot make us keep more than was allowed, nor work without an end: not by bytes, names, listings or long ways.
func TestContentsAreBounded(t *testing.T) {
	dir := makeTree(t, "a = "+strings.Repeat("x", 100<<10), "d/", "e/", "l -> nowhere"+strings.Repeat("/x", 2000))
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, "d", fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, ask := range map[string]func(r *Root, i int) error{
		"ReadFile": func(r *Root, _ int) error { _, err := r.ReadFile("/a", 1<<20); return err },
		"ReadAt": func(r *Root, _ int) error {
			f, err := r.OpenFile("/a")
			if err == nil {
				defer f.Close()
				_, err = f.ReadAt(make([]byte, 64<<10), 0)
			}
			return err
		},
		"names": func(r *Root, i int) error {
			_, err := r.Stat(fmt.Sprint("/no", i))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		},
		"steps":   func(r *Root, _ int) error { _, err := r.Stat(strings.Repeat("/d/..", 800)); return err },
		"listing": func(r *Root, _ int) error { _, err := r.ReadDir("/d"); return err },
		"empty listings": func(r *Root, _ int) error {
			var err error
			for range 10 {
				_, err = r.ReadDir("/e")
			}
			return err
		},
		"small reads": func(r *Root, _ int) error {
			f, err := r.OpenFile("/a")
			if err == nil {
				defer f.Close()
				for range 10 {
					_, err = f.ReadAt(make([]byte, 1), 0)
				}
			}
			return err
		},
		"links": func(r *Root, _ int) error {
			_, err := r.Stat("/l") // to what is nowhere, by a long text
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		},
		"patterns": func(r *Root, _ int) error {
			r.Glob("/d/*"+strings.Repeat("1", 200)+"x", 10)
			return r.Overspent()
		},
		"what is made of it": func(r *Root, _ int) error { return r.Spend(2000) },
	} {
		r := open(t, dir)
		r.RecordContents(1 << 20)
		if err := ask(r, 0); err != nil || r.Overspent() != nil {
			t.Errorf("%s: %v, %v", name, err, r.Overspent())
		}
		for i := 1; r.Overspent() == nil; i++ {
			if err := ask(r, i); (err == nil) != (r.Overspent() == nil) || err != nil && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %v, %v", name, err, r.Overspent())
			}
			if i == 1000 {
				t.Fatalf("%s: no end", name)
			}
		}
		if !errors.Is(r.Overspent(), ErrTooLarge) || !slices.ContainsFunc(r.Contents(), impossible) {
			t.Errorf("%s: %v; contents hold for a copy", name, r.Overspent())
		}
	}
}

// Who has a tree for which many were recorded that are almost the same makes nobody compare without
// an end.
func TestSameIsBounded(t *testing.T) {
	dir := makeTree(t, "a = "+strings.Repeat("x", 100<<10), "d/x")
	r := open(t, dir)
	r.RecordContents(1 << 20)
	if _, err := r.ReadFile("/a", 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadDir("/d"); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Contents() {
		other := open(t, dir)
		other.Limit(1 << 20)
		n := 0
		for other.Same(c) {
			if n++; n == 10_000 {
				t.Fatalf("%s: no end", c.Path)
			}
		}
		if n == 0 || !errors.Is(other.Overspent(), ErrTooLarge) {
			t.Errorf("%s: %d times the same, %v", c.Path, n, other.Overspent())
		}
		// What is recorded later is as good as ever.
		other.RecordContents(1 << 20)
		if _, err := other.ReadFile("/a", 1<<20); err != nil || other.Overspent() != nil || slices.ContainsFunc(other.Contents(), impossible) {
			t.Errorf("%s: %v, %v", c.Path, err, other.Overspent())
		}
	}
}

// A directory with too many names costs as much as one with as many as may be, and is not listed again.
func TestCrowdIsBounded(t *testing.T) {
	dir := makeTree(t, "d/0")
	for i := range maxNames {
		file := fmt.Sprintf("%s/d/x%d", dir, i/10_000*10_000) // few files: inodes cost, and have only so many links
		err := os.Link(file, fmt.Sprintf("%s/d/x%d", dir, i))
		if i%10_000 == 0 {
			err = os.WriteFile(file, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir)
	r.RecordContents(64 << 20)
	before := r.budget.Load()
	if names, err := r.ReadDir("/d"); err == nil {
		t.Fatalf("%d names", len(names))
	}
	if spent := before - r.budget.Load(); spent < maxNames*nameCost {
		t.Errorf("%d names cost %d", maxNames, spent)
	}
	before = r.budget.Load()
	if _, err := r.ReadDir("/d"); err == nil || before-r.budget.Load() > 4096 {
		t.Errorf("%v, for %d", err, before-r.budget.Load())
	}
	if !slices.ContainsFunc(r.Contents(), impossible) {
		t.Error("contents hold for a copy")
	}
}

// impossible tells the Content that no tree has: one without a root.
func impossible(c Content) bool { return c.Path == "/" && c.Type == 0 }

// JSON cannot hold every name: what depends on such a one holds for no other tree.
func TestContentsOfNamesThatAreNotText(t *testing.T) {
	for _, ask := range []string{"/no\xff", "/link"} {
		r := open(t, makeTree(t, "link -> to\xff"))
		r.RecordContents(1 << 20)
		if _, err := r.Stat(ask); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(r.Contents(), impossible) {
			t.Errorf("%q: %+v", ask, r.Contents())
		}
	}
}

// Whatever is read of a file, in whatever order and however often: the ranges are apart, and the digest is of the bytes in them.
func FuzzJoined(f *testing.F) {
	f.Add([]byte("0123456789"), []byte{0, 4, 2, 5, 8, 2, 0, 4})
	f.Add([]byte("x"), []byte{0, 1})
	f.Fuzz(func(t *testing.T, data, at []byte) {
		var r reads
		for ; len(at) >= 2; at = at[2:] {
			off := min(int(at[0]), len(data))
			end := min(off+int(at[1]), len(data))
			if off < end {
				r.pieces = append(r.pieces, piece{int64(off), data[off:end]})
			}
		}
		ranges, digest, ok := r.joined()
		if !ok {
			t.Fatal("the same bytes differ")
		}
		for i := 2; i < len(ranges); i += 2 {
			if ranges[i] <= ranges[i-2]+ranges[i-1] {
				t.Errorf("ranges %v", ranges)
			}
		}
		h := sha256.New()
		if err := copyRanges(h, bytes.NewReader(data), ranges, int64(len(data))); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != digest {
			t.Errorf("%v: %s, %s", ranges, got, digest)
		}
		for _, p := range r.pieces {
			inside := false
			for i := 0; i < len(ranges); i += 2 {
				inside = inside || p.off >= ranges[i] && p.off+int64(len(p.bytes)) <= ranges[i]+ranges[i+1]
			}
			if !inside {
				t.Errorf("piece at %d of %d bytes is not in %v", p.off, len(p.bytes), ranges)
			}
		}
	})
}
