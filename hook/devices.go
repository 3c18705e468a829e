package hook

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/hook/ask"
	"github.com/capsule-run/capsule-run/hook/place"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// openDevices opens the device nodes of the GPUs asked for. A machine without a GPU has none to bring: its drivers render on
// the processor.
func openDevices(o *Options, gpus []string) ([]place.Device, error) {
	found, err := stages.Devices(o.host())
	if err != nil {
		return nil, fmt.Errorf("look for GPUs: %w", err)
	}
	chosen, err := choose(found, gpus)
	if err != nil {
		return nil, err
	}
	var out []place.Device
	for _, n := range nodesOf(found, chosen) {
		if !n.Real() { // a name alone is no device
			o.Verbose("%s is left out: it %s", n.Path, n.Problem)
			continue
		}
		d, err := place.OpenDevice(n.Source, n.Path, n.Major, n.Minor)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// choose finds the GPUs by what they may be called.
func choose(found *hostgpu.Devices, names []string) ([]*hostgpu.GPU, error) {
	if slices.Equal(names, []string{ask.All}) {
		return found.GPUs, nil
	}
	var out []*hostgpu.GPU
	for _, name := range names {
		i := slices.IndexFunc(found.GPUs, func(g *hostgpu.GPU) bool { return isCalled(found, g, name) })
		if i < 0 {
			var have []string
			for _, g := range found.GPUs {
				have = append(have, g.Address)
			}
			return nil, fault.WithHint(fmt.Errorf("there is no GPU %q", name),
				fmt.Sprintf("this machine has: %s; `capsule-run inspect` lists them", strings.Join(append(have, ask.All), ", ")))
		}
		if !slices.Contains(out, found.GPUs[i]) {
			out = append(out, found.GPUs[i])
		}
	}
	return out, nil
}

// isCalled knows a GPU by its index, its address, its UUID, a node of its own, and as FAMILY:N, the N-th of its family.
func isCalled(found *hostgpu.Devices, g *hostgpu.GPU, name string) bool {
	if name == strconv.Itoa(g.Index) || name == g.Address || g.UUID != "" && strings.EqualFold(name, g.UUID) {
		return true
	}
	if family, n, ok := strings.Cut(name, ":"); ok && strings.EqualFold(family, g.Family) {
		nth := 0
		for _, other := range found.GPUs[:g.Index] {
			if other.Family == g.Family {
				nth++
			}
		}
		return n == strconv.Itoa(nth)
	}
	return slices.ContainsFunc(g.Nodes, func(n *hostgpu.Node) bool { return n.Own() && path.Base(n.Path) == name })
}

// nodesOf lists what leads to the GPUs, each node once.
func nodesOf(found *hostgpu.Devices, gpus []*hostgpu.GPU) []*hostgpu.Node {
	var out []*hostgpu.Node
	add := func(nodes []*hostgpu.Node) {
		for _, n := range nodes {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	for _, g := range gpus {
		add(g.Nodes)
		for _, p := range g.Partitions {
			add(p.Nodes)
		}
	}
	if len(gpus) > 0 {
		add(found.Shared)
	}
	return out
}
