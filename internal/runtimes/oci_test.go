package runtimes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/umoci/oci/cas/dir"
	"github.com/opencontainers/umoci/oci/casext"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// image writes an OCI image layout with an image per tag, each of the layers given.
func image(t testing.TB, path string, images map[string][][]byte) {
	t.Helper()
	must(t, dir.Create(path))
	engine, err := dir.Open(path)
	must(t, err)
	e := casext.NewEngine(engine)
	defer e.Close()
	var index ispec.Index
	index.SchemaVersion = 2
	for tag, layers := range images {
		m := ispec.Manifest{MediaType: ispec.MediaTypeImageManifest}
		m.SchemaVersion = 2
		for _, l := range layers {
			digest, size, err := e.PutBlob(t.Context(), bytes.NewReader(l))
			must(t, err)
			m.Layers = append(m.Layers, ispec.Descriptor{MediaType: ispec.MediaTypeImageLayerGzip, Digest: digest, Size: size})
		}
		digest, size, err := e.PutBlobJSON(t.Context(), ispec.Image{})
		must(t, err)
		m.Config = ispec.Descriptor{MediaType: ispec.MediaTypeImageConfig, Digest: digest, Size: size}
		digest, size, err = e.PutBlobJSON(t.Context(), m)
		must(t, err)
		index.Manifests = append(index.Manifests, ispec.Descriptor{MediaType: ispec.MediaTypeImageManifest, Digest: digest, Size: size,
			Annotations: map[string]string{ispec.AnnotationRefName: tag}})
	}
	must(t, e.PutIndex(t.Context(), index))
}

func TestImages(t *testing.T) {
	gz := func(entries ...string) []byte { return compressed(t, "gz", archive(t, entries...)) }
	layout := filepath.Join(t.TempDir(), "image")
	image(t, layout, map[string][][]byte{
		"old": {gz(append(small, "usr/gone", "usr/dir/", "usr/dir/a")...), gz("usr/.wh.gone", "usr/dir/.wh..wh..opq", "usr/dir/b")},
		"new": {gz("usr/", "usr/new")},
	})
	s := Open(t.TempDir())
	h, err := s.Acquire(layout+":old", nil)
	must(t, err)
	defer h.Close()
	for name, want := range map[string]bool{"usr/lib/libc.so.6": true, "usr/gone": false, "usr/dir/a": false, "usr/dir/b": true} {
		if _, err := os.Stat(h.Dir + "/" + name); (err == nil) != want {
			t.Errorf("%s: there: %v, want %v", name, err == nil, want)
		}
	}
	for name, hint := range map[string]string{layout: ":", layout + ":none": "new, old|old, new"} {
		_, err := s.Acquire(name, nil)
		found := false
		for _, part := range strings.Split(hint, "|") {
			found = found || strings.Contains(fault.Hint(err), part)
		}
		if !errors.Is(err, ErrImage) || !found {
			t.Errorf("%s: %v, hint %q", name, err, fault.Hint(err))
		}
	}
}

func TestDamagedImage(t *testing.T) {
	layout := filepath.Join(t.TempDir(), "image")
	image(t, layout, map[string][][]byte{"x": {compressed(t, "gz", archive(t, small...))}})
	blobs, err := filepath.Glob(layout + "/blobs/sha256/*")
	must(t, err)
	for _, b := range blobs {
		data, err := os.ReadFile(b)
		must(t, err)
		if data[0] == 0x1f {
			data[9] ^= 1 // the header's field for the operating system: only the digest tells
			must(t, os.Chmod(b, 0o644))
			must(t, os.WriteFile(b, data, 0o644))
		}
	}
	s := Open(t.TempDir())
	if _, err := s.Acquire(layout, nil); !errors.Is(err, ErrArchive) {
		t.Errorf("%v", err)
	}
	empty(t, s)
}

func TestArchivedImage(t *testing.T) {
	layout := filepath.Join(t.TempDir(), "image")
	image(t, layout, map[string][][]byte{"x": {compressed(t, "gz", archive(t, small...))}})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.AddFS(os.DirFS(layout)))
	must(t, w.Close())
	s := Open(t.TempDir())
	file := write(t, "image.tar", b.Bytes())
	h, err := s.Acquire(file, nil)
	must(t, err)
	defer h.Close()
	text(t, h.Dir+"/usr/lib/libc.so.6")
	if entries, _ := os.ReadDir(filepath.Dir(h.Dir)); len(entries) != 2 {
		t.Errorf("beside the tree: %v", entries)
	}
}

// An archive of several images has tags as a layout has.
func TestArchivedTags(t *testing.T) {
	layout := filepath.Join(t.TempDir(), "image")
	image(t, layout, map[string][][]byte{
		"old": {compressed(t, "gz", archive(t, append(small, "usr/old")...))},
		"new": {compressed(t, "gz", archive(t, append(small, "usr/new")...))},
	})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.AddFS(os.DirFS(layout)))
	must(t, w.Close())
	s := Open(t.TempDir())
	file := write(t, "images.tar", b.Bytes())
	if _, err := s.Acquire(file, nil); !errors.Is(err, ErrImage) || !strings.Contains(fault.Hint(err), file+":") {
		t.Errorf("without a tag: %v, hint %q", err, fault.Hint(err))
	}
	if _, err := s.Acquire(write(t, "tree.tar", archive(t, small...))+":old", nil); !errors.Is(err, ErrImage) {
		t.Errorf("a tag of no image: %v", err)
	}
	empty(t, s)
	for _, tag := range []string{"old", "new"} {
		h, err := s.Acquire(file+":"+tag, nil)
		must(t, err)
		text(t, h.Dir+"/usr/"+tag)
		h.Close()
	}
}

// What is unpacked is what was asked for: not what has taken its place meanwhile.
func TestReplaced(t *testing.T) {
	s := Open(t.TempDir())
	file := write(t, "runtime.tar", archive(t, small...))
	_, err := s.Acquire(file, func(string, int64, int64) {
		must(t, os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)))
	})
	if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "changed") {
		t.Errorf("an archive: %v", err)
	}
	layout := filepath.Join(t.TempDir(), "image")
	image(t, layout, map[string][][]byte{"x": {compressed(t, "gz", archive(t, small...))}})
	src, err := layoutSource(layout, "x")
	must(t, err)
	must(t, os.RemoveAll(layout))
	image(t, layout, map[string][][]byte{"x": {compressed(t, "gz", archive(t, "usr/", "usr/other"))}})
	if _, err := s.unpacked(src, nil); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a layout: %v", err)
	}
	empty(t, s)
}

// An index that names itself ends.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}]}`))
	f.Fuzz(func(t *testing.T, index []byte) {
		path := filepath.Join(t.TempDir(), "image")
		must(t, dir.Create(path))
		must(t, os.WriteFile(path+"/index.json", index, 0o644))
		sum := sha256.Sum256([]byte("{}"))
		must(t, os.MkdirAll(path+"/blobs/sha256", 0o755))
		must(t, os.WriteFile(path+"/blobs/sha256/"+hex.EncodeToString(sum[:]), []byte("{}"), 0o644))
		s := Open(t.TempDir())
		if h, err := s.Acquire(path, nil); (h == nil) == (err == nil) {
			t.Fatalf("%v and %v", h, err)
		}
		if !json.Valid(index) {
			empty(t, s)
		}
	})
}
