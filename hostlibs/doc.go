// Package hostlibs finds a host's GPU stack below any root: the libraries that programs open (front ends), the
// drivers behind them, everything these need, and the data files that they open by an absolute path. It is the
// stage "discover".
//
// It exists so that the plan can be made from facts alone. It never decides what is used: a library that is found
// here may be left out or replaced by the runtime's. It writes nothing, executes nothing of the host, and follows
// no link out of the root. What is looked for is data: package configs.
package hostlibs

import (
	"errors"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

var (
	// ErrNoStack says that the host has neither a front end of any API nor a driver.
	ErrNoStack = errors.New("no GPU stack (GL, EGL, Vulkan, OpenCL or another)")
	// ErrLibc says that the host's drivers are built for another C library.
	ErrLibc = errors.New("built for the C library musl")
	// ErrManifest says that a manifest cannot be understood.
	ErrManifest = errors.New("corrupt manifest")
	// ErrUnusable says that a driver needs a library that the host does not have.
	ErrUnusable = errors.New("which the host does not have")
	// ErrRequested says that a library that the user asked for is not on the host.
	ErrRequested = errors.New("library not found on the host")
)

// Role is why a library belongs to the stack. The roles of drivers are named in the rules.
type Role string

const (
	RoleFrontEnd   Role = "front-end" // a rule may name it too
	RoleRequested  Role = "requested"
	RoleDependency Role = "dependency"
	RoleOpened     Role = "opened" // with dlopen, by another library
)

// Found is what tells that a library belongs to the stack. Of several the first in this order.
type Found string

const (
	FoundRule     Found = "rule"            // its name, or its directory, is one of the rules'
	FoundManifest Found = "manifest"        // a file names it
	FoundRequest  Found = "request"         // the user does
	FoundNeeded   Found = "DT_NEEDED"       // of another library
	FoundNote     Found = ".note.dlopen"    // of another library
	FoundList     Found = "list"            // the rules say that another library opens it
	FoundVersion  Found = "same version"    // as another library
	FoundConstant Found = "string constant" // of another library
)

// found is the sign that goes with a use.
func (u *Use) found() Found {
	switch {
	case u.Role == RoleRequested:
		return FoundRequest
	case u.manifest:
		return FoundManifest
	}
	return FoundRule
}

// Options of Discover.
type Options struct {
	// Libraries are SONAMEs or absolute paths inside the root that are wanted besides.
	Libraries []string
	// Getenv gives the overrides that drivers' own loaders honour, such as VK_DRIVER_FILES; nil means none.
	Getenv func(string) string
	// Rules say what is looked for; nil means configs.Default.
	Rules *configs.Rules
}

// Stack is what was found, in an order that depends on the host alone.
type Stack struct {
	Root *rootfs.Root
	Arch *arch.Arch
	// Libraries are sorted so that each follows what it needs (but for cycles, which are broken at the library that
	// was met first).
	Libraries []*Library
	Manifests []*Manifest
	Data      []DataFile
	Programs  []Program
	Tools     []*Tool
	Settings  []Settings
	// LeftOut are the drivers that the host lists and no loader could use, each in one line:
	// damaged, without a library that they need, or not for this user to read.
	LeftOut []string
	// Problems are other files that were left out, and what is done without them, each in one line.
	Problems []string
}

// Library is a shared object of the host.
type Library struct {
	Name string // DT_SONAME, or the file's name where it has none
	Path string // canonical, inside the root
	// Aliases are the other absolute paths inside the root by which it may be opened: links, and hard links such as
	// Mesa's DRI drivers. Sorted.
	Aliases []string
	Role    Role
	API     string // the family's name, empty for a dependency
	Why     string // one phrase, for people
	How     string // by which rule the loader finds it (ldso.Searcher.Find)
	Found   Found  // what tells that it belongs to the stack
	// Uses are all that it is there for besides being needed, the first of which Role, API and Why tell of: NVIDIA's
	// libGLX_nvidia.so.0 is a vendor of GLX and a driver of Vulkan.
	Uses []Use

	File             *dynelf.File
	Exports, Imports []dynelf.Symbol
	Deps             []*Library // of DT_NEEDED, in order
	Opens            []*Library // with dlopen, when it needs them
	Unresolved       []string   // DT_NEEDED that the host does not have
}

// Use is what one API has a library for.
type Use struct {
	API    string
	Role   Role
	Driver bool // a loader opens it as a driver
	Layer  bool // a loader opens it as a layer, of which programs see both sides' (configs.Manifests.BothSides)
	// Module is the rule by which it was found in a directory, Names are the file names that it has there. Without a Module
	// they are those by which rules name it, which need not be its DT_SONAME: Arm's libEGL.so.1 may be a link to libmali.so.1.
	Module *configs.Modules
	Names  []string

	manifest bool
}

// Manifest is a file that names a driver, or a driver that an environment variable names in its place.
type Manifest struct {
	Kind        string // "egl-vendor", "vulkan-icd"
	Path        string // inside the root, as found; empty for one of a variable
	LibraryPath string // as written
	Opens       string // what a loader opens for it: LibraryPath, absolute where it was relative to the file
	Library     *Library
	Skipped     string // why there is no Library
	Name        string // of the layer, where the rule has a name-key
	// Key leads to the library in Text. Of a file with several layers each is a Manifest, whose Key has the index.
	Key []string
	// Directories that the layer names for other layers' manifests (configs.Manifests.DirectoriesKey).
	Directories []string
	API         string // the family's name
	Text        []byte // of the file; of one in JSON its value
	Rule        *configs.Manifests

	lacks bool // it is Skipped for what is wrong with it, and not for another architecture, say
}

// DataFile is a path that drivers open, and what there is at it.
type DataFile struct {
	Path  string // inside the root: a file, or a directory
	Why   string
	Tree  bool   // Files is the directory itself, with all that is below it
	Files []File // exactly the files meant, sorted by path
}

// File is one file of a DataFile.
type File struct {
	Path   string // inside the root, at or below DataFile.Path
	Source string // outside
}
