package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
)

// source is what there is to unpack.
type source struct {
	path string // absolute
	tag  string // of an OCI image layout, or of one in an archive: org.opencontainers.image.ref.name
	oci  bool   // a layout in a directory; else a tar archive
	// inside says that the layout came out of an archive: its links must not lead out of it.
	inside bool
	size   int64 // of the archive's file, in bytes
	// mtree says that path is the description of a runtime as Steam installs it.
	mtree bool
	// id changes when the content does: what is unpacked is kept under it.
	id string

	stop interruptions // while it is unpacked
}

// known is the path that the user knows.
func (s *source) known() string {
	if s.mtree {
		return filepath.Dir(s.path)
	}
	return s.path
}

const hintSource = "give a directory, a .tar, .tar.gz, .tar.xz or .tar.zst archive, or an OCI image layout " +
	"(podman save --format oci-archive makes one)"

const (
	hintDamaged = "the file is damaged or not complete: fetch it again"
	hintWindow  = "compress it so that unpacking takes 128 MiB of memory at most: xz -9, or zstd without --long"
)

// hintArchive says what to do about an archive that cannot be read.
func hintArchive(err error) string {
	if errors.Is(err, xz.ErrMemlimit) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return hintWindow
	}
	return hintDamaged
}

// find tells what a name means: nil with a directory that is a file tree already, or what is to be unpacked. An OCI
// image layout, or an archive of one, may have ":TAG" behind it.
func find(name string) (dir string, s *source, err error) {
	path, tag := name, ""
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if i := strings.LastIndexByte(name, ':'); i > 0 && !strings.Contains(name[i:], "/") {
			if info, err = os.Stat(name[:i]); err == nil {
				path, tag = name[:i], name[i+1:]
			}
		}
	}
	if err != nil {
		return "", nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", nil, err
	}
	switch {
	case info.IsDir() && isLayout(path):
		s, err = layoutSource(path, tag, false)
		return "", s, err
	case info.IsDir() && tag != "":
		return "", nil, fault.WithHint(fmt.Errorf("runtime %w", errNoTags(name)), hintSource)
	case info.IsDir():
		return name, nil, nil // in the user's words
	case !info.Mode().IsRegular():
		return "", nil, fault.WithHint(fmt.Errorf("runtime %s: %w", name, ErrKind), hintSource)
	}
	switch err := checkArchive(path); {
	case errors.Is(err, ErrArchive):
		return "", nil, fault.WithHint(fmt.Errorf("runtime %s %w", path, err), hintArchive(err))
	case errors.Is(err, ErrKind):
		return "", nil, fault.WithHint(fmt.Errorf("runtime %s: %w", name, err), hintSource)
	case err != nil:
		return "", nil, fmt.Errorf("runtime %s: %w", name, err)
	}
	return "", &source{path: path, tag: tag, size: info.Size(), id: archiveKey(path, tag, info)}, nil
}

func errNoTags(name string) error {
	return fault.WithHint(fmt.Errorf("%s: %w: only an OCI image layout has tags", name, ErrImage), hintSource)
}

// archiveKey says which runtime an archive is: another file, or the same one written to, is another.
func archiveKey(path, tag string, info fs.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	parts := []string{path, fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim.Nano())}
	if tag != "" {
		parts = append(parts, tag)
	}
	return build.Key(parts...)
}

// open opens the source's file, if it still is what it was. A pipe's writer is not waited for: it may have taken its place.
func (s *source) open() (*os.File, error) {
	f, err := regular.Open(s.path, 0)
	if err != nil {
		return nil, err
	}
	if err := s.unchanged(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unchanged says whether f is still what the source was when its id was told.
func (s *source) unchanged(f *os.File) error {
	info, err := f.Stat()
	if err == nil && archiveKey(s.path, s.tag, info) != s.id {
		err = errChanged(s.path)
	}
	return err
}

func errChanged(path string) error {
	return fault.WithHint(fmt.Errorf("%s %w: it has changed meanwhile", path, ErrArchive), "try again when it is complete")
}

// checkArchive looks at the first bytes: an archive, or what is compressed like one.
func checkArchive(path string) error {
	f, err := regular.Open(path, 0) // as in open
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := decompress(f)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, 512))
	if err != nil { // it is compressed, and has been cut or written over
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if len(head) < 512 || !isTar(head) {
		return ErrKind
	}
	return nil
}

// isTar knows a header of POSIX.1-2017, pax, "ustar Header Block": "ustar" at 257, which GNU tar writes too.
func isTar(head []byte) bool { return string(head[257:262]) == "ustar" }

const hintDocker = "save it as an OCI image: podman save --format oci-archive, skopeo copy docker-archive:FILE oci-archive:NEW, " +
	"or docker save of Docker 25 or newer"

// isDockerArchive knows what docker save up to 24 writes, and podman save where no format is asked for, by the list of
// images in it.
func isDockerArchive(dir string) bool {
	f, err := regular.Open(filepath.Join(dir, "manifest.json"), unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	defer f.Close()
	var images []struct{ Layers []string }
	return json.NewDecoder(io.LimitReader(f, maxJSON)).Decode(&images) == nil && len(images) > 0 && len(images[0].Layers) > 0
}

// isLayout knows an OCI image layout by the file that must be in it (image-spec 1.1, image-layout.md).
func isLayout(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, layoutFile))
	return err == nil && info.Mode().IsRegular()
}
