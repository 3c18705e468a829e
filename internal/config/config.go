// Package config reads the configuration file of --config. It exists so that a game can keep its options in a file;
// flags win over it. It never looks for files on its own and knows no defaults: the launcher has those.
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// maxSize of a configuration file, in bytes.
const maxSize = 1 << 20

// Config is the file's content; each key means the same as the flag of its name. Relative paths count from the
// file's directory.
type Config struct {
	Runtime   string            `toml:"runtime"`
	Host      string            `toml:"host"`
	Boundary  string            `toml:"boundary"`
	Libraries []string          `toml:"libraries"`
	Bind      []string          `toml:"bind"`
	Setenv    map[string]string `toml:"setenv"`
}

// Load reads a file. Errors name the file and the line; unknown keys are errors.
func Load(name string) (*Config, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("read configuration: %w", err), "give --config the path of a TOML file")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, fmt.Errorf("read configuration: %s: not a regular file of at most %d bytes", name, maxSize)
	}
	var c Config
	meta, err := toml.NewDecoder(f).Decode(&c)
	if err != nil {
		if parse, ok := err.(toml.ParseError); ok {
			return nil, fmt.Errorf("%s:%d: %s", name, parse.Position.Line, parse.Message)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fault.WithHint(fmt.Errorf("%s:%d: unknown key %q", name, lineOf(name, unknown[0]), unknown[0]),
			"known keys: runtime, host, boundary, libraries, bind, setenv")
	}
	base := filepath.Dir(name)
	c.Runtime, c.Host = below(base, c.Runtime), below(base, c.Host)
	return &c, nil
}

func below(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

// lineOf finds the line of a key that the decoder did not want; the library does not keep it.
func lineOf(name string, key toml.Key) int {
	text, err := os.ReadFile(name)
	if err != nil {
		return 1
	}
	last := key[len(key)-1]
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		line = strings.TrimLeft(line, `["'`)
		if strings.HasPrefix(line, last) {
			return i + 1
		}
	}
	return 1
}
