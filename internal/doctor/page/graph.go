package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/inspection"
)

// A graph has at most this many libraries and lines; the table has all libraries. A real one has about 90.
const (
	maxNodes = 1000
	maxEdges = 5000
)

// column says where a library stands in the graph, from the program on the left to the runtime on the right.
type column int

const (
	stubs        column = iota // generated, in the program's namespace
	frontEnds                  // host libraries in the capsule that programs open
	drivers                    // and what these open, with layers
	dependencies               // and what all of them need
	runtimes                   // the runtime's, shared by proxies
	columns
)

// classes are the columns' names in the page's style, and in words.
var classes = [columns]struct{ class, words, short, title string }{
	stubs:        {"stub", "stub in the program's namespace", "stub", "Stubs"},
	frontEnds:    {"host", "host library in the capsule", "host", "Front ends"},
	drivers:      {"host", "host library in the capsule", "host", "Drivers and layers"},
	dependencies: {"host dep", "host library in the capsule", "host", "What they need"},
	runtimes:     {"runtime", "the runtime's library, shared by a proxy", "runtime", "The runtime's libraries"},
}

// node is a library in the graph.
type node struct {
	ID, Row     string // of its element, and of its row in the table
	Name, Label string // Label is what fits
	Class       string
	Words       string
	API         string
	X, Y, W     int
	Library     *capsule.Library

	index  int
	column column
	hub    bool // needed by most: lines to it are drawn on demand
	weight float64
	below  []int // direct, in the whole graph
}

// TextY and the like are for the template.
func (n *node) TextX() int    { return n.X + padding }
func (n *node) TextY() int    { return n.Y + 15 }
func (n *node) Height() int   { return boxHeight }
func (n *node) MiddleY() int  { return n.Y + boxHeight/2 }
func (n *node) Below() string { return ids(n, n.below) }
func (n *node) Shared() bool  { return n.column == runtimes }

// SharePath is the line from a proxy, at the capsule's border, to the library that it shares.
func (n *node) SharePath(port int) string { return fmt.Sprintf("M%d %dH%d", port, n.MiddleY(), n.X) }

// ids of the nodes of the same graph.
func ids(n *node, list []int) string {
	prefix := n.ID[:strings.LastIndexByte(n.ID, 'n')+1]
	out := make([]string, len(list))
	for i, j := range list {
		out[i] = fmt.Sprint(prefix, j)
	}
	return strings.Join(out, " ")
}

// edge is a line.
type edge struct {
	From, To string // IDs
	Class    string // kind, and in which states of the graph it is drawn
	Path     string // SVG path data

	a, b *node
}

// newNodes sorts the libraries of a plan into columns. What the report of the stack says of a library, its API and role,
// decides; without one, whether it has a stub.
func newNodes(id string, plan *capsule.ArchPlan, stack *inspection.Arch) (nodes []*node, left int) {
	known := map[string]*inspection.Library{}
	if stack != nil {
		for _, l := range stack.Libraries {
			if l != nil {
				known[l.Soname] = l
			}
		}
	}
	stubbed := map[string]bool{}
	for _, l := range plan.Libraries {
		stubbed[l.Soname] = stubbed[l.Soname] || l.Side == capsule.SideStub
	}
	for i := range plan.Libraries {
		if i == maxNodes {
			return nodes, len(plan.Libraries) - i
		}
		l := &plan.Libraries[i]
		n := &node{ID: fmt.Sprint(id, "n", i), Row: fmt.Sprint(id, "l", i), Name: l.Soname, index: i, Library: l}
		n.column = columnOf(l, known[l.Soname], stubbed[l.Soname])
		if k := known[l.Soname]; k != nil {
			n.API = k.API
		}
		n.Class, n.Words = classes[n.column].class, classes[n.column].words
		nodes = append(nodes, n)
	}
	return nodes, 0
}

func columnOf(l *capsule.Library, known *inspection.Library, stubbed bool) column {
	switch {
	case l.Side == capsule.SideStub:
		return stubs
	case l.Side == capsule.SideRuntime:
		return runtimes
	case known == nil && stubbed:
		return frontEnds
	case known == nil:
		if l.Found == "DT_NEEDED" || l.Found == "" {
			return dependencies
		}
		return drivers
	}
	switch known.Role {
	case "front-end", "requested":
		return frontEnds
	case "dependency", "opened":
		if stubbed {
			return frontEnds
		}
		return dependencies
	}
	return drivers
}

// connect finds the lines of a graph: of needs only those that no others imply, twice, for the whole graph and for the one
// without the dependencies, whose place their own needs take.
func connect(nodes []*node) (edges []*edge, left int) {
	inside := map[string]int{} // in the capsule a name means a host library or a proxy, never a stub
	stub := map[string]int{}
	for i, n := range nodes {
		if n.column == stubs {
			stub[n.Name] = i
		} else if _, taken := inside[n.Name]; !taken || n.Library.Side == capsule.SideHost {
			inside[n.Name] = i
		}
	}
	needs, users := newRelation(len(nodes)), make([]int, len(nodes))
	hosts := 0
	for i, n := range nodes {
		if n.Library.Side == capsule.SideHost {
			hosts++
		}
		for _, name := range n.Library.Needs {
			if j, ok := inside[name]; ok && i != j && n.column != stubs {
				if !needs.has(i, j) {
					users[j]++
				}
				needs.add(i, j)
			}
		}
	}
	for i, n := range nodes {
		n.hub = n.column == runtimes && users[i] > 8 && users[i] > hosts/2
	}
	needs.close()
	var all, folded []int
	for i, n := range nodes {
		all = append(all, i)
		if n.column != dependencies {
			folded = append(folded, i)
		}
	}
	g := &grapher{nodes: nodes, at: map[[2]int]*edge{}}
	for i, n := range nodes {
		if j, ok := inside[n.Name]; ok && n.column == stubs {
			g.add(i, j, "stands", "")
			n.below = append(n.below, j)
		}
	}
	for _, pair := range needs.reduced(all) {
		g.add(pair[0], pair[1], "needs", "whole")
		nodes[pair[0]].below = append(nodes[pair[0]].below, pair[1])
	}
	for _, pair := range needs.reduced(folded) {
		g.add(pair[0], pair[1], "needs", "folded")
	}
	for i, n := range nodes {
		for _, name := range n.Library.Opens {
			j, ok := inside[name]
			if !ok || i == j || needs.has(i, j) || n.column == stubs {
				continue
			}
			state := ""
			if n.column == dependencies || nodes[j].column == dependencies {
				state = "whole"
			}
			g.add(i, j, "opens", state)
			n.below = append(n.below, j)
		}
		slices.Sort(n.below)
		n.below = slices.Compact(n.below)
	}
	slices.SortFunc(g.edges, func(x, y *edge) int {
		return cmp.Or(cmp.Compare(x.a.index, y.a.index), cmp.Compare(x.b.index, y.b.index))
	})
	return g.edges, g.left
}

type grapher struct {
	nodes []*node
	at    map[[2]int]*edge
	edges []*edge
	left  int
}

// add draws a line in a state of the graph; what is asked for in both states is drawn in any.
func (g *grapher) add(a, b int, kind, state string) {
	if e := g.at[[2]int{a, b}]; e != nil {
		if !strings.HasSuffix(e.Class, state) {
			e.Class = kind
		}
		return
	}
	if len(g.edges) == maxEdges {
		g.left++
		return
	}
	e := &edge{From: g.nodes[a].ID, To: g.nodes[b].ID, Class: strings.TrimSpace(kind + " " + state), a: g.nodes[a], b: g.nodes[b]}
	g.at[[2]int{a, b}] = e
	g.edges = append(g.edges, e)
}
