// Package configs holds the rules that are data: what a host's GPU stack consists of, and where the capsule may begin
// for each API. It exists so that a new driver family needs lines of TOML and no code, from us or from a user. The
// defaults are embedded in the program; files of the machine and of the user change them (Sources, Merge).
//
// It never looks at a host: what a rule means there is found out by package hostlibs.
package configs

import (
	"embed"
	"fmt"
	"sync"
)

// devices.toml has another form: devices.go reads it.
//
//go:embed base.toml gl.toml vulkan.toml video.toml compute.toml nvidia.toml wsl.toml xr.toml data.toml
var embedded embed.FS

// Rules are what all files together say.
type Rules struct {
	Libc        []string  `toml:"libc"`
	Interop     []string  `toml:"interop"`
	Directories []string  `toml:"directories"`
	Families    []Family  `toml:"family"`
	Opens       []Opens   `toml:"opens"`
	Constants   Constants `toml:"constants"`
	Data        []Data    `toml:"data"`
	Programs    []Program `toml:"program"`
	Tools       []Tool    `toml:"tool"`
}

// Family is an API with the libraries, modules and manifests that implement it.
type Family struct {
	Name string `toml:"name"`
	// In a later file a family of the same name takes the place of the earlier one; with Extend its lists are added to
	// it, with Remove it is taken out.
	Extend bool `toml:"extend"`
	Remove bool `toml:"remove"`

	FrontEnds []string `toml:"front-ends"`
	// Group names the families whose loaders share state, and so must have the same boundary. Loaders are what the
	// runtime must have for the driver boundary, and Criteria what these must be able to do; an API without them has no
	// such boundary, unless BundledLoader says that programs bring the loader.
	Group         string      `toml:"group"`
	Loaders       []string    `toml:"loaders"`
	BundledLoader bool        `toml:"bundled-loader"`
	Criteria      []Criterion `toml:"criteria"`
	// Optional says that the front ends are loaders only, and that not every host has a driver: without one the
	// runtime's own are left alone, and --boundary driver for all APIs does not insist on this one.
	Optional  bool        `toml:"optional"`
	Libraries []Libraries `toml:"libraries"`
	Modules   []Modules   `toml:"modules"`
	Manifests []Manifests `toml:"manifests"`

	// File is where the family was defined, for reasons and errors.
	File string `toml:"-"`
}

// Criterion is what a loader of the runtime must fulfil for the driver boundary: a symbol that it exports, a library
// that it needs (DT_NEEDED), or a number in its file's name that is not below the one in the name of a driver's symbol.
type Criterion struct {
	Loader  string `toml:"loader"`
	Exports string `toml:"exports"`
	Needs   string `toml:"needs"`
	// LoaderFile and DriverSymbol are regular expressions (package regexp) with one group, a decimal number.
	LoaderFile   string `toml:"loader-file"`
	DriverSymbol string `toml:"driver-symbol"`
	Why          string `toml:"why"`
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
	Role string `toml:"role"`
	// Driver is as for Libraries; Variable tells the runtime's loader the stubs' directory.
	Driver    bool   `toml:"driver"`
	Variable  string `toml:"variable"`
	Directory string `toml:"directory"`
	Match     string `toml:"match"`
	// Except are names that match and are not meant.
	Except      []string `toml:"except"`
	Environment string   `toml:"environment"`
}

// Manifests are files that name a library.
type Manifests struct {
	Role string `toml:"role"`
	// Driver is as for Libraries; Variables tell the runtime's loader which files to read, DirectoryVariable in which
	// directory they are.
	Driver            bool     `toml:"driver"`
	Variables         []string `toml:"variables"`
	DirectoryVariable string   `toml:"directory-variable"`
	Kind              string   `toml:"kind"`
	// Format is "json", or "line": the first line is the library.
	Format string `toml:"format"`
	// Directory is looked for below each of Below, which are absolute paths or one of $XDG_CONFIG_HOME,
	// $XDG_CONFIG_DIRS, $XDG_DATA_HOME and $XDG_DATA_DIRS; in it the files that match one of Match ("*.json"), with
	// $ARCH for the architecture (x86_64, i686). First says that only the first file counts.
	Directory string   `toml:"directory"`
	Below     []string `toml:"below"`
	Match     []string `toml:"match"`
	First     bool     `toml:"first"`
	// Key leads to the library's path in the JSON.
	Key []string `toml:"key"`
	// FormatVersion is a regular expression (package regexp) for the string file_format_version,
	// and Required are paths of further keys: a loader passes over a file without them.
	FormatVersion string     `toml:"format-version"`
	Required      [][]string `toml:"required"`
	// BothSides marks what programs see the host's and the runtime's of together (layers), where of drivers they see the
	// host's alone. NameKey leads to what tells two of them apart.
	BothSides bool     `toml:"both-sides"`
	NameKey   []string `toml:"name-key"`
	// ListKey is the key of an array of such objects, which may stand in the file in place of one.
	ListKey string `toml:"list-key"`
	// DirectoriesKey is where a layer, beside its library, lists directories for the files of another rule: of the one
	// whose DirectoriesLayer is its name.
	DirectoriesKey string `toml:"directories-key"`
	// Settings is a file below each of SettingsBelow, the first of which tells a loader of layers by the paths of their
	// manifests (Vulkan-Loader, LoaderSettingsFile.md).
	Settings         string   `toml:"settings"`
	SettingsBelow    []string `toml:"settings-below"`
	DirectoriesLayer string   `toml:"directories-layer"`
	// Relative says that a relative path with a slash counts from the manifest's directory.
	Relative bool `toml:"relative"`
	// Environment variables: a list of files instead of any search (the first that is set), a list of directories
	// in place of the known ones, and a list of files besides; lists of patterns of the names of files that are left out,
	// and of the only ones that are not.
	FilesEnvironment       []string `toml:"files-environment"`
	DirectoriesEnvironment string   `toml:"directories-environment"`
	AddEnvironment         string   `toml:"add-environment"`
	SelectEnvironment      string   `toml:"select-environment"`
	DisableEnvironment     string   `toml:"disable-environment"`
}

// Data is a file, or the files in a directory that match a pattern, which drivers open by an absolute path.
type Data struct {
	// Path may have wildcards in its components. It may begin with $PREFIX: the directory above the lib/ of each of
	// Libraries, which is how a driver knows its data that was installed with it (/nix/store/…, /opt/mesa).
	Path  string `toml:"path"`
	Match string `toml:"match"`
	// Tree shows the directory as a whole, with what is below it.
	Tree bool   `toml:"tree"`
	Why  string `toml:"why"`
	// Libraries are patterns of SONAMEs: without such a library in the stack nobody wants the data.
	Libraries []string `toml:"libraries"`
	// Environment is the variable that names another path.
	Environment string `toml:"environment"`
	Remove      bool   `toml:"remove"`
}

// Prefix begins the path of data that lies beside its library.
const Prefix = "$PREFIX"

// defaults are parsed once. What is returned must not be changed.
var defaults = sync.OnceValues(func() (*Rules, error) { return Merge(nil) })

// Default returns the embedded rules.
func Default() (*Rules, error) { return defaults() }

// order of the embedded files, which is that of the families in a plan.
var order = []string{"base.toml", "gl.toml", "vulkan.toml", "video.toml", "compute.toml", "nvidia.toml", "wsl.toml", "xr.toml",
	"data.toml"}

// Embedded returns the files inside the program.
func Embedded() ([]Source, error) {
	var out []Source
	for _, name := range order {
		text, err := embedded.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the embedded rules: %w", err)
		}
		out = append(out, Source{Name: "configs/" + name, Text: text})
	}
	return out, nil
}
