package screen

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
)

func paint(at func(x, y int) color.RGBA) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			img.Set(x, y, at(x, y))
		}
	}
	return img
}

var grey = color.RGBA{80, 80, 80, 255}

// scene shades a sphere above a lit floor: smooth, with an edge, no flat areas.
func scene(x, y int) color.RGBA {
	dx, dy := float64(x-160)/80, float64(y-100)/80
	if r := dx*dx + dy*dy; r < 1 {
		light := math.Max(0, 0.5*dx-0.5*dy+0.7*math.Sqrt(1-r))
		return color.RGBA{uint8(40 + 200*math.Min(1, light)), uint8(30 + 90*math.Min(1, light)), uint8(40 * (1 - r)), 255}
	}
	if y > 120 {
		return color.RGBA{uint8(y), uint8(x / 2), uint8(60 + (x/32+y/16)%2*60), 255}
	}
	return color.RGBA{uint8(60 + y/2), uint8(90 + y/2 + x/16), uint8(255 - y), 255}
}

func TestLooksLikeScene(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tests := []struct {
		name string
		img  image.Image
		ok   bool
	}{
		{"shaded sphere", paint(scene), true},
		{"blank", paint(func(x, y int) color.RGBA { return grey }), false},
		{"empty", image.NewRGBA(image.Rectangle{}), false},
		{"root weave", paint(func(x, y int) color.RGBA {
			if (x+y)%4 < 2 {
				return color.RGBA{A: 255}
			}
			return color.RGBA{255, 255, 255, 255}
		}), false},
		{"bars", paint(func(x, y int) color.RGBA { return color.RGBA{uint8(x / 40 * 30), 128, uint8(255 - x/40*30), 255} }), false},
		{"noise", paint(func(x, y int) color.RGBA {
			return color.RGBA{uint8(rng.Uint32()), uint8(rng.Uint32()), uint8(rng.Uint32()), 255}
		}), false},
		{"a small scene in a blank window", paint(func(x, y int) color.RGBA {
			if x > 250 && y > 180 {
				return scene(x, y)
			}
			return grey
		}), false},
		{"grey ramp", paint(func(x, y int) color.RGBA { return color.RGBA{uint8(x), uint8(x), uint8(x), 255} }), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := LooksLikeScene(test.img)
			if (err == nil) != test.ok {
				t.Errorf("LooksLikeScene = %v, want a scene: %v (%+v)", err, test.ok, Stats(test.img))
			}
		})
	}
}

func TestStats(t *testing.T) {
	half := paint(func(x, y int) color.RGBA {
		if x < 160 {
			return grey
		}
		return color.RGBA{200, 200, 200, 255}
	})
	f := Stats(half)
	if f.Colours != 2 || f.Dominant != 0.5 || f.Entropy != 1 || f.BusyTiles != 0 {
		t.Errorf("two halves: %+v", f)
	}
}
