package runtimes

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// An entry whose parent is reached through a link that the entry itself replaces is written where
// the link led before, or not at all: never where the tree leads afterwards.
func TestSparseEscape(t *testing.T) {
	base := t.TempDir()
	victim := filepath.Join(base, "victim")
	must(t, os.WriteFile(victim, []byte("the user's own file\n"), 0o644))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "p/", Typeflag: tar.TypeDir}, {Name: "b/", Typeflag: tar.TypeDir}, {Name: "b/b/", Typeflag: tar.TypeDir},
		{Name: "b/b/x", Typeflag: tar.TypeSymlink, Linkname: victim}, // the way out
		{Name: "b/x", Typeflag: tar.TypeSymlink, Linkname: "/p"},     // what the last entry replaces
		{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "b/x/../b"}, // to /b before, to /b/b afterwards
	} {
		h.Mode = 0o755
		must(t, w.WriteHeader(&h))
	}
	must(t, w.Flush())
	b.Write(oldSparse("d/x", 0o755, 0, "written by an archive\n", 22))
	b.Write(make([]byte, 1024))
	s := Open(filepath.Join(base, "cache"))
	h, err := s.Acquire(write(t, "escape.tar", b.Bytes()), nil)
	if err == nil {
		defer h.Close()
	}
	info, statErr := os.Stat(victim)
	must(t, statErr)
	if got, want := text(t, victim), "the user's own file\n"; got != want || info.Mode().Perm() != 0o644 {
		t.Errorf("got %q with mode %v outside of the tree, want %q with 0644 (%v)", got, info.Mode(), want, err)
	}
}

// oldSparse is a file of one piece of data in GNU tar's old format of files with holes (its manual,
// "Storing Sparse Files", and <tar.h>, struct oldgnu_header), which Go's package does not write.
func oldSparse(name string, mode, at int64, data string, size int64) []byte {
	h := make([]byte, 512)
	put := func(at int, text string) { copy(h[at:], text) }
	put(0, name)
	put(100, fmt.Sprintf("%07o\x00", mode))
	put(124, fmt.Sprintf("%011o\x00", len(data)))
	put(136, "00000000000\x00")
	put(148, "        ")
	put(156, "S")
	put(257, "ustar  \x00")
	put(386, fmt.Sprintf("%011o\x00%011o\x00", at, len(data)))
	put(483, fmt.Sprintf("%011o\x00", size))
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	put(148, fmt.Sprintf("%06o\x00 ", sum))
	h = append(h, data...)
	return append(h, make([]byte, -len(data)&511)...)
}
