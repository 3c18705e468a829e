// Package configs holds the rules that are data: what a host's GPU stack consists of. It exists so that a new driver
// family needs lines of TOML and no code. It reads no file: the defaults are embedded in the program.
package configs

import (
	_ "embed"
	"fmt"
	"path"
)

//go:embed stack.toml
var stack []byte

// Rules is the content of stack.toml; see there for what each list is for.
type Rules struct {
	Libc        []string `toml:"libc"`
	Interop     []string `toml:"interop"`
	Directories []string `toml:"directories"`
	Families    []Family `toml:"family"`
	Data        []Data   `toml:"data"`
}

// Family is an API with the libraries, modules and manifests that implement it.
type Family struct {
	Name      string   `toml:"name"`
	FrontEnds []string `toml:"front-ends"`
	// Group names the families whose loaders share state, and so must have the same boundary. Loaders are what the
	// runtime must have for the driver boundary; an API without them has none.
	Group     string      `toml:"group"`
	Loaders   []string    `toml:"loaders"`
	Libraries []Libraries `toml:"libraries"`
	Modules   []Modules   `toml:"modules"`
	Manifests []Manifests `toml:"manifests"`
}

// Libraries are opened by a name that matches a pattern, by ld.so's rules.
type Libraries struct {
	Role string `toml:"role"`
	// Driver marks what the loaders themselves open: it gets a stub at the driver boundary.
	Driver bool   `toml:"driver"`
	Match  string `toml:"match"`
}

// Modules are opened by path: files that match a pattern in a directory beside the libraries, or in the directories
// that an environment variable lists instead.
type Modules struct {
	Role        string `toml:"role"`
	Directory   string `toml:"directory"`
	Match       string `toml:"match"`
	Environment string `toml:"environment"`
}

// Manifests are JSON files that name a library.
type Manifests struct {
	Role string `toml:"role"`
	// Driver is as for Libraries; Variables tell the runtime's loader which files to read.
	Driver    bool     `toml:"driver"`
	Variables []string `toml:"variables"`
	Kind      string   `toml:"kind"`
	// Directory is looked for below each of Below, which are absolute paths or one of $XDG_CONFIG_HOME,
	// $XDG_CONFIG_DIRS, $XDG_DATA_HOME and $XDG_DATA_DIRS.
	Directory string   `toml:"directory"`
	Below     []string `toml:"below"`
	// Key leads to the library's path in the JSON.
	Key []string `toml:"key"`
	// BothSides marks what programs see the host's and the runtime's of together (layers), where of drivers they see the
	// host's alone. NameKey leads to what tells two of them apart.
	BothSides bool     `toml:"both-sides"`
	NameKey   []string `toml:"name-key"`
	// Relative says that a relative path with a slash counts from the manifest's directory.
	Relative bool `toml:"relative"`
	// Environment variables: a list of files instead of any search (the first that is set), a list of directories
	// in place of the known ones, and a list of files besides.
	FilesEnvironment       []string `toml:"files-environment"`
	DirectoriesEnvironment string   `toml:"directories-environment"`
	AddEnvironment         string   `toml:"add-environment"`
}

// Data is a file, or the files in a directory that match a pattern, which drivers open by an absolute path.
type Data struct {
	Path  string `toml:"path"`
	Match string `toml:"match"`
	Why   string `toml:"why"`
}

// Default returns the embedded rules.
func Default() (*Rules, error) { return Parse("configs/stack.toml", stack) }

// Parse reads rules. The error names the file and, where there is one, the line; an unknown key is an error.
func Parse(name string, data []byte) (*Rules, error) {
	var r Rules
	if err := decode(name, data, &r); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &r, nil
}

// check refuses what would only fail, or be overlooked, when a host is searched.
func (r *Rules) check() error {
	for _, d := range r.Directories {
		if !path.IsAbs(d) {
			return fmt.Errorf("directories: %q is not an absolute path", d)
		}
	}
	for _, f := range r.Families {
		if f.Name == "" {
			return fmt.Errorf("a family has no name")
		}
		for _, l := range f.Libraries {
			if err := pattern(f.Name, l.Role, l.Match); err != nil {
				return err
			}
		}
		for _, m := range f.Modules {
			if err := pattern(f.Name, m.Role, m.Match); err != nil {
				return err
			}
			if m.Directory == "" {
				return fmt.Errorf("family %s: modules without a directory", f.Name)
			}
		}
		for _, m := range f.Manifests {
			if m.Role == "" || m.Kind == "" || m.Directory == "" || len(m.Key) == 0 || len(m.Below) == 0 {
				return fmt.Errorf("family %s: manifests need role, kind, directory, below and key", f.Name)
			}
			if m.BothSides != (len(m.NameKey) > 0) {
				return fmt.Errorf("family %s: both-sides and name-key go together", f.Name)
			}
			for _, b := range m.Below {
				switch b {
				case "$XDG_CONFIG_HOME", "$XDG_CONFIG_DIRS", "$XDG_DATA_HOME", "$XDG_DATA_DIRS":
				default:
					if !path.IsAbs(b) {
						return fmt.Errorf("family %s: below: %q is neither an absolute path nor a known variable", f.Name, b)
					}
				}
			}
		}
	}
	for _, d := range r.Data {
		if !path.IsAbs(d.Path) || d.Why == "" {
			return fmt.Errorf("data %q needs an absolute path and a reason (why)", d.Path)
		}
		if _, err := path.Match(d.Match, ""); err != nil {
			return fmt.Errorf("data %s: pattern %q: %w", d.Path, d.Match, err)
		}
	}
	return nil
}

func pattern(family, role, match string) error {
	if role == "" || match == "" {
		return fmt.Errorf("family %s: role and match are needed", family)
	}
	if _, err := path.Match(match, ""); err != nil {
		return fmt.Errorf("family %s: pattern %q: %w", family, match, err)
	}
	return nil
}
