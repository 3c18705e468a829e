package page

import (
	"fmt"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/inspection"
)

// archView is an architecture of the plan.
type archView struct {
	ID       string
	Plan     *capsule.ArchPlan
	Stack    *inspection.Arch
	Graph    *drawing
	Rows     []libraryRow
	Warnings []string // those that no finding tells
	Left     int      // libraries or lines that the graph does not have
	Symbols  []symbols
}

// libraryRow is a library in the table, whose rows are in the plan's order.
type libraryRow struct {
	ID, Node string // Node is empty where the graph has not got it
	*capsule.Library
	Side, Class, API string
	NeedsWords       string
}

// symbols is a list of those that are bridged, or not.
type symbols struct {
	Title, Text string
	List        []capsule.Bridged
	Open        bool
}

// BoundaryWords are the boundaries with their APIs: "frontend: GL, EGL; none: Vulkan".
func (a *archView) BoundaryWords() string {
	var order []string
	apis := map[string][]string{}
	for _, b := range a.Plan.Boundaries {
		if apis[b.Boundary] == nil {
			order = append(order, b.Boundary)
		}
		apis[b.Boundary] = append(apis[b.Boundary], b.API)
	}
	for i, b := range order {
		order[i] = b + ": " + listed(apis[b], 12)
	}
	return strings.Join(order[:min(len(order), 4)], "; ")
}

func stackOf(r *inspection.Report, arch string) *inspection.Arch {
	if r != nil {
		for _, a := range r.Architectures {
			if a != nil && a.Arch == arch {
				return a
			}
		}
	}
	return nil
}

func newArch(id string, plan *capsule.ArchPlan, stack *inspection.Arch) *archView {
	a := &archView{ID: id, Plan: plan, Stack: stack}
	nodes, left := newNodes(id, plan, stack)
	edges, more := connect(nodes)
	a.Left = left + more
	var apis []string
	for _, b := range plan.Boundaries {
		apis = append(apis, b.API)
	}
	if len(nodes) > 0 {
		a.Graph = arrange(nodes, edges, apis)
	}
	for i := range plan.Libraries {
		l := &plan.Libraries[i]
		row := libraryRow{ID: fmt.Sprint(id, "l", i), Library: l}
		if i < len(nodes) {
			n := nodes[i]
			row.Node, row.Class, row.API, row.Side = n.ID, n.Class, n.API, classes[n.column].short
			var names []string
			for _, j := range n.below {
				names = append(names, nodes[j].Name)
			}
			row.NeedsWords = listed(names, 30)
		} else {
			c := classes[columnOf(l, nil, false)]
			row.Side, row.Class = c.short, c.class
		}
		a.Rows = append(a.Rows, row)
	}
	s := plan.Symbols
	a.Symbols = []symbols{
		{"Missing symbols", "The runtime does not have these, and nobody can supply them. A program whose driver calls one ends with a message.",
			s.Missing, len(s.Missing) > 0},
		{"Polyfills", "Functions that the runtime's libraries are too old to have; the capsule brings them.", s.Polyfills, false},
		{"Aliases", "The runtime has these functions under another version, or in another of its libraries.", s.Aliases, false},
	}
	return a
}

// listed is a list of at most so many names.
func listed(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// NeededBy is for the template.
func (s symbols) NeededBy(b capsule.Bridged) string { return listed(b.NeededBy, 12) }
