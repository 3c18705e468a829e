// Package config reads the configuration file of --config. It exists so that a game can keep its options in a file;
// flags win over it. It never looks for files on its own and knows no defaults: the launcher has those.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// maxSize of a configuration file, in bytes.
const maxSize = 1 << 20

// Config is the file's content; each key means the same as the flag of its name. Relative paths count from the
// file's directory.
type Config struct {
	Runtime  string `toml:"runtime"`
	Host     string `toml:"host"`
	Boundary string `toml:"boundary"`
	// Boundaries are those of single APIs.
	Boundaries map[string]string `toml:"boundaries"`
	Isolation  string            `toml:"isolation"`
	Libraries  []string          `toml:"libraries"`
	Bind       []string          `toml:"bind"`
	Setenv     map[string]string `toml:"setenv"`
}

const knownKeys = "known keys: runtime, host, boundary, isolation (strings), libraries, bind (lists of strings), setenv, boundaries (tables of strings)"

// wrongType is how the decoder words a value that is not of its key's type, which is no ParseError.
var wrongType = regexp.MustCompile(`^toml: line (\d+) \(last key "(.*)"\): (.*)$`)

// Load reads a file. Errors name the file and the line, and have fault.ExitUsage; unknown keys are errors.
func Load(name string) (*Config, error) {
	text, err := read(name)
	if err != nil {
		return nil, wrong(fmt.Errorf("read configuration: %w", err), "give --config the path of a TOML file")
	}
	var c Config
	if err := decode(name, text, &c, knownKeys); err != nil {
		return nil, err
	}
	base := filepath.Dir(name)
	c.Runtime, c.Host = below(base, c.Runtime), below(base, c.Host)
	for i, bind := range c.Bind {
		src, _, _ := strings.Cut(bind, ":")
		c.Bind[i] = below(base, src) + bind[len(src):]
	}
	return &c, nil
}

// decode fills to from TOML; known names the keys for whoever mistyped one.
func decode(name, text string, to any, known string) error {
	meta, err := toml.Decode(text, to)
	if parse := (toml.ParseError{}); errors.As(err, &parse) {
		return wrong(fmt.Errorf("%s:%d: %s", name, parse.Position.Line, parse.Message), known)
	}
	if err != nil {
		if m := wrongType.FindStringSubmatch(err.Error()); m != nil {
			return wrong(fmt.Errorf("%s:%s: %s: %s", name, m[1], m[2], m[3]), known)
		}
		return wrong(fmt.Errorf("%s: %w", name, err), known)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return wrong(fmt.Errorf("%s:%d: unknown key %q", name, lineOf(text, unknown[0]), unknown[0]), known)
	}
	return nil
}

func below(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

// read returns the text of a regular file. It does not wait for a pipe's writer.
func read(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readFrom(f, name)
}

func readFrom(f *os.File, name string) (string, error) {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: larger than %d bytes", name, maxSize)
	}
	return string(text), err
}

func wrong(err error, hint string) error {
	return fault.WithExit(fault.WithHint(err, hint), fault.ExitUsage)
}

// lineOf finds the line of a key that the decoder did not want; the library does not keep it.
func lineOf(text string, key toml.Key) int {
	last := key[len(key)-1]
	for i, line := range strings.Split(text, "\n") {
		// The first word, be it a key, quoted, or a table's header.
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t[]\"'=.", r) })
		if len(words) > 0 && slices.Contains(words[:min(len(key), len(words))], last) {
			return i + 1
		}
	}
	return 1
}
