package runtimes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	reading "github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/untar"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// archive makes a tar stream. A name that ends with a slash is a directory, "a -> b" a link, "a => b" a hard link.
func archive(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e, Mode: 0o644, Format: tar.FormatPAX}
		text := "content of " + e
		switch {
		case strings.HasSuffix(e, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		case strings.HasPrefix(e, "dev:"):
			h.Name, h.Typeflag, h.Devmajor, h.Devminor = e[4:], tar.TypeChar, 1, 3
		case strings.HasPrefix(e, "ro:"):
			h.Name, h.Typeflag, h.Mode = e[3:], tar.TypeDir, 0o555
		case strings.Contains(e, " -> "):
			h.Typeflag = tar.TypeSymlink
			h.Name, h.Linkname, _ = strings.Cut(e, " -> ")
		case strings.Contains(e, " => "):
			h.Typeflag = tar.TypeLink
			h.Name, h.Linkname, _ = strings.Cut(e, " => ")
		default:
			h.Size = int64(len(text))
		}
		must(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, text)
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

func compressed(t testing.TB, how string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch how {
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		w, err = zstd.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	default:
		return data
	}
	must(t, err)
	_, err = w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// An archive may ask for a dictionary of 4 GiB, which is memory of whoever unpacks it.
func TestDictionary(t *testing.T) {
	data := compressed(t, "xz", archive(t, small...))
	block := data[12:] // The .xz File Format 1.2.0, 3.1: size, flags, LZMA2's id, how many octets its properties are, these, padding
	header := block[:(int(block[0])+1)*4]
	if header[2] != 0x21 || header[3] != 1 {
		t.Fatalf("the header of the first block is % x", header)
	}
	header[4] = 40 // 5.3.1
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
	s := Open(t.TempDir())
	_, err := s.Acquire(write(t, "runtime.tar.xz", data), nil)
	if !errors.Is(err, ErrArchive) || !errors.Is(err, reading.ErrMemlimit) || !strings.Contains(fault.Hint(err), "xz -9") {
		t.Errorf("%v, hint %q", err, fault.Hint(err))
	}
	empty(t, s)
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(name, data, 0o644))
	return name
}

func text(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return string(b)
}

var small = []string{"usr/", "usr/lib/", "usr/lib/libc.so.6", "lib -> usr/lib"}

func TestArchives(t *testing.T) {
	for _, how := range []string{"", "gz", "xz", "zst"} {
		t.Run("tar."+how, func(t *testing.T) {
			data := compressed(t, how, archive(t, small...))
			file := write(t, "runtime", data)
			s := Open(t.TempDir())
			var last, total int64
			h, err := s.Acquire(file, func(what string, done, of int64) {
				if done < last || of != int64(len(data)) || what != file {
					t.Errorf("progress %s %d of %d after %d", what, done, of, last)
				}
				last, total = done, of
			})
			must(t, err)
			defer h.Close()
			if last != total || total == 0 {
				t.Errorf("ended at %d of %d", last, total)
			}
			if got := text(t, h.Dir+"/lib/libc.so.6"); got != "content of usr/lib/libc.so.6" {
				t.Errorf("%q", got)
			}
			again, err := s.Acquire(file, func(string, int64, int64) { t.Error("unpacked again") })
			must(t, err)
			defer again.Close()
			if again.Dir != h.Dir {
				t.Errorf("%s, then %s", h.Dir, again.Dir)
			}
			// Another content under the same name is another runtime.
			must(t, os.WriteFile(file, compressed(t, how, archive(t, append(small, "usr/new")...)), 0o644))
			other, err := s.Acquire(file, nil)
			must(t, err)
			defer other.Close()
			if other.Dir == h.Dir {
				t.Error("the archive has changed, and the old tree was used")
			}
		})
	}
}

// Names that climb, absolute names and links through which a later entry would be written stay below the tree. A device
// node is not made, whoever runs this.
func TestHostileArchive(t *testing.T) {
	outside := t.TempDir()
	s := Open(t.TempDir())
	h, err := s.Acquire(write(t, "a.tar", archive(t, "usr/", "../../../../climbed", "/absolute", "way -> "+outside, "way/written",
		"up -> ../../../..", "up/climbed2", "passwd -> /etc/passwd", "hard => passwd", "dev:usr/null", "ro:usr/closed")), nil)
	if err == nil {
		defer h.Close()
		if info, err := os.Lstat(h.Dir + "/usr/null"); err == nil && info.Mode()&fs.ModeDevice != 0 {
			t.Error("a device node was made")
		}
	}
	entries, err := os.ReadDir(outside)
	must(t, err)
	for _, e := range entries {
		t.Errorf("written outside: %s/%s", outside, e.Name())
	}
	for dir := s.dir; ; dir = filepath.Dir(dir) {
		if found, _ := filepath.Glob(dir + "/climbed*"); len(found) > 0 {
			t.Errorf("written outside: %v", found)
		}
		if dir == "/" {
			break
		}
	}
	if _, err := os.Lstat("/absolute"); err == nil {
		t.Error("written outside: /absolute")
	}
}

// What cannot be unpacked is an error with a hint that names the file, and leaves nothing in the store.
func TestDamaged(t *testing.T) {
	whole := compressed(t, "gz", archive(t, append(small, "ro:usr/closed")...))
	wrong := bytes.Clone(whole)
	wrong[len(wrong)-5] ^= 1 // in the checksum
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"text":     {[]byte(strings.Repeat("no archive\n", 100)), ErrKind},
		"empty":    {nil, ErrKind},
		"short":    {whole[:len(whole)/2], nil},
		"checksum": {wrong, ErrArchive},
		"program":  {append([]byte("\x7fELF"), make([]byte, 1000)...), ErrKind},
	} {
		t.Run(name, func(t *testing.T) {
			s := Open(t.TempDir())
			file := write(t, "runtime.tar.gz", c.data)
			h, err := s.Acquire(file, nil)
			if err == nil {
				h.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), file) || fault.Hint(err) == "" || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, hint %q", err, fault.Hint(err))
			}
			empty(t, s)
		})
	}
}

func empty(t testing.TB, s *Store) {
	t.Helper()
	entries, _ := os.ReadDir(s.dir + "/trees")
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
}

// What GNU tar writes of a file with holes (its manual, "Storing Sparse Files"; Go's package does not write it), and git
// before all files, is taken.
func TestUnusualEntries(t *testing.T) {
	const real, data = 4096, "data!"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header",
		PAXRecords: map[string]string{"comment": "0123"}}))
	must(t, w.Flush())
	b.Write(oldSparse("usr/sparse", 0o644, 1024, data, real))
	b.Write(archive(t, small...))
	held, err := Open(t.TempDir()).Acquire(write(t, "sparse.tar", b.Bytes()), nil)
	must(t, err)
	defer held.Close()
	got, want := text(t, held.Dir+"/usr/sparse"), strings.Repeat("\x00", 1024)+data
	if want += strings.Repeat("\x00", real-len(want)); got != want {
		t.Errorf("%d bytes, want %d: %.20q", len(got), len(want), strings.Trim(got, "\x00"))
	}
	if entries, _ := os.ReadDir(held.Dir); len(entries) != 2 {
		t.Errorf("besides usr and lib: %v", entries)
	}
}

func TestLocate(t *testing.T) {
	for name, c := range map[string]struct {
		dirs []string
		want string
	}{
		"tree":         {[]string{"usr/lib", "etc"}, ""},
		"flatpak":      {[]string{"files/lib"}, ""},
		"files":        {[]string{"files/lib", "files/bin", "files/share"}, ""},
		"one top":      {[]string{"debian-11/usr"}, "debian-11"},
		"two tops":     {[]string{"a/b/usr"}, "a/b"},
		"steam":        {[]string{"sniper_platform_3.0.20240101/files", "sniper_platform_3.0.20250101/files", "pressure-vessel/lib", "var"}, "sniper_platform_3.0.20250101"},
		"undetermined": {[]string{"a/usr", "b/usr"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range c.dirs {
				must(t, os.MkdirAll(dir+"/"+d, 0o755))
			}
			if got := locate(dir); got != filepath.Join(dir, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
			// A Flatpak runtime's /usr is no tree by itself.
			if files := dir + "/files"; name == "files" && (locate(files) != dir || locate(files+"/") != dir) || name == "flatpak" && locate(files) != files {
				t.Errorf("%s is taken for %s", files, locate(files))
			}
		})
	}
}

// Whatever the bytes: either a complete entry or none, and nothing beside the store.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, small...))
	f.Add(compressed(f, "gz", archive(f, "a -> ..", "a/b", "c => a")))
	f.Add(compressed(f, "xz", archive(f, small...)))
	f.Add(compressed(f, "zst", archive(f, small...)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		parent := t.TempDir()
		s := Open(parent + "/store")
		h, err := s.Acquire(write(t, "x", data), nil)
		if (h == nil) == (err == nil) {
			t.Fatalf("%v and %v", h, err)
		}
		if err != nil {
			empty(t, s)
		} else {
			h.Close()
			must(t, untar.RemoveAll(s.dir))
		}
		entries, err := os.ReadDir(parent)
		must(t, err)
		for _, e := range entries {
			if e.Name() != "store" {
				t.Errorf("written outside: %s", e.Name())
			}
		}
	})
}
