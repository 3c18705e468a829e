package runtimes

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"github.com/opencontainers/umoci/oci/layer"
	"github.com/opencontainers/umoci/pkg/fseval"
)

const (
	// maxSparse bounds what a few bytes of an archive can make us read zeros for, in bytes.
	maxSparse = 1 << 40
	// hole is how many zeros in a row, in bytes and from a multiple of them, become a hole.
	hole = 64 << 10
)

// isSparse says whether an archive stores a file's holes as such: in the format of old GNU tar, or by records of its newer
// ones (GNU tar's manual, "Storing Sparse Files"). A name that an image's layer uses as a mark is no file (OCI image-spec,
// layer.md, "Whiteouts").
func isSparse(h *tar.Header) bool {
	if strings.HasPrefix(path.Base(h.Name), ".wh.") {
		return false
	}
	if h.Typeflag == tar.TypeReg {
		for name := range h.PAXRecords {
			if strings.HasPrefix(name, "GNU.sparse.") {
				return true
			}
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// unpackSparse unpacks such a file with holes. What is read has them filled; the extractor, which knows no holes, makes an
// empty file with all that the header says of it.
func unpackSparse(extractor *layer.TarExtractor, dir string, h *tar.Header, data io.Reader) error {
	if h.Size > maxSparse {
		return errors.New("a file with holes that is larger than 1 TiB")
	}
	empty := *h
	empty.Typeflag, empty.Size = tar.TypeReg, 0
	if err := extractor.UnpackEntry(dir, &empty, strings.NewReader("")); err != nil {
		return err
	}
	clean := path.Clean("/" + h.Name)
	parent, err := securejoin.SecureJoinVFS(dir, path.Dir(clean), fseval.Rootless)
	if err != nil {
		return err
	}
	name := filepath.Join(parent, path.Base(clean))
	if err := fseval.Rootless.Chmod(name, 0o600); err != nil {
		return err
	}
	f, err := fseval.Rootless.Create(name) // it is there: a regular file, of which nobody else knows
	if err != nil {
		return err
	}
	err = fill(f, data, h.Size)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := fseval.Rootless.Chmod(name, h.FileInfo().Mode()); err != nil {
		return err
	}
	return fseval.Rootless.Lutimes(name, h.ModTime, h.ModTime)
}

// fill writes size bytes of a reader that has as many, but for those pieces that are zeros.
func fill(f *os.File, data io.Reader, size int64) error {
	piece, zeros := make([]byte, hole), make([]byte, hole)
	for at := int64(0); at < size; {
		n, err := io.ReadFull(data, piece[:min(hole, size-at)])
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", at+int64(n), size, err)
		}
		if !bytes.Equal(piece[:n], zeros[:n]) {
			if _, err := f.WriteAt(piece[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return f.Truncate(size)
}
