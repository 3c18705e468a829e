// Package config reads configuration files: the administrator's, the user's, and the one of --config. It exists so that
// there is one reader with one rule for what wins (layers.go), and errors that name file and line. It knows no defaults
// and judges no values: the launcher and the hook do.
package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/tomlfile"
)

// maxSize of a configuration file, in bytes.
const maxSize = 1 << 20

// Options are what a file may say about launches, at its top or for one game; each key means the same as the flag of its
// name. The tag "path" marks what counts from the file's directory if it is relative, and may begin with "~/".
type Options struct {
	Runtime  string `toml:"runtime" path:"or name"`
	Host     string `toml:"host" path:"plain"`
	Boundary string `toml:"boundary"`
	// Boundaries are those of single APIs.
	Boundaries map[string]string `toml:"boundaries"`
	Isolation  string            `toml:"isolation"`
	Libraries  []string          `toml:"libraries"`
	Bind       []string          `toml:"bind" path:"bind"`
	Setenv     map[string]string `toml:"setenv"`
	Home       string            `toml:"home" path:"plain"`
	Share      []string          `toml:"share" path:"bind"`
	Shell      *bool             `toml:"shell"`
	UnshareNet *bool             `toml:"unshare-net"`
	UnsharePID *bool             `toml:"unshare-pid"`

	DieWithParent *bool `toml:"die-with-parent"`
	WaitChildren  *bool `toml:"wait-children"`
}

// file is what a file may have.
type file struct {
	Options
	Hook *Hook              `toml:"hook"`
	Game map[string]Options `toml:"game"`

	name  string
	order []string // the games, as the file has them
}

const knownKeys = "known keys: runtime, host, boundary, isolation, home (strings), libraries, bind, share (lists of strings), setenv, " +
	"boundaries (tables of strings), shell, unshare-net, unshare-pid, die-with-parent, wait-children (true or false), and tables [game.\"NAME\"] of the same"

// parse reads a file's text. Errors name the file and the line, and have fault.ExitUsage; unknown keys are errors, and so
// is a section of the hook in a file that is not the administrator's.
func parse(name, text string, system bool) (*file, error) {
	known := knownKeys
	if system {
		known = systemKeys + "; " + knownKeys
	}
	f := &file{name: name}
	meta, err := tomlfile.Decode(name, text, f)
	if err != nil {
		if key := tomlfile.UnknownKey(err); len(key) > 0 {
			known = fault.DidYouMean(key[len(key)-1], keys(system), "", known)
		}
		return nil, wrong(err, known)
	}
	for _, key := range meta.Keys() { // the decoder passes over what is no table where a Go map is to have one
		if isTable(key) && meta.Type(key...) != "Hash" {
			return nil, wrong(fmt.Errorf("%s:%d: %s: not a table", name, tomlfile.Line(text, key), key), known)
		}
	}
	if f.Hook != nil && !system {
		return nil, wrong(fmt.Errorf("%s:%d: [hook] is for %s alone", name, tomlfile.Line(text, toml.Key{"hook"}), SystemFile),
			"the hook runs as root, and asks nobody but the administrator")
	}
	seen := map[string]bool{}
	for _, key := range meta.Keys() {
		if len(key) < 2 || key[0] != "game" || seen[key[1]] {
			continue
		}
		seen[key[1]] = true
		if !validPattern(key[1]) {
			return nil, wrong(fmt.Errorf("%s:%d: game %q: not a pattern", name, tomlfile.Line(text, key[:2]), key[1]), hintGame)
		}
		f.order = append(f.order, key[1])
	}
	return f, nil
}

// isTable knows the keys whose values Go maps hold.
func isTable(key toml.Key) bool {
	if len(key) == 1 && key[0] == "game" {
		return true
	}
	return (len(key) == 1 || len(key) == 3 && key[0] == "game") && slices.Contains([]string{"setenv", "boundaries"}, key[len(key)-1])
}

// keys are those that a file may have, for who has mistyped one.
func keys(system bool) []string {
	names := []string{"game"}
	types := []reflect.Type{reflect.TypeFor[Options]()}
	if system {
		names, types = append(names, "hook"), append(types, reflect.TypeFor[Hook]())
	}
	for _, t := range types {
		for i := range t.NumField() {
			names = append(names, t.Field(i).Tag.Get("toml"))
		}
	}
	return names
}

// below makes a path of a file absolute; base is the file's directory.
func below(base, home, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

func wrong(err error, hint string) error {
	return fault.WithExit(fault.WithHint(err, hint), fault.ExitUsage)
}
