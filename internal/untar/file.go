package untar

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hole is how many zeros in a row, in bytes and from a multiple of them, become a hole.
const hole = 64 << 10

var zeros [hole]byte

// file makes a regular file or a pipe where nothing is. A device becomes an empty file.
func (t *Tree) file(at *step, base string, h *tar.Header, data io.Reader) error {
	holes := isSparse(h)
	if holes {
		if h.Size > maxSparse-t.sparse {
			return errors.New("files with holes that are larger than 1 TiB in all")
		}
		t.sparse += h.Size
	}
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	if h.Typeflag == tar.TypeFifo {
		if err := unix.Mknodat(at.fd, base, unix.S_IFIFO|0o600, 0); err != nil {
			return err
		}
		flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW // a reader need not wait
	}
	fd, err := create(at.fd, base, flags, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	if h.Typeflag != tar.TypeFifo {
		err = t.fill(f, data, h.Size, holes)
	}
	if err == nil {
		err = setAttributes(fd, h, true)
	}
	if err == nil {
		err = unix.Fchmod(fd, metaOf(h).mode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return setTime(at.fd, base, h.ModTime)
}

// fill writes size bytes of a reader that has as many, but for those pieces that are to be holes.
func (t *Tree) fill(f *os.File, data io.Reader, size int64, holes bool) error {
	for at := int64(0); at < size; {
		n, err := io.ReadFull(data, t.piece[:min(hole, size-at)])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", at+int64(n), size, err)
		}
		if !holes || !bytes.Equal(t.piece[:n], zeros[:n]) {
			if _, err := f.WriteAt(t.piece[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return f.Truncate(size)
}

// isSparse says whether an archive stores a file's holes as such: in the format of old GNU tar, or
// by records of its newer ones (GNU tar's manual, "Storing Sparse Files").
func isSparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// setTime sets the time of what has a name, a link's own too.
func setTime(at int, name string, to time.Time) error {
	when, err := unix.TimeToTimespec(to)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(at, name, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW)
}

// setAttributes gives a file or a directory the extended attributes of an entry; of a directory
// that was there before it takes away others. A file system that has none, or not for this, is as
// good.
func setAttributes(fd int, h *tar.Header, fresh bool) error {
	if !fresh {
		if err := clearAttributes(fd); err != nil {
			return err
		}
	}
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, "SCHILY.xattr.")
		if !ok || !strings.HasPrefix(name, "user.") {
			continue
		}
		if err := unix.Fsetxattr(fd, name, []byte(value), 0); err != nil && err != unix.ENOTSUP && err != unix.EPERM {
			return fmt.Errorf("set the attribute %s: %w", name, err)
		}
	}
	return nil
}

func clearAttributes(fd int) error {
	list := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Flistxattr(fd, list)
	if err != nil && err != unix.ENOTSUP {
		return fmt.Errorf("list attributes: %w", err)
	}
	for _, name := range strings.Split(string(list[:max(n, 0)]), "\x00") {
		if !strings.HasPrefix(name, "user.") {
			continue
		}
		if err := unix.Fremovexattr(fd, name); err != nil {
			return fmt.Errorf("remove the attribute %s: %w", name, err)
		}
	}
	return nil
}
