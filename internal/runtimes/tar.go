package runtimes

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"

	"github.com/capsule-run/capsule-run/internal/untar"
)

// unpackTar unpacks an archive's file into dir, which must be empty.
func unpackTar(s *source, dir string, progress Progress) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	counted := &counter{r: f, what: s.path, total: s.size, progress: progress}
	unpacked := unpackInto(dir, func(tree *untar.Tree) error { return unpackStream(counted, tree, s.stop) })
	if err := s.unchanged(f); err != nil { // which explains an error, too
		return err
	}
	if unpacked != nil {
		return fmt.Errorf("%s %w: %w", s.path, ErrArchive, unpacked)
	}
	return nil
}

// unpackInto lets layers be unpacked into a directory.
func unpackInto(dir string, layers func(*untar.Tree) error) error {
	tree, err := untar.Open(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := layers(tree); err != nil {
		return err
	}
	return tree.Finish()
}

// unpackStream unpacks a tar stream, compressed or not.
func unpackStream(stream io.Reader, tree *untar.Tree, stop interruptions) error {
	unpacked, err := decompress(stream)
	if err != nil {
		return err
	}
	defer unpacked.Close()
	r := interruptible{unpacked, stop} // this side: a few bytes may be many gigabytes there
	archive := tar.NewReader(r)
	if err := tree.Layer(archive, interruptible{archive, stop}); err != nil { // zeros that are stored nowhere, too
		return err
	}
	// Behind the archive's end there may be padding; a checksum at the compressed stream's end
	// is verified by reading it.
	_, err = io.Copy(io.Discard, r)
	return err
}

// maxWindow is how much of what came before a decoder keeps: an archive asks for as much as it
// likes, and it is memory.
const maxWindow = 128 << 20

// decompress tells by the first bytes how a stream is compressed. What it does not know it takes to
// be plain.
func decompress(stream io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(stream, 1<<16)
	head, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		return gzip.NewReader(b)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878, 3.1.1
		// The limit is the default of zstd(1) without --long.
		d, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")): // The .xz File Format 1.2.0, 2.1.1.1
		x, err := xz.NewReader(b, maxWindow) // a dictionary can be of 4 GiB, in each block another; xz -9 has 64 MiB
		return io.NopCloser(x), err
	case bytes.HasPrefix(head, []byte("BZh")):
		return io.NopCloser(bzip2.NewReader(b)), nil
	}
	return io.NopCloser(b), nil
}

// counter tells how much of a stream has been read.
type counter struct {
	r           io.Reader
	what        string
	done, total int64
	progress    Progress
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.what, c.done, c.total)
	}
	return n, err
}
