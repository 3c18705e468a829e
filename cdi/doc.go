// Package cdi makes specifications of the Container Device Interface (CDI) for a machine's GPUs: the device nodes, the
// groups that may open them, and the hook that puts the host's drivers into the container. It exists so that every engine
// that knows CDI (Podman, containerd, CRI-O, Docker) can be asked for a GPU by name.
//
// It mounts nothing itself and names no library: what a container needs depends on its own files, which only the hook
// sees. Specifications are read, written and checked by the CDI project's own packages and rules.
package cdi

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"tags.cncf.io/container-device-interface/pkg/parser"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/capsule-run/capsule-run/hostgpu"
)

// Kind is what our devices are called: capsule.dev/gpu=all.
const Kind = "capsule.dev/gpu"

// All is the device that stands for every GPU of the machine.
const All = "all"

// Stage is when engines call the hook. At createRuntime it is who the engine is, whatever user namespace the container has:
// at createContainer, in the container's, root's Podman would not let it read the bundle, nor could it keep a cache.
const Stage = "createRuntime"

// Name is what a specification's file is called by default, below one of the directories that engines read.
const Name = "capsule-gpu.json"

// Dirs are where engines look for specifications, the later first (CDI, SPEC.md: "CDI JSON Specification").
var Dirs = []string{"/etc/cdi", "/var/run/cdi"}

// hookTimeout in seconds: reading a host's libraries for the first time from a slow disk takes some ten of them.
const hookTimeout = 120

// hookPath is the search path of the hook, which executes nothing: with a variable of its own an engine does not hand on
// the container's environment.
const hookPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

// Options of Make.
type Options struct {
	// Hook is the absolute path of the program that an engine runs at Stage, Args what follows its name.
	Hook string
	Args []string
	// NoGroups leaves out the groups of device nodes, for engines that do not know CDI 0.7.
	NoGroups bool
}

// ErrHook says that the hook's program has no absolute path.
var ErrHook = errors.New("the hook's path is not absolute")

// Make describes the GPUs: a device "all", and for each GPU one by its index, and the same by PCI address and UUID where it
// has them. A GPU whose nodes are not there is left out, as is a mere display. The version is the lowest that has what is
// used.
func Make(d *hostgpu.Devices, o Options) (*specs.Spec, error) {
	if !filepath.IsAbs(o.Hook) {
		return nil, fmt.Errorf("%q: %w", o.Hook, ErrHook)
	}
	s := &specs.Spec{Kind: Kind}
	all := specs.Device{Name: All}
	var rest []specs.Device
	for _, g := range d.GPUs {
		edits := edits(g, nil, o)
		if g.DisplayOnly || len(edits.DeviceNodes) == 0 {
			continue
		}
		join(&all.ContainerEdits, edits)
		for _, name := range names(g) {
			rest = append(rest, specs.Device{Name: name, ContainerEdits: edits})
		}
		for _, p := range g.Partitions {
			if part := partEdits(g, p, o); len(part.DeviceNodes) > 0 {
				name := fmt.Sprintf("%d:gi%d:ci%d", g.Index, p.GPUInstance, p.ComputeInstance)
				rest = append(rest, specs.Device{Name: name, ContainerEdits: part})
			}
		}
	}
	timeout := hookTimeout
	hook := &specs.Hook{HookName: Stage, Path: o.Hook, Env: []string{hookPath}, Timeout: &timeout,
		Args: append([]string{filepath.Base(o.Hook)}, o.Args...)}
	if len(all.ContainerEdits.DeviceNodes) > 0 {
		s.ContainerEdits.Hooks = []*specs.Hook{hook} // once, however many devices a container gets
	} else {
		all.ContainerEdits.Hooks = []*specs.Hook{hook} // a device must have edits of its own
	}
	s.Devices = append([]specs.Device{all}, rest...)
	version, err := specs.MinimumRequiredVersion(s)
	if err != nil {
		return nil, fmt.Errorf("CDI specification: %w", err)
	}
	s.Version = version
	return s, nil
}

// names are those by which a GPU may be asked for.
func names(g *hostgpu.GPU) []string {
	out := []string{strconv.Itoa(g.Index)}
	for _, n := range []string{g.Address, g.UUID} {
		if n != "" && n != All && !slices.Contains(out, n) && parser.ValidateDeviceName(n) == nil {
			out = append(out, n)
		}
	}
	return out
}

// edits are what a container gets with a GPU, and with a part of it. Node numbers are left out: the engine reads them when
// the container is made, since some (NVIDIA's) change from one start of the machine to the next.
func edits(g *hostgpu.GPU, more []*hostgpu.Node, o Options) specs.ContainerEdits {
	var e specs.ContainerEdits
	for _, n := range append(slices.Clone(g.Nodes), more...) {
		if !n.Real() {
			continue
		}
		node := &specs.DeviceNode{Path: n.Path, Permissions: "rw"}
		if n.Source != n.Path {
			node.HostPath = n.Source
		}
		e.DeviceNodes = append(e.DeviceNodes, node)
		if n.NeedsGroup() && !o.NoGroups && !slices.Contains(e.AdditionalGIDs, n.GID) {
			e.AdditionalGIDs = append(e.AdditionalGIDs, n.GID)
		}
	}
	slices.Sort(e.AdditionalGIDs)
	if g.Family == "NVIDIA" && len(e.DeviceNodes) > 0 {
		// NVIDIA's own hook, where it is installed, must not bring its libraries besides.
		e.Env = []string{"NVIDIA_VISIBLE_DEVICES=void"}
	}
	return e
}

// partEdits are those of a part: only with all its capabilities can it be used.
func partEdits(g *hostgpu.GPU, p *hostgpu.Partition, o Options) specs.ContainerEdits {
	for _, n := range p.Nodes {
		if !n.Real() {
			return specs.ContainerEdits{}
		}
	}
	return edits(g, p.Nodes, o)
}

// join adds edits that are not there yet.
func join(to *specs.ContainerEdits, from specs.ContainerEdits) {
	for _, n := range from.DeviceNodes {
		if !slices.ContainsFunc(to.DeviceNodes, func(x *specs.DeviceNode) bool { return x.Path == n.Path }) {
			to.DeviceNodes = append(to.DeviceNodes, n)
		}
	}
	for _, v := range from.Env {
		if !slices.Contains(to.Env, v) {
			to.Env = append(to.Env, v)
		}
	}
	to.AdditionalGIDs = append(to.AdditionalGIDs, from.AdditionalGIDs...)
	slices.Sort(to.AdditionalGIDs)
	to.AdditionalGIDs = slices.Compact(to.AdditionalGIDs)
}
