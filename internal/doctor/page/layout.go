package page

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
