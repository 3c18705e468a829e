package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// pageFile is where the doctor's page goes: a regular file is there as a whole or not at all, and who cannot write it is told
// before anything is drawn.
type pageFile struct {
	name string   // as the user gave it
	to   *os.File // what is written
	as   string   // what to becomes at the end; empty for a device or a pipe
}

// openPage makes ready what finish will write.
func openPage(name string) (*pageFile, error) {
	p := &pageFile{name: name}
	target, err := filepath.EvalSymlinks(name) // a link stays one
	if errors.Is(err, fs.ErrNotExist) {
		target, err = name, nil
	}
	if err == nil {
		var info os.FileInfo
		switch info, err = os.Stat(target); {
		case err == nil && info.IsDir():
			err = unix.EISDIR
		case err == nil && !info.Mode().IsRegular():
			p.to, err = os.OpenFile(target, os.O_WRONLY, 0)
		case err == nil || errors.Is(err, fs.ErrNotExist):
			p.as = target
			p.to, err = os.CreateTemp(filepath.Dir(target), ".capsule-doctor-*.tmp")
		}
	}
	if err != nil {
		return nil, pageError(name, err)
	}
	return p, nil
}

func pageError(name string, err error) error {
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err // the name would be that of the temporary file
	}
	return fault.WithHint(fmt.Errorf("write the page %s: %w", name, err), "name a file in a directory that you can write to by --html, or - for standard output")
}

// finish writes the page and puts it in its place.
func (p *pageFile) finish(write func(io.Writer) error) error {
	err := write(p.to)
	if err == nil && p.as != "" {
		err = p.to.Chmod(0o644)
	}
	if closed := p.to.Close(); err == nil {
		err = closed
	}
	if err == nil && p.as != "" {
		if err = os.Rename(p.to.Name(), p.as); err == nil {
			p.as = ""
		}
	}
	if err != nil {
		return pageError(p.name, err)
	}
	return nil
}

// drop removes what has not become the page.
func (p *pageFile) drop() {
	if p != nil && p.as != "" {
		p.to.Close()
		os.Remove(p.to.Name())
	}
}
