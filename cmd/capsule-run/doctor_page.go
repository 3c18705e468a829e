package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	doctorreport "github.com/capsule-run/capsule-run/internal/doctor/report"

	"github.com/capsule-run/capsule-run/internal/doctor/page"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/replace"
)

// pageTarget says which file a name of --html means, and complains before anything is drawn if it cannot be written: special is
// a device or a pipe, which nothing can take the place of.
func pageTarget(name string) (target string, special bool, err error) {
	target, err = filepath.EvalSymlinks(name) // a link stays one
	if errors.Is(err, fs.ErrNotExist) {
		target, err = name, nil
	}
	if err == nil {
		var info os.FileInfo
		switch info, err = os.Stat(target); {
		case err == nil && info.IsDir():
			err = unix.EISDIR
		case err == nil && !info.Mode().IsRegular():
			special, err = true, nil
		case err == nil || errors.Is(err, fs.ErrNotExist):
			err = unix.Faccessat(unix.AT_FDCWD, filepath.Dir(target), unix.W_OK, unix.AT_EACCESS)
		}
	}
	if err != nil {
		return "", false, pageError(name, err)
	}
	return target, special, nil
}

// writePage writes a page as a whole or not at all.
func writePage(name string, r *doctorreport.Report) error {
	var text bytes.Buffer
	if err := page.Write(&text, r); err != nil {
		return err
	}
	target, special, err := pageTarget(name)
	if err != nil {
		return err
	}
	if !special {
		err = replace.File(target, text.Bytes(), replace.Options{Kept: true})
	} else if f, opened := os.OpenFile(target, os.O_WRONLY, 0); opened != nil {
		err = opened
	} else {
		_, err = f.Write(text.Bytes())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return pageError(name, err)
	}
	return nil
}

func pageError(name string, err error) error {
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err // the name may be that of a temporary file
	}
	return fault.WithHint(fmt.Errorf("write the page %s: %w", name, err), "name a file in a directory that you can write to by --html, or - for standard output")
}
