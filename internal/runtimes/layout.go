package runtimes

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/regular"
)

// Names and words of OCI image-spec 1.1: image-layout.md, media-types.md, annotations.md.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	blobsDir   = "blobs"
	ociIndex   = "application/vnd.oci.image.index.v1+json"
	refName    = "org.opencontainers.image.ref.name"
	// dockerList is the older name of an index (distribution's manifest-v2-2.md); tools copy it
	// as it is.
	dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// maxJSON bounds an index or a manifest, in bytes: registries refuse manifests above 4 MiB.
const maxJSON = 4 << 20

// maxDescriptors bounds what an index or a manifest lists: an empty one takes three bytes there,
// and a hundred in memory.
const maxDescriptors = 10000

// descriptor is what is read of an OCI content descriptor (descriptor.md, image-index.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`
	Data        []byte            `json:"data,omitempty"` // the content itself
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

type descriptors []descriptor

// UnmarshalJSON implements json.Unmarshaler.
func (l *descriptors) UnmarshalJSON(text []byte) error {
	*l = nil
	d := json.NewDecoder(bytes.NewReader(text))
	switch start, err := d.Token(); {
	case err != nil:
		return err
	case start == nil: // null
		return nil
	case start != json.Delim('['):
		return errors.New("no list of descriptors")
	}
	for d.More() {
		if len(*l) == maxDescriptors {
			return fmt.Errorf("more than %d descriptors", maxDescriptors)
		}
		var one descriptor
		if err := d.Decode(&one); err != nil {
			return err
		}
		*l = append(*l, one)
	}
	return nil
}

// layout is an open OCI image layout (image-layout.md).
type layout struct {
	path    string
	root    *os.Root // what came out of an archive has no links that lead out of it; nil for a directory of the user's own
	indices int      // looked into so far
}

// openLayout opens a directory; inside says that nothing outside of it may be read, whatever its
// links say.
func openLayout(dir string, inside bool) (*layout, error) {
	l := &layout{path: dir}
	if inside {
		var err error
		if l.root, err = os.OpenRoot(dir); err != nil {
			return nil, fmt.Errorf("%s %w: %w", dir, ErrArchive, err)
		}
	}
	var version struct{ ImageLayoutVersion string }
	err := l.file(layoutFile, &version)
	if err == nil && version.ImageLayoutVersion != "1.0.0" {
		err = fmt.Errorf("%s %w: an OCI image layout of the version %q", dir, ErrArchive, version.ImageLayoutVersion)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *layout) Close() error {
	if l.root == nil {
		return nil
	}
	return l.root.Close()
}

// open opens a regular file.
func (l *layout) open(name string) (*os.File, error) {
	if l.root == nil {
		return regular.Open(filepath.Join(l.path, name), 0)
	}
	// There may be pipes, but no devices.
	f, err := l.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", filepath.Join(l.path, name), regular.ErrNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// file reads JSON of a name.
func (l *layout) file(name string, to any) error {
	f, err := l.open(name)
	if err != nil {
		return fmt.Errorf("%s %w: %w", l.path, ErrArchive, err)
	}
	defer f.Close()
	return l.decode(f, name, to)
}

// json reads JSON of a blob.
func (l *layout) json(d descriptor, to any) error {
	blob, err := l.blob(d)
	if err != nil {
		return fmt.Errorf("%s %w: %w", l.path, ErrArchive, err)
	}
	defer blob.Close()
	return l.decode(blob, d.Digest, to)
}

func (l *layout) decode(r io.Reader, name string, to any) error {
	text, err := regular.Bounded(r, maxJSON)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		return fmt.Errorf("%s %w: %s: %w", l.path, ErrArchive, name, err)
	}
	return nil
}

// algorithms are those that descriptor.md registers, but for BLAKE3, which nobody uses.
var algorithms = map[string]func() hash.Hash{"sha256": sha256.New, "sha512": sha512.New}

// blob opens what a descriptor names. Reading to its end verifies it.
func (l *layout) blob(d descriptor) (io.ReadCloser, error) {
	algorithm, text, _ := strings.Cut(d.Digest, ":")
	sum, err := hex.DecodeString(text)
	b := &blob{left: d.Size, sum: sum}
	if begin := algorithms[algorithm]; begin != nil {
		b.hash = begin()
	}
	if err != nil || b.hash == nil || len(sum) != b.hash.Size() || text != strings.ToLower(text) || d.Size < 0 {
		return nil, fmt.Errorf("%q of %d bytes cannot be verified", d.Digest, d.Size)
	}
	if d.Data != nil {
		b.Reader = bytes.NewReader(d.Data)
		return b, nil
	}
	f, err := l.open(path.Join(blobsDir, algorithm, text))
	if err != nil {
		return nil, err
	}
	b.Reader, b.file = f, f
	return b, nil
}

var errContent = errors.New("the content is not that of its digest and size")

// blob is content with a digest. Where it is not what it should be, its end is an error.
type blob struct {
	io.Reader
	file *os.File // nil where it is in the descriptor
	hash hash.Hash
	sum  []byte
	left int64
}

func (b *blob) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left+1] // a byte too many is seen
	}
	n, err := b.Reader.Read(p)
	b.hash.Write(p[:n])
	b.left -= int64(n)
	switch {
	case b.left < 0:
		return 0, errContent
	case err == io.EOF && (b.left > 0 || !bytes.Equal(b.hash.Sum(nil), b.sum)):
		return n, errContent
	}
	return n, err
}

func (b *blob) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}
