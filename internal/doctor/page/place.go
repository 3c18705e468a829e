package page

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/capsule-run/capsule-run/capsule"
)

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
