package untar

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// decode makes entries of bytes: what it is, where it is, where it leads, and whether a layer
// begins.
func decode(b []byte, victim string) (layers [][]string) {
	parts := []string{"a", "b", "c", "..", ".", "", ".wh.a", ".wh..wh..opq", "x", ".wh...", "victim", "a/b", "../a", "b/.."}
	next := func() (n int) {
		if len(b) > 0 {
			n, b = int(b[0]), b[1:]
		}
		return n
	}
	name := func() string {
		n := next()
		var names []string
		for range n&3 + 1 {
			names = append(names, parts[next()%len(parts)])
		}
		return strings.Join(names, "/")
	}
	layers = [][]string{{}}
	for len(b) > 0 && len(layers) < 8 {
		kind, from := next(), name()
		var e string
		switch target := name(); kind & 7 {
		case 0, 1:
			e = from + "/"
		case 2:
			e = from + " -> " + target
		case 3:
			e = from + " -> " + []string{victim, victim + "/", "/", "../../../../../../.." + victim + "/", "../victim/", "//"}[kind>>3%6] + target
		case 4:
			e = from + " => " + target
		case 5:
			e = from + "=text"
		case 6:
			e = from + "~" + strings.Repeat("\x00", kind)
		default:
			e = from + []string{"|", "!"}[kind>>3&1]
		}
		if kind&128 != 0 {
			layers = append(layers, nil)
		}
		l := len(layers) - 1
		if layers[l] = append(layers[l], []string{"", "", "@0 ", "@7777 "}[kind>>5&3]+e); len(layers[l]) > 64 {
			break
		}
	}
	return layers
}

// Whatever the entries: nothing outside changes, and what was made can be removed.
func FuzzEntries(f *testing.F) {
	a := newArena(f)
	f.Add([]byte{0, 0, 0, 0, 2, 0, 1, 3, 0, 3, 5, 1, 1, 8, 0})
	f.Add([]byte("\x03\x00\x00\x00\x0a\x84\x01\x00\x08\x00\x01\x06\x01\x00\x08\x00\x00"))
	f.Add(bytes.Repeat([]byte{2, 0, 0, 1, 1, 3, 0, 1, 0, 8}, 10))
	f.Fuzz(func(t *testing.T, b []byte) { a.try(t, decode(b, a.victim)...) })
}

// summed puts right the checksums of what looks like a header: else few changed bytes would be
// seen.
func summed(b []byte) []byte {
	b = bytes.Clone(b)
	for i := 0; i+512 <= len(b); i += 512 {
		h := b[i : i+512]
		if !bytes.HasPrefix(h[257:], []byte("ustar")) {
			continue
		}
		copy(h[148:156], "        ")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	}
	return b
}

// Whatever the bytes of an archive: the same, and no panic.
func FuzzArchive(f *testing.F) {
	a := newArena(f)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range []string{"a/", "a/b -> ..", "a/b/c=text", "d => a/b", ".wh.a", "p|", "n!"} {
		h, content := header(e)
		h.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "value"}
		must(f, w.WriteHeader(h))
		_, err := w.Write([]byte(content))
		must(f, err)
	}
	must(f, w.Close())
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		b = summed(b)
		tree := a.tree(t)
		for range 2 {
			archive := tar.NewReader(bytes.NewReader(b))
			tree.sparse = maxSparse - 1<<26 // 64 MiB of holes are enough to wait for
			if err := tree.Layer(archive, archive); err != nil {
				break
			}
		}
		err := tree.Finish()
		must(t, tree.Close())
		a.check(t, b, err)
	})
}
