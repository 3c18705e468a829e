package cdi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	cdiapi "tags.cncf.io/container-device-interface/pkg/cdi"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
	"github.com/capsule-run/capsule-run/internal/replace"
)

// Bounds on a specification: far above one for as many GPUs as a machine can have. The YAML library
// takes 200 bytes of memory for one of text, and compares each key of a mapping with all others:
// 60,000 take it seconds.
const (
	maxSpec    = 512 << 10 // bytes
	maxEntries = 20_000
)

// ErrForeign says that a file is there already, and is not ours to replace.
var ErrForeign = errors.New("is not a CDI specification for " + Kind)

// Text is a specification as JSON, which is YAML too.
func Text(s *specs.Spec) ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode CDI specification: %w", err)
	}
	return append(text, '\n'), nil
}

// Check has the CDI project's own reader look at a file: form, version, names and edits.
func Check(file string) error {
	_, err := cdiapi.ReadSpec(file, 0)
	return err
}

// Write puts a specification into a file, as a whole or not at all, and says whether that changed anything. A file that is
// there already is replaced only if it is such a specification too.
func Write(s *specs.Spec, file string) (changed bool, err error) {
	if ext := filepath.Ext(file); ext != ".json" && ext != ".yaml" {
		return false, fault.WithExit(fault.WithHint(fmt.Errorf("CDI specification %s: engines read files named .json and .yaml only", file),
			"write it to "+filepath.Join(Dirs[0], Name)), fault.ExitUsage)
	}
	text, err := Text(s)
	if err != nil {
		return false, err
	}
	old, err := ours(file)
	if err != nil {
		return false, err
	}
	if bytes.Equal(old, text) {
		return false, nil
	}
	dir := filepath.Dir(file)
	made, err := missing(dir)
	if err != nil {
		return false, writeError(err)
	}
	if err = os.MkdirAll(dir, 0o755); err == nil {
		err = replace.File(file, text, replace.Options{Check: func(name string) error {
			if err := Check(name); err != nil {
				return fmt.Errorf("refused by CDI's rules: %w", err)
			}
			return nil
		}})
	}
	if err != nil && made != "" {
		removeEmpty(dir, made)
	}
	return err == nil, writeError(err)
}

// ours returns the text of our specification in a file; none if there is no such file.
func ours(file string) ([]byte, error) {
	foreign := func(why string) error {
		return fault.WithHint(fmt.Errorf("%s %w: %s", file, ErrForeign, why), "give --output another name, or remove the file")
	}
	f, err := regular.Open(file, unix.O_NOFOLLOW)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, unix.ELOOP):
		return nil, foreign("a symbolic link")
	case errors.Is(err, regular.ErrNotRegular):
		return nil, foreign("not a regular file")
	case err != nil:
		return nil, writeError(err)
	}
	defer f.Close()
	text, err := regular.All(f, maxSpec)
	if errors.Is(err, regular.ErrTooLarge) {
		return nil, foreign("too large")
	}
	if err != nil {
		return nil, writeError(err)
	}
	switch spec, err := parse(text); {
	case err != nil:
		return nil, foreign("not understood")
	case spec.Kind != Kind:
		return nil, foreign(fmt.Sprintf("its kind is %q", spec.Kind))
	}
	return text, nil
}

// missing returns the uppermost directory that must be made for dir, empty if it is there.
func missing(dir string) (string, error) {
	made := ""
	for at := dir; ; at = filepath.Dir(at) {
		_, err := os.Lstat(at) // a link that leads nowhere is there, and not ours
		if err == nil {
			return made, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return "", err
		}
		made = at
	}
}

// removeEmpty takes back directories that were made for nothing.
func removeEmpty(dir, made string) {
	for at := dir; os.Remove(at) == nil && at != made; at = filepath.Dir(at) {
	}
}

func writeError(err error) error {
	if err == nil {
		return nil
	}
	hint := "give --output the name of a file that can be written"
	if errors.Is(err, fs.ErrPermission) {
		hint = "run it as root, or give --output a file that you can write"
	}
	return fault.WithHint(fmt.Errorf("write CDI specification: %w", err), hint)
}
