package setup

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
	"github.com/capsule-run/capsule-run/internal/replace"
)

// ErrForeign says that another program's file has the name of ours.
var ErrForeign = errors.New("not written by capsule-run hook install")

// ours says whether a file is: its error is ErrForeign, fs.ErrNotExist or another.
func ours(name string) error {
	foreign := fault.WithHint(fmt.Errorf("%s: %w", name, ErrForeign), "move it away, or choose another directory with --dir")
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, foreign)
	}
	text, _, err := readConfig(name)
	if err != nil {
		return err
	}
	var f hooksFile
	if json.Unmarshal(text, &f) != nil || len(f.Hook.Args) == 0 || f.Hook.Args[0] != Name {
		return foreign
	}
	return nil
}

// Install writes a hooks.d file, and its directory if that is missing. One that is there already is replaced if it is ours.
func Install(dir string, text []byte) error {
	if err := ours(filepath.Join(dir, FileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, missing := os.Lstat(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the hooks directory: %w", err)
	}
	err := write(filepath.Join(dir, FileName), text, nil)
	if err != nil && missing != nil {
		os.Remove(dir) // if it is empty
	}
	return err
}

// write replaces a file; its owner and permissions are those of what it replaces.
func write(name string, text []byte, old fs.FileInfo) error {
	if err := replace.File(name, text, replace.Options{Like: old}); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Uninstall removes the file, and tells whether there was one. The directory stays: others may use it.
func Uninstall(dir string) (removed bool, err error) {
	name := filepath.Join(dir, FileName)
	if err = ours(name); err == nil {
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// maxConfig is in bytes.
const maxConfig = 16 << 20

// readConfig reads a file that is to be replaced.
func readConfig(name string) ([]byte, fs.FileInfo, error) {
	f, err := regular.Open(name, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := regular.All(f, maxConfig)
	return text, info, err
}
