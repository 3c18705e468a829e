// Package inspection puts together what `capsule-run inspect` shows: the machine's GPUs, the host's stack, the runtime if
// there is one, where the capsule would begin, and what is missing. It exists so that a person's tables and the JSON are
// made of one Report. It decides nothing and finds nothing itself: the stages do.
package inspection

import (
	"github.com/capsule-run/capsule-run/hostgpu"
)

// Schema is the number of the JSON's form. A new key does not change it; a key that goes, or means something else, does.
const Schema = 1

// Report is what there is. docs/inspect.md describes its JSON.
type Report struct {
	Schema  int      `json:"schema"`
	Version string   `json:"version"` // of capsule-run
	Host    Host     `json:"host"`
	Runtime *Runtime `json:"runtime,omitempty"`
	// Devices are the machine's GPUs and their nodes.
	Devices *hostgpu.Devices `json:"devices"`
	// Architectures are the runtime's that the host has a stack for, the main one first; without a runtime, the host's.
	Architectures []*Arch `json:"architectures"`
	// Problems say, one line each, what will not work.
	Problems []string `json:"problems"`
}

// Host is the tree with the GPU stack.
type Host struct {
	Dir string `json:"dir"`
}

// Runtime is the tree that a program would run in.
type Runtime struct {
	Dir    string `json:"dir"`
	Layout string `json:"layout"`
}

// Arch is one architecture: a process has one.
type Arch struct {
	Arch     string `json:"arch"`
	HostLibc string `json:"host_libc,omitempty"` // releases of glibc
	Libc     string `json:"libc,omitempty"`      // the runtime's
	Loader   string `json:"loader,omitempty"`    // the runtime's ld.so
	APIs     []*API `json:"apis"`
	// GPUs tells which drivers serve which GPU; Software are those that render on the processor.
	GPUs     []*Served `json:"gpus"`
	Software []Serving `json:"software"`
	// Libraries are all of the host's stack, with their closure; each follows what it needs.
	Libraries []*Library  `json:"libraries"`
	Manifests []*Manifest `json:"manifests"`
}

// API is one family of the rules: GL, EGL, Vulkan, …
type API struct {
	API string `json:"api"`
	// Boundary is where the capsule begins, empty without a runtime; Reason says why.
	Boundary  string    `json:"boundary,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	FrontEnds []*Part   `json:"front_ends"`
	Drivers   []*Part   `json:"drivers"`
	Missing   []Missing `json:"missing"`
}

// Part is a library in an API's table.
type Part struct {
	Soname  string `json:"soname"`
	Path    string `json:"path"`
	Side    string `json:"side"` // "host" or "runtime": whose file it is
	Role    string `json:"role"`
	Version string `json:"version,omitempty"`
	How     string `json:"how,omitempty"` // by which rule the loader finds the file
	Why     string `json:"why,omitempty"` // why it belongs to the stack
	// GPUs are the indices of those that the driver is for.
	GPUs []int `json:"gpus,omitempty"`
	// Names are the file names of a driver that is many in one file, as Mesa's are by hard links; Serving are those of them
	// that are for this machine's GPUs.
	Names   []string `json:"names,omitempty"`
	Serving []string `json:"serving,omitempty"`
}

// Missing is what an API lacks.
type Missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Served is what the host has for one GPU.
type Served struct {
	GPU  int       `json:"gpu"`
	APIs []Serving `json:"apis"`
}

// Serving names the drivers of an API, or says why there is none.
type Serving struct {
	API     string   `json:"api"`
	Drivers []string `json:"drivers"` // by file name
	Version string   `json:"version,omitempty"`
	Missing string   `json:"missing,omitempty"`
}

// Library is a file of the host's stack.
type Library struct {
	Soname  string `json:"soname"`
	Path    string `json:"path"`
	Role    string `json:"role"`
	API     string `json:"api,omitempty"`
	Version string `json:"version,omitempty"`
	BuildID string `json:"build_id,omitempty"` // hexadecimal
	Why     string `json:"why"`
	How     string `json:"how"`
	// Side is what the plan makes of its SONAME: "host", "stub", "runtime", or "unused"; empty without a plan.
	Side       string   `json:"side,omitempty"`
	Unresolved []string `json:"unresolved,omitempty"` // DT_NEEDED that the host does not have
}

// Manifest is a file that names a driver or a layer.
type Manifest struct {
	Kind    string `json:"kind"`
	API     string `json:"api,omitempty"`
	Path    string `json:"path"`
	Library string `json:"library"`           // as written
	Skipped string `json:"skipped,omitempty"` // why it is not used
}
