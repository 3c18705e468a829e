package page

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/capsule-run/capsule-run/capsule"
)

// Measures of the graph, in CSS pixels at its natural size.
const (
	character  = 7.0 // of the 11.5px monospace font that names are set in; a wide one
	padding    = 8
	maxLabel   = 26 // characters; longer names are cut in the middle, all the more where the graph gets too wide
	minLabel   = 20
	wide       = 1160 // what a window of 1280 has room for
	boxHeight  = 22
	rowHeight  = 27
	bandHeader = 25
	bandGap    = 8
	top        = 60 // for the titles
	margin     = 14
	inner      = 62 // from the last library in the capsule to its border: room for lines
)

// gaps are what is between a column and the next one.
var gaps = [columns]int{stubs: 50, frontEnds: 48, drivers: 78, dependencies: 0}

// band is a group's part of the graph.
type band struct {
	Title  string
	Y      int
	Height int
}

// standIn is what is seen where the dependencies are not.
type standIn struct{ X, Y, W, N int }

func (s standIn) TextX() int  { return s.X + padding }
func (s standIn) TextY1() int { return s.Y + 18 }
func (s standIn) TextY2() int { return s.Y + 34 }

// heading is a column's.
type heading struct {
	Title, Above string
	X            int
}

// drawing is where everything is.
type drawing struct {
	Width          int
	Height, Folded int // with and without the dependencies
	Nodes          []*node
	Edges          []*edge
	Bands          []band
	Headings       []heading
	BandWidth      int
	Capsule        struct{ X, W int } // the box
	Port           int                // where proxies are
	Dependencies   standIn
}

// Where the template puts what belongs to a box.
func (d *drawing) CapsuleTitle() int { return d.Capsule.X + 4 }
func (b band) TextY() int            { return b.Y + 17 }

// Bottom of the capsule's box, in both states.
func (d *drawing) Bottom() int       { return d.Height - margin - top + 34 }
func (d *drawing) FoldedBottom() int { return d.Folded - margin - top + 34 }

// arrange gives each library its place: columns from left to right, a band for each API in those of stubs, front ends and
// drivers with a stub beside what it stands for, and the others where most of their lines come from. It depends on the
// plan's order alone.
func arrange(nodes []*node, edges []*edge, apis []string) *drawing {
	d := &drawing{Nodes: nodes, Edges: edges}
	var in [columns][]*node
	for _, n := range nodes {
		in[n.column] = append(in[n.column], n)
	}
	for longest := maxLabel; ; longest-- {
		if d.placeColumns(in, longest); d.Width <= wide || longest == minLabel {
			break
		}
	}
	if d.Port = d.Capsule.X + d.Capsule.W; d.Port == 0 && len(in[runtimes]) > 0 {
		d.Port = in[runtimes][0].X - 10 // nothing of the host's: no capsule to be shared with
	}
	bottom := d.placeBands(in, apis)
	d.Folded = max(bottom, d.placeColumn(in[runtimes], top+bandHeader))
	d.Dependencies.Y = top + bandHeader
	d.Height = max(d.Folded, d.placeColumn(in[dependencies], top+bandHeader))
	// The runtime's once more, now that what is left of it has its place.
	if spare := d.Folded - d.placeColumn(in[runtimes], top+bandHeader); spare > 0 {
		d.placeColumn(in[runtimes], top+bandHeader+spare*2/5) // nearer to the middle: shorter lines
	}
	d.Folded += margin
	d.Height += margin
	for _, e := range d.Edges {
		d.route(e)
	}
	return d
}

// placeColumns sets the columns side by side, each as wide as its longest name, which has so many characters at most.
func (d *drawing) placeColumns(in [columns][]*node, longest int) {
	d.Headings, d.Capsule.X, d.Capsule.W, d.BandWidth = nil, 0, 0, 0
	x, left := margin, 0
	for c := range columns {
		if len(in[c]) == 0 {
			continue
		}
		if c == frontEnds || c == drivers || c == dependencies {
			if d.Capsule.X == 0 {
				x += 12
				d.Capsule.X = x - 20
			}
		}
		if c == runtimes && c > 0 && d.Capsule.W > 0 {
			x = d.Capsule.X + d.Capsule.W + 46
		}
		width := 0
		for _, n := range in[c] {
			n.Label = shorten(n.Name, longest)
			width = max(width, int(character*float64(len([]rune(n.Label))))+2*padding)
		}
		width = max(width, int(character*float64(len(classes[c].title))))
		for _, n := range in[c] {
			n.X, n.W = x, width
		}
		h := heading{Title: classes[c].title, X: x}
		if c == stubs || c == runtimes {
			h.Above = "Program's namespace"
		}
		d.Headings = append(d.Headings, h)
		if c == dependencies {
			d.Dependencies.X, d.Dependencies.W, d.Dependencies.N = x, width, len(in[c])
		}
		left = x + width
		if c < dependencies {
			d.BandWidth = left
		}
		if c != runtimes && d.Capsule.X > 0 {
			d.Capsule.W = left + inner - d.Capsule.X
		}
		x = left + gaps[c]
	}
	d.Width = left + margin
}

// placeBands returns where the last band ends.
func (d *drawing) placeBands(in [columns][]*node, apis []string) int {
	inside := map[string]*node{}
	var order []string
	seen := map[string]bool{}
	group := func(api string) {
		if !seen[api] {
			seen[api] = true
			order = append(order, api)
		}
	}
	for _, api := range apis {
		group(api)
	}
	for _, c := range []column{frontEnds, drivers, stubs} {
		for _, n := range in[c] {
			if c != stubs {
				inside[n.Name] = n
			}
			if n.API != "" {
				group(n.API)
			}
		}
	}
	group("") // last, what belongs to none
	y := top
	for _, api := range order {
		rows := [columns]int{}
		first := y + bandHeader
		placed := map[*node]bool{}
		put := func(n *node, row int) {
			n.Y, placed[n] = first+row*rowHeight, true
			rows[n.column] = max(rows[n.column], row+1)
		}
		for _, n := range in[stubs] {
			if n.API != api {
				continue
			}
			row := rows[stubs]
			if behind := inside[n.Name]; behind != nil && behind.API == api && !placed[behind] {
				row = max(row, rows[behind.column])
				put(behind, row)
				rows[frontEnds] = max(rows[frontEnds], row+1) // nothing stands in the line's way
			}
			put(n, row)
		}
		for _, c := range []column{frontEnds, drivers} {
			for _, n := range in[c] {
				if n.API == api && !placed[n] {
					put(n, rows[c])
				}
			}
		}
		if most := slices.Max(rows[:]); most > 0 {
			height := bandHeader + most*rowHeight
			d.Bands = append(d.Bands, band{cmp.Or(api, "Others"), y, height})
			y += height + bandGap
		}
	}
	return y
}

// placeColumn sets libraries below each other, each as near as may be to the middle of what it is connected with, and returns
// where the last one ends. Two passes, since libraries of one column are connected as well.
func (d *drawing) placeColumn(column []*node, from int) int {
	y := from
	for range 2 {
		sum, count := map[*node]float64{}, map[*node]float64{}
		meet := func(n, other *node) {
			if other.Y > 0 {
				sum[n] += float64(other.Y)
				count[n]++
			}
		}
		for _, e := range d.Edges {
			meet(e.a, e.b)
			meet(e.b, e.a)
		}
		for _, n := range column {
			if n.weight = 1e9; count[n] > 0 { // unconnected ones last
				n.weight = sum[n] / count[n]
			}
		}
		slices.SortStableFunc(column, func(a, b *node) int {
			return cmp.Or(cmp.Compare(boolInt(a.hub), boolInt(b.hub)), cmp.Compare(a.weight, b.weight), cmp.Compare(a.index, b.index))
		})
		y = from
		for _, n := range column {
			n.Y = y
			y += rowHeight
		}
	}
	return y
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// route draws a line: from the right of a library to the left of one further right, in a bow where both are in one column.
// What leads to the runtime ends at the capsule's border, where the proxy is; from there the node draws it.
func (d *drawing) route(e *edge) {
	a, b := e.a, e.b
	if b.hub {
		e.Class += " hub"
	}
	x1, y1 := a.X+a.W, a.Y+boxHeight/2
	x2, y2 := b.X, b.Y+boxHeight/2
	if b.Library.Side == capsule.SideRuntime {
		x2 = d.Port
	}
	switch {
	case a.column == b.column:
		bow := min(16+abs(y2-y1)/6, 44)
		if a.column == dependencies { // on its right are the lines to the runtime
			e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X, y1, a.X-bow, y1, b.X-bow, y2, b.X, y2)
			return
		}
		e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bow, y1, x1+bow, y2, b.X+b.W, y2)
	case x2 < x1: // back
		x1, x2 = a.X, b.X+b.W
		bend := max(24, (x1-x2)/2)
		e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1-bend, y1, x2+bend, y2, x2, y2)
	default:
		bend := max(24, (x2-x1)/2)
		e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
	}
}

func abs(n int) int { return max(n, -n) }

// shorten cuts a name in the middle: its end tells the version.
func shorten(name string, longest int) string {
	r := []rune(name)
	if len(r) <= longest {
		return name
	}
	return string(r[:longest-10]) + "…" + string(r[len(r)-9:])
}
