// Package scene says what capsule-scene's picture should be, from the definition at the top of cshim/scene/figure.c. It exists
// so that tests compare pictures of drivers with one that no C code and no driver has made. It never draws by a driver.
package scene

import (
	"bytes"
	"fmt"
	"math"
)

// Side is the width and the height of pictures in pixels, tile that of the texture in texels.
const (
	Side = 256
	tile = 64
)

// A Picture is RGBA, the top row first.
type Picture [4 * Side * Side]byte

type corner struct {
	x, y, z int
	colour  [3]int
	u, v    int
}

type triangle [3]corner

// Reference computes the picture in double precision.
func Reference() *Picture {
	texture := texels()
	triangles := figure()
	p := new(Picture)
	for j := range Side {
		for i := range Side {
			colour := pixel(triangles, texture, float64(16*i+8), float64(16*j+8))
			for k, c := range colour {
				p[4*(Side*j+i)+k] = byte(math.Round(c))
			}
			p[4*(Side*j+i)+3] = 255
		}
	}
	return p
}

// pixel is the colour at a place: the nearest triangle's, times the texture's.
func pixel(triangles []triangle, texture [][3]float64, x, y float64) (colour [3]float64) {
	nearest := math.Inf(1)
	for _, t := range triangles {
		w, inside := t.weights(x, y)
		mix := func(value func(corner) int) (sum float64) {
			for k, c := range t {
				sum += w[k] * float64(value(c))
			}
			return sum
		}
		z := mix(func(c corner) int { return c.z })
		if !inside || z >= nearest {
			continue
		}
		nearest = z
		texel := sample(texture, mix(func(c corner) int { return c.u }), mix(func(c corner) int { return c.v }))
		for k := range colour {
			colour[k] = texel[k] * mix(func(c corner) int { return c.colour[k] }) / 255
		}
	}
	return colour
}

// weights are barycentric coordinates.
func (t triangle) weights(x, y float64) (w [3]float64, inside bool) {
	area := func(ax, ay, bx, by, cx, cy float64) float64 { return (bx-ax)*(cy-ay) - (cx-ax)*(by-ay) }
	at := func(k int) (float64, float64) { return float64(t[k%3].x), float64(t[k%3].y) }
	ax, ay := at(0)
	bx, by := at(1)
	cx, cy := at(2)
	whole := area(ax, ay, bx, by, cx, cy)
	inside = true
	for k := range w {
		bx, by := at(k + 1)
		cx, cy := at(k + 2)
		w[k] = area(x, y, bx, by, cx, cy) / whole
		inside = inside && w[k] >= 0
	}
	return w, inside
}

func sample(texture [][3]float64, u, v float64) (colour [3]float64) {
	u, v = u-0.5, v-0.5
	i, j := math.Floor(u), math.Floor(v)
	a, b := u-i, v-j
	at := func(i, j float64, k int) float64 {
		clamp := func(f float64) int { return int(min(max(f, 0), tile-1)) }
		return texture[tile*clamp(j)+clamp(i)][k]
	}
	for k := range colour {
		top := at(i, j, k)*(1-a) + at(i+1, j, k)*a
		low := at(i, j+1, k)*(1-a) + at(i+1, j+1, k)*a
		colour[k] = top*(1-b) + low*b
	}
	return colour
}

// texels: a capsule, one half white, in a frame.
func texels() [][3]float64 {
	all := make([][3]float64, tile*tile)
	for j := range tile {
		for i := range tile {
			x, y := 2*i+1, 2*j+1
			dx, dy := x-min(max(x, 44), 84), y-64
			c := [3]float64{216, 216, 216}
			switch far := dx*dx + dy*dy; {
			case far < 28*28 && x < 64:
				c = [3]float64{255, 255, 255}
			case far < 28*28:
				c = [3]float64{208, 96, 80}
			case far < 32*32, min(i, j) < 3, max(i, j) >= tile-3:
				c = [3]float64{112, 112, 112}
			}
			all[tile*j+i] = c
		}
	}
	return all
}

func figure() (all []triangle) {
	quad := func(c [4]corner) { all = append(all, triangle{c[0], c[1], c[2]}, triangle{c[3], c[2], c[1]}) }
	var c [4]corner
	for k := range c {
		right, low := k&1, k>>1
		c[k] = corner{4096 * right, 4096 * low, 65000, [3]int{24 + 40*right, 36 + 60*low, 72 + 50*low}, 22, 32}
	}
	quad(c)
	colours := [3][3]int{{96, 192, 255}, {255, 224, 128}, {160, 255, 160}}
	turn := [3][3]int{{68, 0, 51}, {24, 75, -32}, {-45, 40, 60}}
	light := [3]int{-2, -3, -6}
	for axis := range 3 {
		for _, sign := range []int{-1, 1} {
			cosine := 0
			for row := range 3 {
				cosine += sign * turn[row][axis] * light[row]
			}
			shade := 112 + 143*max(cosine, 0)/(7*85)
			for k := range c {
				var p, q [3]int
				p[axis], p[(axis+1)%3], p[(axis+2)%3] = sign, 2*(k&1)-1, 2*(k>>1)-1
				for row := range 3 {
					q[row] = 12 * (turn[row][0]*p[0] + turn[row][1]*p[1] + turn[row][2]*p[2])
				}
				c[k] = corner{2049 + q[0], 2083 + q[1], 32768 + 16*q[2], [3]int{}, tile * (k & 1), tile * (k >> 1)}
				for j := range 3 {
					c[k].colour[j] = colours[axis][j] * shade / 255
				}
			}
			quad(c)
		}
	}
	return append(all, triangle{{203, 3301, 20011, [3]int{255, 40, 40}, 22, 32}, {3917, 3517, 24007, [3]int{40, 255, 40}, 22, 32},
		{2711, 157, 46003, [3]int{40, 40, 255}, 22, 32}})
}

// header is how each of capsule-scene's PAM files begins.
const header = "P7\nWIDTH 256\nHEIGHT 256\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"

// Read takes a picture from a PAM file.
func Read(pam []byte) (*Picture, error) {
	rest, ok := bytes.CutPrefix(pam, []byte(header))
	if !ok || len(rest) != len(Picture{}) {
		return nil, fmt.Errorf("%d bytes that begin with %.80q are no picture of capsule-scene's", len(pam), pam)
	}
	return (*Picture)(rest), nil
}

// Check says how a picture differs from the reference. Colours may be rounded by 2, and a few pixels may be of another surface
// where two cross, for which a driver's depth buffer decides.
func Check(p *Picture) error {
	want := Reference()
	var off, far int
	var where string
	for k := range want {
		switch d := int(want[k]) - int(p[k]); {
		case d < -2 || d > 2:
			if far == 0 {
				where = fmt.Sprintf("pixel %d,%d has %v instead of %v", k/4%Side, k/4/Side, p[k&^3:k&^3+4], want[k&^3:k&^3+4])
			}
			far++
		case d != 0:
			off++
		}
	}
	// Rounding has no preference: where it is all or most of the values, the colours are wrong.
	if far > 3*16 || off > len(want)/4 {
		return fmt.Errorf("%d values differ by more than 2, %d by less; %s", far, off, where)
	}
	return nil
}
