package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
)

// maxSide is the width and height, in pixels, that a picture may have; the scenes' have 256.
const maxSide = 1024

// picture is an image on the page. URL is empty where the bytes are no PNG.
type picture struct {
	ID            string
	URL           template.URL
	Width, Height int
	pixels        image.Image
}

// album has each picture of a page once: in health all scenes draw the same, and the page shows one file twenty times.
type album struct{ pictures []*picture }

// picture checks a PNG and finds or adds it; nil if there is none.
func (a *album) picture(data []byte) *picture {
	if len(data) == 0 {
		return nil
	}
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil || config.Width > maxSide || config.Height > maxSide {
		return &picture{}
	}
	url := dataURL(data)
	for _, p := range a.pictures {
		if p.URL == url {
			return p
		}
	}
	pixels, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return &picture{}
	}
	return a.add(&picture{URL: url, Width: config.Width, Height: config.Height, pixels: pixels})
}

func (a *album) add(p *picture) *picture {
	p.ID = fmt.Sprint("picture-", len(a.pictures))
	a.pictures = append(a.pictures, p)
	return p
}

func dataURL(data []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data))
}

// difference draws where two pictures differ: black where they do not, the brighter the more. The least difference is
// visible, as it is what one looks for. It is nil where nothing differs, or the sizes do.
func (al *album) difference(a, b *picture) *picture {
	if a == nil || b == nil || a.pixels == nil || b.pixels == nil || a.Width != b.Width || a.Height != b.Height {
		return nil
	}
	out := image.NewGray(image.Rect(0, 0, a.Width, a.Height))
	least, differs := uint32(96), false
	for y := range a.Height {
		for x := range a.Width {
			d := distance(at(a.pixels, x, y), at(b.pixels, x, y))
			if d > 0 {
				differs = true
				out.SetGray(x, y, color.Gray{Y: uint8(least + d*(255-least)/255)})
			}
		}
	}
	if !differs {
		return nil
	}
	var data bytes.Buffer
	if err := png.Encode(&data, out); err != nil {
		return nil
	}
	return al.add(&picture{URL: dataURL(data.Bytes()), Width: a.Width, Height: a.Height, pixels: out})
}

func at(p image.Image, x, y int) color.NRGBA {
	return color.NRGBAModel.Convert(p.At(p.Bounds().Min.X+x, p.Bounds().Min.Y+y)).(color.NRGBA)
}

// distance is the greatest of the channels', 0 to 255.
func distance(a, b color.NRGBA) uint32 {
	channel := func(x, y uint8) uint32 { return uint32(max(x, y) - min(x, y)) }
	return max(channel(a.R, b.R), channel(a.G, b.G), channel(a.B, b.B), channel(a.A, b.A))
}
