package runtimes

import (
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/untar"
)

// maxDepth bounds indices inside indices, and maxIndices all of them together; real images have one.
const (
	maxDepth   = 4
	maxIndices = 64
)

// layoutSource finds the image that is meant, whose manifest's digest is what it is kept under.
func layoutSource(path, tag string, inside bool) (*source, error) {
	l, err := openLayout(path, inside)
	if err != nil {
		return nil, fault.WithHint(err, hintSource)
	}
	defer l.Close()
	manifest, err := l.manifest(tag)
	if errors.Is(err, ErrArchive) {
		return nil, fault.WithHint(err, hintDamaged)
	}
	if err != nil {
		return nil, err
	}
	return &source{path: path, tag: tag, oci: true, inside: inside, id: build.Key(manifest.Digest)}, nil
}

// manifest finds the image of a tag for this architecture; without a tag there must be one only.
func (l *layout) manifest(tag string) (descriptor, error) {
	var index struct{ Manifests descriptors }
	if err := l.file(indexFile, &index); err != nil {
		return descriptor{}, err
	}
	var fit []descriptor
	var tags []string
	for _, d := range index.Manifests {
		name := d.Annotations[refName]
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
		return descriptor{}, err
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
	return descriptor{}, fault.WithHint(err, hint)
}

// platform keeps the manifests of images for Linux on arch, and looks into indices for them. A descriptor that names no
// platform fits.
func (l *layout) platform(from []descriptor, arch string, depth int) ([]descriptor, error) {
	var out []descriptor
	for _, d := range from {
		if p := d.Platform; p != nil && (p.OS != "linux" || p.Architecture != arch) {
			continue
		}
		if d.MediaType != ociIndex && d.MediaType != dockerList {
			d.Annotations = nil // read by now; all that indices have together are gigabytes in memory
			out = append(out, d)
			continue
		}
		var index struct{ Manifests descriptors }
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

// unpackImage unpacks an image's layers, one over the other, into an empty directory.
func unpackImage(s *source, to string, progress Progress) error {
	l, err := openLayout(s.path, s.inside)
	if err != nil {
		return err
	}
	defer l.Close()
	d, err := l.manifest(s.tag)
	if err != nil {
		return err
	}
	if build.Key(d.Digest) != s.id {
		return errChanged(s.path)
	}
	var m struct{ Layers descriptors }
	if err := l.json(d, &m); err != nil {
		return err
	}
	if len(m.Layers) == 0 {
		return fmt.Errorf("%s %w: the image has no layers", s.path, ErrArchive)
	}
	return unpackInto(to, func(tree *untar.Tree) error { return l.unpack(m.Layers, tree, s, progress) })
}

func (l *layout) unpack(layers descriptors, tree *untar.Tree, s *source, progress Progress) error {
	var done, total int64
	for _, d := range layers {
		total += d.Size
	}
	for _, d := range layers {
		blob, err := l.blob(d)
		if err != nil {
			return fmt.Errorf("%s %w: layer %s: %w", s.path, ErrArchive, d.Digest, err)
		}
		counted := &counter{r: blob, what: s.path, done: done, total: total, progress: progress}
		err = unpackStream(counted, tree, s.stop)
		if err == nil {
			_, err = io.Copy(io.Discard, counted) // the digest is verified at the end
		}
		blob.Close()
		if err != nil {
			return fmt.Errorf("%s %w: layer %s: %w", s.path, ErrArchive, d.Digest, err)
		}
		done += d.Size
	}
	return nil
}
