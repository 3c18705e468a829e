package rootfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
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

// A tree cannot make us keep more than was allowed.
func TestContentsAreBounded(t *testing.T) {
	r := open(t, makeTree(t, "a = 0123456789"))
	r.RecordContents(15)
	if _, err := r.ReadFile("/a", 100); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadFile("/a", 100); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	f, err := r.OpenFile("/a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 5), 0); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
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
