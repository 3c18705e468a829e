package runtimes

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A tree counts as complete when the disk has it: the record is written afterwards, or never.
func TestFlushed(t *testing.T) {
	defer func() { syncfs = unix.Syncfs }()
	s := Open(t.TempDir())
	source := write(t, "a.tar", archive(t, small...))
	answer, asked := error(unix.EIO), 0
	syncfs = func(fd int) error {
		asked++
		var there, flushed unix.Stat_t
		trees, err := filepath.Glob(s.dir + "/trees/*/tree/usr/lib/libc.so.6")
		must(t, err)
		if len(trees) != 1 {
			t.Fatalf("got %v, want one tree", trees)
		}
		must(t, unix.Stat(trees[0], &there))
		must(t, unix.Fstat(fd, &flushed))
		if there.Dev != flushed.Dev {
			t.Errorf("got the file system %d, want %d", flushed.Dev, there.Dev)
		}
		if records, _ := filepath.Glob(s.dir + "/trees/*/record.json"); len(records) > 0 {
			t.Errorf("%s is there already", records)
		}
		return answer
	}
	if h, err := s.Acquire(source, nil); h != nil || !errors.Is(err, unix.EIO) {
		t.Errorf("got %v, want %v", err, unix.EIO)
	}
	empty(t, s)
	answer = nil
	h, err := s.Acquire(source, nil)
	must(t, err)
	defer h.Close()
	if _, err := os.Stat(filepath.Join(filepath.Dir(h.Dir), "record.json")); err != nil || asked != 2 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}
