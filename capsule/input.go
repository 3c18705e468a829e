package capsule

import (
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// Input is all that a plan depends on.
type Input struct {
	Version string // of capsule-run: another release may decide otherwise
	HostDir string // outside path of the host's root
	// Dir is where everything of ours is to appear; empty: Dir.
	Dir string
	// Boundary says where the capsule is to begin.
	Boundary Boundaries

	RuntimeDir, RuntimeLayout string
	Cache                     []ldcache.Entry // the runtime's ld.so.cache, of all architectures

	Rules Rules
	// Architectures are those of the runtime, the main one first.
	Architectures []*ArchInput
}

// ArchInput is what discover and inspect found for one architecture.
type ArchInput struct {
	Arch    *arch.Arch
	Host    Host
	Runtime Runtime
	// Root are the exported symbols of the capsule root: its wrappers and polyfills.
	Root []dynelf.Symbol
}

// Host is what discover found.
type Host struct {
	// Libraries in an order in which each follows its dependencies.
	Libraries []*HostLibrary
	Data      []HostData
	Programs  []HostProgram
	Manifests []HostManifest
	Problems  []string // what was left out, for people
	// Layers are manifests that programs see beside the runtime's.
	Layers []LayerManifest
	// Settings are files of the host that tell a loader of layers.
	Settings []LayerSettings
	// Links are those at the top of the host's root, such as /lib in a merged-/usr tree.
	Links []HostLink
	// Tools are programs that drivers start.
	Tools []HostTool
}

// HostLink is a symbolic link to a directory; To is canonical.
type HostLink struct{ From, To string }

// HostLibrary is a library of the host's stack or of its closure.
type HostLibrary struct {
	Name    string   // DT_SONAME, or the file's name
	Path    string   // canonical, inside the host's root
	Source  string   // the same file's outside path
	Aliases []string // further absolute paths, inside the host's root
	Reason  string   // why it is part of the stack
	// Uses are what APIs have it for; Requested is a library that the user named. One with neither is there only because
	// another needs it.
	Uses      []Use
	Requested bool

	File             *dynelf.File
	Exports, Imports []dynelf.Symbol
	Deps             []int    // indices into Host.Libraries
	Opens            []int    // likewise: with dlopen, when it needs them
	Found            string   // what tells that it belongs to the stack (hostlibs.Found)
	Unresolved       []string // DT_NEEDED that the host does not have
}

// Use is what an API has a library for.
type Use struct {
	API string
	// FrontEnd marks what programs link with or open by name, Driver what a loader of the API opens: a vendor library, an
	// ICD. Neither is for what only the host's own libraries open.
	FrontEnd, Driver bool
	// Layer marks what a loader opens as a layer; whose is used of one that both sides have, the plan decides.
	Layer bool
	// Module is set for a driver that loaders open by path.
	Module *Module
	// Names are those by which it is opened besides its DT_SONAME: links to a file with another one.
	Names []string
}

// use returns the first use of an API.
func (l *HostLibrary) use(api string) *Use {
	for i := range l.Uses {
		if l.Uses[i].API == api {
			return &l.Uses[i]
		}
	}
	return nil
}

// HostData is a file or directory of the host that drivers name by an absolute path.
type HostData struct {
	Path   string     // as drivers name it
	Reason string     //
	Tree   bool       // Files is a directory, with all that is below it
	Files  []DataFile // exactly what is exposed
}

// DataFile is one file below a HostData.
type DataFile struct {
	Path   string // inside the host's root, at or below HostData.Path
	Source string // outside path
}

// Runtime is what inspect found.
type Runtime struct {
	LibcVersion string // "2.31"
	Loader      string // canonical path of ld.so
	// Libraries holds, by SONAME, those that Rules asks about and the runtime has.
	Libraries map[string]*RuntimeLibrary
	Layers    []LayerManifest
}

// RuntimeLibrary is a library of the runtime that host libraries share.
type RuntimeLibrary struct {
	Name    string
	Path    string // canonical, inside the runtime
	File    *dynelf.File
	Exports []dynelf.Symbol
}

// Rules are the parts of the rules (package configs) that a plan needs.
type Rules struct {
	Libc    []string // the C library's own libraries: always the runtime's
	Interop []string // whose objects cross the boundary: the runtime's where it has them
	// Families are the APIs.
	Families []Family
}
