package runtimes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/untar"
)

// emptyLayout makes what every OCI image layout has.
func emptyLayout(t testing.TB, path string) {
	t.Helper()
	must(t, os.MkdirAll(path+"/blobs/sha256", 0o755))
	must(t, os.WriteFile(path+"/oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
	must(t, os.WriteFile(path+"/index.json", []byte(`{"schemaVersion":2,"manifests":[]}`), 0o644))
}

func putBlob(t testing.TB, path, kind string, text []byte) descriptor {
	t.Helper()
	sum := sha256.Sum256(text)
	name := hex.EncodeToString(sum[:])
	must(t, os.WriteFile(path+"/blobs/sha256/"+name, text, 0o644))
	return descriptor{MediaType: kind, Digest: "sha256:" + name, Size: int64(len(text))}
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return text
}

// image writes an OCI image layout with an image per tag, each of the layers given.
func image(t testing.TB, path string, images map[string][][]byte) {
	t.Helper()
	emptyLayout(t, path)
	var all []descriptor
	for tag, layers := range images {
		var list []descriptor
		for _, l := range layers {
			list = append(list, putBlob(t, path, "application/vnd.oci.image.layer.v1.tar+gzip", l))
		}
		const kind = "application/vnd.oci.image.manifest.v1+json"
		m := putBlob(t, path, kind, asJSON(t, map[string]any{"schemaVersion": 2, "mediaType": kind, "layers": list,
			"config": putBlob(t, path, "application/vnd.oci.image.config.v1+json", []byte("{}"))}))
		m.Annotations = map[string]string{refName: tag}
		all = append(all, m)
	}
	must(t, os.WriteFile(path+"/index.json", asJSON(t, map[string]any{"schemaVersion": 2, "manifests": all}), 0o644))
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

// What docker save writes is no tree to run programs in.
func TestDockerArchive(t *testing.T) {
	for _, c := range []struct {
		manifest string
		refused  bool
	}{
		{`[{"Config":"c.json","RepoTags":["x:1"],"Layers":["1/layer.tar"]}]`, true}, {`[{"Layers":[]}]`, false}, {`{"Layers":["1"]}`, false}, {``, false},
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/1", 0o755))
		must(t, os.WriteFile(dir+"/1/layer.tar", archive(t, small...), 0o644))
		must(t, os.WriteFile(dir+"/manifest.json", []byte(c.manifest), 0o644))
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		must(t, w.AddFS(os.DirFS(dir)))
		must(t, w.Close())
		s := Open(t.TempDir())
		h, err := s.Acquire(write(t, "docker.tar", b.Bytes()), nil)
		if c.refused != (errors.Is(err, ErrArchive) && strings.Contains(fault.Hint(err), "--format oci-archive")) || c.refused == (h != nil) {
			t.Errorf("%s: %v, hint %q", c.manifest, err, fault.Hint(err))
		}
		if h != nil {
			h.Close()
		} else {
			empty(t, s)
		}
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
	src, err := layoutSource(layout, "x", false)
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
		emptyLayout(t, path)
		must(t, os.WriteFile(path+"/index.json", index, 0o644))
		sum := sha256.Sum256([]byte("{}"))
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

// An archive has what its maker likes in the place of a layout's files: they are read as a whole, and opened by a library
// that would wait for a pipe's writer.
func TestHostileLayout(t *testing.T) {
	data := func(d descriptor) []byte { return asJSON(t, map[string]any{"manifests": []descriptor{d}}) }
	// Indices of indices of indices, each many times: some thousand millions to look into.
	many := func(path string) {
		below := []byte(`{"manifests":[]}`)
		for range maxDepth {
			d := putBlob(t, path, ociIndex, below)
			below = asJSON(t, map[string]any{"manifests": slices.Repeat([]descriptor{d}, 1000)})
		}
		must(t, os.WriteFile(path+"/index.json", below, 0o644))
	}
	empty := sha256.Sum256([]byte("{}"))
	blob := hex.EncodeToString(empty[:])
	for name, damage := range map[string]func(path string){
		"index is a pipe": func(path string) { must(t, unix.Mkfifo(path+"/index.json", 0o644)) },
		"index is large": func(path string) {
			must(t, os.WriteFile(path+"/index.json", nil, 0o644))
			must(t, os.Truncate(path+"/index.json", 1<<40))
		},
		"layout is large": func(path string) { must(t, os.Truncate(path+"/oci-layout", 1<<40)) },
		"digest is none": func(path string) {
			must(t, os.WriteFile(path+"/index.json", data(descriptor{Digest: "x", Size: 2, Data: []byte("{}")}), 0o644))
		},
		"unknown digest": func(path string) {
			must(t, os.WriteFile(path+"/index.json", data(descriptor{Digest: "md5:x", Size: 2, Data: []byte("{}")}), 0o644))
		},
		"too many indices": many,
		"blob is a pipe": func(path string) {
			must(t, unix.Mkfifo(path+"/blobs/sha256/"+blob, 0o644))
			must(t, os.WriteFile(path+"/index.json", data(descriptor{Digest: "sha256:" + blob, Size: 2}), 0o644))
		},
	} {
		path := filepath.Join(t.TempDir(), "image")
		emptyLayout(t, path)
		must(t, os.Remove(path+"/index.json"))
		damage(path)
		done, store := make(chan error, 1), Open(t.TempDir())
		go func() {
			_, err := store.Acquire(path, nil)
			done <- err
		}()
		select {
		case err := <-done:
			if !errors.Is(err, ErrArchive) || fault.Hint(err) == "" {
				t.Errorf("%s: %v, hint %q", name, err, fault.Hint(err))
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: it goes on", name)
		}
	}
}

// What came out of an archive has links where its maker likes. One that leads out of the layout is not followed; in a
// directory of the user's own it is, where its content is that of the digest.
func TestLinksOfLayout(t *testing.T) {
	for _, name := range []string{"index.json", "blobs", "blobs/sha256", "layer"} {
		top := t.TempDir()
		path := top + "/image"
		layer := compressed(t, "gz", archive(t, small...))
		image(t, path, map[string][][]byte{"x": {layer}})
		if name == "layer" {
			sum := sha256.Sum256(layer)
			name = "blobs/sha256/" + hex.EncodeToString(sum[:])
		}
		must(t, os.Rename(path+"/"+name, top+"/outside"))
		must(t, os.Symlink(top+"/outside", path+"/"+name))
		h, err := Open(t.TempDir()).Acquire(path, nil)
		must(t, err)
		must(t, h.Close())
		packed := top + "/image.tar"
		if out, err := exec.Command("tar", "-C", path, "-cf", packed, ".").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s := Open(t.TempDir())
		if h, err := s.Acquire(packed, nil); h != nil || !errors.Is(err, ErrArchive) {
			t.Errorf("%s: got %v, want %v", name, err, ErrArchive)
		}
		empty(t, s)
	}
}

// Few bytes of an index do not become many in memory.
func TestManyDescriptors(t *testing.T) {
	var index struct{ Manifests descriptors }
	text := "{}" + strings.Repeat(",{}", maxDescriptors-1)
	must(t, json.Unmarshal([]byte(`{"manifests":[`+text+`]}`), &index))
	if len(index.Manifests) != maxDescriptors {
		t.Errorf("got %d descriptors, want %d", len(index.Manifests), maxDescriptors)
	}
	for _, text := range []string{`{"manifests":[` + text + `,{}]}`, `{"manifests":{}}`, `{"manifests":[1]}`, `{"manifests":1}`} {
		if err := json.Unmarshal([]byte(text), &index); err == nil {
			t.Errorf("%.30s: got no error", text)
		}
	}
	must(t, json.Unmarshal([]byte(`{"manifests":null}`), &index))
}

// Whatever a manifest says, and whatever its layers hold: all of it, or an error that says which image.
// Of indices, each of which is as large as it may be, little is kept.
func TestMemoryOfIndices(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	emptyLayout(t, dir)
	var all []descriptor
	for i := range 8 {
		inner := descriptor{MediaType: "manifest", Digest: "sha256:" + strconv.Itoa(i), Annotations: map[string]string{}}
		for j := range 150_000 {
			inner.Annotations[strconv.FormatInt(int64(j), 36)] = ""
		}
		all = append(all, putBlob(t, dir, ociIndex, asJSON(t, map[string]any{"manifests": []descriptor{inner}})))
	}
	l, err := openLayout(dir, false)
	must(t, err)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	found, err := l.platform(all, "amd64", 0)
	must(t, err)
	if got, most := heap()-before, uint64(4<<20); len(found) != len(all) || got > most && got < 1<<62 {
		t.Errorf("got %d descriptors and %d bytes, want %d and %d at most", len(found), got, len(all), most)
	}
	runtime.KeepAlive(found)
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"layers":[{"digest":"sha256:LAYER","size":LENGTH}]}`), archive(f, small...))
	f.Add([]byte(`{"layers":[{"digest":"sha256:LAYER","size":LENGTH},{"digest":"sha256:LAYER","size":LENGTH}]}`),
		compressed(f, "gz", archive(f, "a -> ..", "a/.wh..wh..opq", "b => a")))
	f.Add([]byte(`{"layers":[{"digest":"sha256:LAYER","size":LENGTH,"data":"eA=="},{"digest":"sha512:00","size":-1}]}`), []byte("x"))
	f.Fuzz(func(t *testing.T, manifest, layer []byte) {
		path := filepath.Join(t.TempDir(), "image")
		emptyLayout(t, path)
		l := putBlob(t, path, "", layer)
		manifest = bytes.ReplaceAll(manifest, []byte("LAYER"), []byte(l.Digest[len("sha256:"):]))
		manifest = bytes.ReplaceAll(manifest, []byte("LENGTH"), []byte(strconv.FormatInt(l.Size, 10)))
		m := putBlob(t, path, "", manifest)
		must(t, os.WriteFile(path+"/index.json", asJSON(t, map[string]any{"manifests": []descriptor{m}}), 0o644))
		src, err := layoutSource(path, "", false)
		must(t, err)
		to := t.TempDir()
		if err := unpackImage(src, to, nil); err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %s in it", err, path)
		}
		must(t, untar.RemoveAll(to))
	})
}
