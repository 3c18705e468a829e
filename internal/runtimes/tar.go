package runtimes

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/apex/log"
	"github.com/apex/log/handlers/discard"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/opencontainers/umoci/oci/layer"
)

// umoci logs what a rootless unpacking leaves out (owners, device nodes), which is as intended.
func init() { log.SetHandler(discard.New()) }

// unpackTar unpacks an archive's file into dir, which must be empty.
func unpackTar(s *source, dir string, progress Progress) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	counted := &counter{r: f, what: s.path, total: s.size, progress: progress}
	unpacked := unpackStream(counted, dir, s.stop)
	if err := s.unchanged(f); err != nil { // which explains an error, too
		return err
	}
	if unpacked != nil {
		return fmt.Errorf("%s %w: %w", s.path, ErrArchive, unpacked)
	}
	return nil
}

// unpackStream unpacks a tar stream, compressed or not. Names and links in it cannot lead out of dir (umoci resolves
// each below it). Rootless: no device nodes, no owners; the files are those of the user who unpacks, root too, for an
// archive's owners mean nothing on this machine.
func unpackStream(stream io.Reader, dir string, stop interruptions) error {
	unpacked, err := decompress(stream)
	if err != nil {
		return err
	}
	defer unpacked.Close()
	r := interruptible{unpacked, stop} // this side: a few bytes may be many gigabytes there
	if err := unpackEntries(tar.NewReader(r), dir, stop); err != nil {
		return err
	}
	// Behind the archive's end there may be padding; a checksum at the compressed stream's end is verified by reading it.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return nil
}

// unpackEntries is umoci's UnpackLayer, and takes what layers do not have, but archives do.
func unpackEntries(archive *tar.Reader, dir string, stop interruptions) error {
	extractor := layer.NewTarExtractor(&layer.UnpackOptions{
		OnDiskFormat: layer.DirRootfs{MapOptions: layer.MapOptions{Rootless: true}}})
	for {
		h, err := archive.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeXGlobalHeader: // of git archive: a comment
			continue
		case isSparse(h): // of tar --sparse; zeros that are stored nowhere must be interruptible too
			if err := unpackSparse(extractor, dir, h, interruptible{archive, stop}); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
			continue
		}
		if err := extractor.UnpackEntry(dir, h, archive); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// maxWindow is how much of what came before a decoder keeps: an archive asks for as much as it likes, and it is memory.
const maxWindow = 128 << 20

// decompress tells by the first bytes how a stream is compressed. What it does not know it takes to be plain.
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
