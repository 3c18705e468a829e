package setup

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
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
	err := replace(filepath.Join(dir, FileName), text, nil)
	if err != nil && missing != nil {
		os.Remove(dir) // if it is empty
	}
	return err
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
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxConfig)
	}
	return text, info, err
}

// replace writes a file under another name and renames it, so that nobody ever sees half of it. Owner and permissions
// are those of what it replaces.
func replace(name string, text []byte, old fs.FileInfo) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".capsule-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", name, err)
		}
	}()
	mode := fs.FileMode(0o644)
	if old != nil {
		mode = old.Mode().Perm()
		if st, ok := old.Sys().(*syscall.Stat_t); ok {
			err = f.Chown(int(st.Uid), int(st.Gid))
		}
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}
