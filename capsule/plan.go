package capsule

import (
	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// Dir is where everything of ours appears in a root that the launcher makes: below /usr/lib, since
// sandboxes that programs make for themselves show that and not /run.
const Dir = "/usr/lib/capsule"

// ContainerDir is where it appears in a container that an engine has made, whose /usr may be
// read-only.
const ContainerDir = "/run/capsule"

// Side says where a library of the process comes from.
type Side string

const (
	// SideHost is a host library in the capsule.
	SideHost Side = "host"
	// SideRuntime is the runtime's own library in the base namespace, shared with the capsule by a proxy.
	SideRuntime Side = "runtime"
	// SideStub is a generated stub in the base namespace before a host library in the capsule.
	SideStub Side = "stub"
)

// Plan is everything decided. Its JSON is what `capsule-run plan --json` prints.
type Plan struct {
	Version  string `json:"version"`
	Boundary string `json:"boundary"`
	// Overrides are the APIs that a boundary was asked for by name.
	Overrides map[string]string `json:"boundary_overrides,omitempty"`
	Dir       string            `json:"dir"` // where everything of ours appears
	Host      PlanHost          `json:"host"`
	Runtime   PlanRuntime       `json:"runtime"`
	// Differences are what a program notices of being started without a mount namespace. Paths below Dir then stand for
	// the build's directory.
	Differences []string `json:"differences,omitempty"`
	// Architectures are those of the runtime that the host has a stack for, the main one first.
	Architectures []*ArchPlan `json:"architectures"`
	Mounts        []mount.Op  `json:"mounts"`
	// Environment of the program: where the runtime's loaders find drivers. A variable without a value is taken away.
	Environment map[string]string `json:"environment"`
	// Path is what ends the program's PATH: where the host's programs are.
	Path []string `json:"path,omitempty"`
	// Devices are the machine's GPUs. They decide nothing (the program sees the host's /dev) and are no part of a build,
	// which a new device must not make stale: who shows the plan enters them.
	Devices *hostgpu.Devices `json:"devices,omitempty"`

	// Cache is what becomes the container's ld.so.cache.
	Cache []ldcache.Entry `json:"-"`
}

// PlanHost describes the host.
type PlanHost struct {
	Dir string `json:"dir"`
}

// PlanRuntime describes the runtime.
type PlanRuntime struct {
	Dir    string `json:"dir"`
	Layout string `json:"layout"`
}

// ArchPlan is what was decided for one architecture: a process has one.
type ArchPlan struct {
	Arch        string             `json:"arch"`
	HostLibc    string             `json:"host_libc,omitempty"` // releases of glibc
	RuntimeLibc string             `json:"runtime_libc"`
	Loader      string             `json:"loader"`
	Boundaries  []BoundaryDecision `json:"boundaries"`
	Libraries   []Library          `json:"libraries"`
	Layers      []Layer            `json:"layers"`
	Symbols     Symbols            `json:"symbols"`
	Programs    []Program          `json:"programs,omitempty"`
	PathMap     []PathMap          `json:"path_map"`
	Tools       []Tool             `json:"tools,omitempty"`
	StaticTLS   StaticTLS          `json:"static_tls"`
	Warnings    []string           `json:"warnings,omitempty"`

	artefacts Artefacts
	mounts    []mount.Op
	stubs     []ldcache.Entry
	variables []variable
	replaced  []string
}

// Library is one decision: this SONAME means that file, because.
type Library struct {
	Soname string `json:"soname"`
	Side   Side   `json:"side"`
	Path   string `json:"path"`             // in the host's or the runtime's tree; for a stub that of the host library
	Inside string `json:"inside,omitempty"` // in the container
	Reason string `json:"reason"`
	// Found is what tells that a host library belongs to the stack: a rule, a manifest, DT_NEEDED, .note.dlopen, a list, the
	// version of another one, a string constant.
	Found string   `json:"found,omitempty"`
	Opens []string `json:"opens,omitempty"` // SONAMEs that it opens when it needs them
	Needs []string `json:"needs,omitempty"` // SONAMEs it is opened after
	Data  []string `json:"data,omitempty"`  // stub: exported data that a stub cannot stand for
}

// Symbols tells how demands that the runtime's libraries are too old for are met. Each list holds what the plan's
// host libraries refer to; the counts cover all that the host's own libraries could be asked for.
type Symbols struct {
	Polyfills []Bridged `json:"polyfills"`
	Aliases   []Bridged `json:"aliases"`
	Missing   []Bridged `json:"missing"`
	Counts    Counts    `json:"counts"`
}

// Counts of the symbols in all proxies by their answer.
type Counts struct {
	Runtime   int `json:"runtime"`
	Wrappers  int `json:"wrappers"`
	Polyfills int `json:"polyfills"`
	Aliases   int `json:"aliases"`
	Missing   int `json:"missing"`
}

// Bridged is a symbol that the runtime does not have under that version.
type Bridged struct {
	Library  string   `json:"library"`
	Symbol   string   `json:"symbol"`
	Version  string   `json:"version,omitempty"`
	Answer   string   `json:"answer"`
	NeededBy []string `json:"needed_by"`
}

// PathMap says that drivers find the host's From at To. Where To is not below Dir it is another name of the host, as a
// link is: a name that goes on from there is looked up in turn.
type PathMap struct {
	From string `json:"from"`
	To   string `json:"to"`
	Why  string `json:"why"`
}

// Artefacts is what build writes.
type Artefacts struct {
	Arch      *arch.Arch
	Manifest  manifest.Manifest
	Stubs     []dso.Stub
	Proxies   []dso.Proxy
	Generated []GeneratedFile
	// Rewritten are host libraries that the runtime's ld.so could not load as they are.
	Rewritten []Rewritten
}

// Artefacts returns what is to be generated for the architecture.
func (p *ArchPlan) Artefacts() *Artefacts { return &p.artefacts }
