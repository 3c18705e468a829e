package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/umoci/oci/cas/dir"
	"github.com/opencontainers/umoci/oci/casext"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// maxJSON bounds an index or a manifest, in bytes: registries refuse manifests above 4 MiB.
const maxJSON = 4 << 20

// maxDepth bounds indices inside indices, and maxIndices all of them together; real images have one.
const (
	maxDepth   = 4
	maxIndices = 64
)

// layout is an open OCI image layout (image-spec 1.1, image-layout.md).
type layout struct {
	engine  casext.Engine
	path    string
	indices int // looked into so far
}

func openLayout(path string) (*layout, error) {
	for _, name := range []string{ispec.ImageLayoutFile, ispec.ImageIndexFile} {
		if err := readable(filepath.Join(path, name)); err != nil {
			return nil, fmt.Errorf("%s %w: %w", path, ErrArchive, err)
		}
	}
	engine, err := dir.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s %w: %w", path, ErrArchive, err)
	}
	return &layout{engine: casext.NewEngine(engine), path: path}, nil
}

// readable refuses what umoci would wait for, a pipe's writer, or read as a whole whatever its size.
func readable(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	case info.Size() > maxJSON:
		return fmt.Errorf("%s is larger than %d bytes", name, maxJSON)
	}
	return nil
}

// layoutSource finds the image that is meant, whose manifest's digest is what it is kept under.
func layoutSource(path, tag string) (*source, error) {
	l, err := openLayout(path)
	if err != nil {
		return nil, fault.WithHint(err, hintSource)
	}
	defer l.engine.Close()
	manifest, err := l.manifest(tag)
	if errors.Is(err, ErrArchive) {
		return nil, fault.WithHint(err, hintDamaged)
	}
	if err != nil {
		return nil, err
	}
	return &source{path: path, tag: tag, oci: true, id: build.Key(string(manifest.Digest))}, nil
}

// manifest finds the image of a tag for this architecture; without a tag there must be one only.
func (l *layout) manifest(tag string) (ispec.Descriptor, error) {
	index, err := l.engine.GetIndex(context.Background())
	if err != nil {
		return ispec.Descriptor{}, fmt.Errorf("%s %w: %w", l.path, ErrArchive, err)
	}
	var fit []ispec.Descriptor
	var tags []string
	for _, d := range index.Manifests {
		name := d.Annotations[ispec.AnnotationRefName]
		if name != "" {
			tags = append(tags, name)
		}
		if tag == "" || name == tag {
			fit = append(fit, d)
		}
	}
	found, err := l.platform(fit, goruntime.GOARCH, 0)
	if err == nil && len(found) == 0 && goruntime.GOARCH == "amd64" { // a runtime of 32-bit programs alone
		found, err = l.platform(fit, "386", 0)
	}
	if err != nil {
		return ispec.Descriptor{}, err
	}
	hint := "leave out the tag: it has none"
	if len(tags) > 0 {
		hint = "its tags are: " + strings.Join(tags, ", ") + "; as in --runtime " + l.path + ":" + tags[0]
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && tag != "" && len(fit) == 0:
		err = fmt.Errorf("%s: %w with the tag %s", l.path, ErrImage, tag)
	case len(found) == 0:
		err = fmt.Errorf("%s: %w for linux/%s", l.path, ErrImage, goruntime.GOARCH)
		hint = "get the image for this machine: podman pull --arch " + goruntime.GOARCH
	default:
		err = fmt.Errorf("%s: %w: it has %d, and no tag says which", l.path, ErrImage, len(found))
		if len(tags) == 0 {
			hint = "save one image alone: podman save --format oci-archive IMAGE"
		}
	}
	return ispec.Descriptor{}, fault.WithHint(err, hint)
}

// platform keeps the manifests of images for Linux on arch, and looks into indices for them. A descriptor that names no
// platform fits.
func (l *layout) platform(from []ispec.Descriptor, arch string, depth int) ([]ispec.Descriptor, error) {
	var out []ispec.Descriptor
	for _, d := range from {
		if p := d.Platform; p != nil && (p.OS != "linux" || p.Architecture != arch) {
			continue
		}
		if d.MediaType != ispec.MediaTypeImageIndex && d.MediaType != dockerList {
			out = append(out, d)
			continue
		}
		var index ispec.Index
		if l.indices++; l.indices > maxIndices {
			return nil, fmt.Errorf("%s %w: more than %d indices", l.path, ErrArchive, maxIndices)
		}
		if depth == maxDepth {
			return nil, fmt.Errorf("%s %w: indices are nested too deeply", l.path, ErrArchive)
		}
		if err := l.json(d, &index); err != nil {
			return nil, err
		}
		inner, err := l.platform(index.Manifests, arch, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, inner...)
	}
	return out, nil
}

// dockerList is the older name of an index (distribution's manifest-v2-2.md); tools copy it as it is.
const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"

// blob opens what a descriptor names; what is read is verified. umoci panics at a digest that is none where the content is in
// the descriptor, and waits for a pipe's writer where it is in a file.
func (l *layout) blob(d ispec.Descriptor) (io.ReadCloser, error) {
	if err := d.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("%q: %w", d.Digest, err)
	}
	if d.Data == nil {
		name := filepath.Join(l.path, ispec.ImageBlobsDir, d.Digest.Algorithm().String(), d.Digest.Encoded())
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", name)
		}
	}
	return l.engine.GetVerifiedBlob(context.Background(), d)
}

func (l *layout) json(d ispec.Descriptor, to any) error {
	if d.Size > maxJSON {
		return fmt.Errorf("%s %w: %s has %d bytes", l.path, ErrArchive, d.Digest, d.Size)
	}
	blob, err := l.blob(d)
	if err != nil {
		return fmt.Errorf("%s %w: %w", l.path, ErrArchive, err)
	}
	defer blob.Close()
	text, err := io.ReadAll(blob)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		return fmt.Errorf("%s %w: %s: %w", l.path, ErrArchive, d.Digest, err)
	}
	return nil
}

// unpackImage unpacks an image's layers, one over the other, into an empty directory.
func unpackImage(s *source, to string, progress Progress) error {
	l, err := openLayout(s.path)
	if err != nil {
		return err
	}
	defer l.engine.Close()
	d, err := l.manifest(s.tag)
	if err != nil {
		return err
	}
	if build.Key(string(d.Digest)) != s.id {
		return errChanged(s.path)
	}
	var m ispec.Manifest
	if err := l.json(d, &m); err != nil {
		return err
	}
	if len(m.Layers) == 0 {
		return fmt.Errorf("%s %w: the image has no layers", s.path, ErrArchive)
	}
	var done, total int64
	for _, d := range m.Layers {
		total += d.Size
	}
	for _, d := range m.Layers {
		blob, err := l.blob(d)
		if err != nil {
			return fmt.Errorf("%s %w: layer %s: %w", s.path, ErrArchive, d.Digest, err)
		}
		counted := &counter{r: blob, what: s.path, done: done, total: total, progress: progress}
		err = unpackStream(counted, to, s.stop)
		if err == nil {
			_, err = io.Copy(io.Discard, counted) // the digest is verified at the end
		}
		if closed := blob.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return fmt.Errorf("%s %w: layer %s: %w", s.path, ErrArchive, d.Digest, err)
		}
		done += d.Size
	}
	return nil
}
