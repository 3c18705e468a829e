// Package screen judges screenshots: does a picture show a rendered scene, or a blank window?
//
// It exists because "the game ran" is a claim about pixels. It compares with no reference picture: two
// versions of Mesa draw a scene slightly differently, but neither draws it as one flat colour, noise or a
// few stripes. It never takes a picture itself.
package screen

import (
	"fmt"
	"image"
	"math"
)

// tiles is the number of tiles along each side of the picture in which variation is measured.
const tiles = 8

// Facts are what Stats measures of a picture.
type Facts struct {
	// Colours is the number of distinct 24-bit colours.
	Colours int
	// Dominant is the share of the most frequent colour, 0 to 1.
	Dominant float64
	// Entropy is that of the colours at 4 bits a channel, in bits: 0 for one colour, 12 for uniform noise.
	Entropy float64
	// BusyTiles is the share of the 8×8 tiles of the picture that hold more than one colour.
	BusyTiles float64
	// Smoothness is the share of horizontally adjacent pixels whose channels all differ by at most 8 of 255: near 1 for
	// a rendered scene, below 0.01 for noise.
	Smoothness float64
}

// Stats measures a picture.
func Stats(img image.Image) Facts {
	b := img.Bounds()
	pixels := b.Dx() * b.Dy()
	if pixels == 0 {
		return Facts{}
	}
	counts := map[uint32]int{}
	coarse := map[uint32]int{}
	first := map[int]uint32{}
	busy := map[int]bool{}
	smooth := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		var left uint32
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			c := r>>8<<16 | g>>8<<8 | bl>>8
			counts[c]++
			coarse[r>>12<<8|g>>12<<4|bl>>12]++
			tile := (y-b.Min.Y)*tiles/b.Dy()*tiles + (x-b.Min.X)*tiles/b.Dx()
			if f, seen := first[tile]; !seen {
				first[tile] = c
			} else if f != c {
				busy[tile] = true
			}
			if x > b.Min.X && near(c, left) {
				smooth++
			}
			left = c
		}
	}
	f := Facts{Colours: len(counts), BusyTiles: float64(len(busy)) / (tiles * tiles)}
	for _, n := range counts {
		f.Dominant = max(f.Dominant, float64(n)/float64(pixels))
	}
	for _, n := range coarse {
		p := float64(n) / float64(pixels)
		f.Entropy -= p * math.Log2(p)
	}
	if b.Dx() > 1 {
		f.Smoothness = float64(smooth) / float64((b.Dx()-1)*b.Dy())
	}
	return f
}

func near(a, b uint32) bool {
	for shift := 0; shift < 24; shift += 8 {
		d := int(a>>shift&0xff) - int(b>>shift&0xff)
		if d < -8 || d > 8 {
			return false
		}
	}
	return true
}

// Limits of a scene. neverball's title screen on an 800×600 display was measured (Mesa 20.3 and 25.0) with 24,000 colours,
// a dominant share of 0.32, 4.1 bits, 95% of the tiles busy and a smoothness of 0.94; glxgears alone on that
// display, which is not a scene in this sense, with 370 colours, 0.95, 0.4 bits and 16%.
const (
	minColours    = 500
	maxDominant   = 0.75
	minEntropy    = 2.5
	minBusyTiles  = 0.25
	minSmoothness = 0.3
)

// LooksLikeScene returns nil if a picture can be a rendered three-dimensional scene, or else what speaks against it.
func LooksLikeScene(img image.Image) error {
	f := Stats(img)
	switch {
	case f.Colours <= 1:
		return fmt.Errorf("the picture is blank: one colour")
	case f.Dominant > maxDominant:
		return fmt.Errorf("%.0f%% of the picture is one colour (limit %.0f%%)", 100*f.Dominant, 100*maxDominant)
	case f.Colours < minColours:
		return fmt.Errorf("the picture has only %d colours (at least %d wanted)", f.Colours, minColours)
	case f.Entropy < minEntropy:
		return fmt.Errorf("the picture's colours hold only %.1f bits (at least %.1f wanted)", f.Entropy, minEntropy)
	case f.BusyTiles < minBusyTiles:
		return fmt.Errorf("only %.0f%% of the picture's parts show anything (at least %.0f%% wanted)",
			100*f.BusyTiles, 100*minBusyTiles)
	case f.Smoothness < minSmoothness:
		return fmt.Errorf("the picture is noise: only %.0f%% of neighbouring pixels are alike", 100*f.Smoothness)
	}
	return nil
}
