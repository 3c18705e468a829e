package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// Bounds of what a scene may say. A driver is in the same process and may have overwritten anything.
const (
	maxDevices   = 32
	maxFacts     = 512
	maxLibraries = 1024
	maxTime      = 1e6 // milliseconds
)

// told is what a scene prints.
type told struct {
	API      string `json:"api"`
	Platform string `json:"platform"`
	report.Drawing
}

var errNothingTold = errors.New("it said nothing that can be read")

// parseTold reads the JSON object that a scene prints, on one line. A driver may have printed something before it.
func parseTold(out []byte) (*told, error) {
	for len(out) > 0 {
		line := out
		if i := bytes.IndexByte(out, '\n'); i >= 0 {
			line = out[:i+1]
		}
		if bytes.HasPrefix(line, []byte("{")) {
			t := &told{}
			if err := json.Unmarshal(line, t); err == nil {
				t.bound()
				return t, nil
			}
		}
		out = out[len(line):]
	}
	return nil, errNothingTold
}

// bound makes what was told fit for a report.
func (t *told) bound() {
	d := &t.Drawing
	t.API, t.Platform = word(t.API), word(t.Platform)
	for _, s := range []*string{&d.Error, &d.Step, &d.Vendor, &d.Device, &d.Version, &d.Driver, &d.ExtensionsDigest} {
		*s = shorten(*s)
	}
	d.Devices, d.Facts, d.Libraries = list(d.Devices, maxDevices), list(d.Facts, maxFacts), list(d.Libraries, maxLibraries)
	for _, f := range []*float64{&d.Start, &d.Frame} {
		if math.IsNaN(*f) || *f < 0 || *f > maxTime {
			*f = 0
		}
		*f = math.Round(*f*100) / 100
	}
	d.Extensions = min(max(d.Extensions, 0), 1<<20)
	d.PNG, d.Output = nil, nil // ours to say
	if d.Missing && d.Error == "" {
		d.Error = "the library is not there"
	}
}

func list(texts []string, most int) []string {
	texts = texts[:min(len(texts), most)]
	for i, t := range texts {
		texts[i] = shorten(t)
	}
	return texts
}

// word is a short name without spaces, empty if the text is none.
func word(s string) string {
	if len(s) > 32 || strings.IndexFunc(s, func(r rune) bool {
		return !(r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}) >= 0 {
		return ""
	}
	return s
}

// maxSide is a picture's greatest width and height in pixels.
const maxSide = 1024

// maxPicture bounds its file, in bytes.
const maxPicture = 4*maxSide*maxSide + 1024

// parsePicture reads a PAM file (netpbm's pam(5)) of 8-bit RGBA.
func parsePicture(b []byte) (*image.NRGBA, error) {
	bad := func(what string) (*image.NRGBA, error) { return nil, fmt.Errorf("the picture %s", what) }
	rest, ok := bytes.CutPrefix(b, []byte("P7\n"))
	if !ok {
		return bad("is no PAM file")
	}
	values := map[string]string{}
	for {
		line, more, ok := bytes.Cut(rest, []byte("\n"))
		if !ok || len(line) > 100 || len(values) > 16 {
			return bad("has no end of its header")
		}
		rest = more
		if string(line) == "ENDHDR" {
			break
		}
		if name, value, ok := strings.Cut(string(line), " "); ok && !strings.HasPrefix(name, "#") {
			values[name] = strings.TrimSpace(value)
		}
	}
	var w, h int
	if n, _ := fmt.Sscanf(values["WIDTH"]+" "+values["HEIGHT"], "%d %d", &w, &h); n != 2 || w < 1 || h < 1 || w > maxSide || h > maxSide {
		return bad("has no width and height")
	}
	if values["DEPTH"] != "4" || values["MAXVAL"] != "255" {
		return bad("is no 8-bit RGBA")
	}
	if len(rest) != 4*w*h {
		return bad(fmt.Sprintf("has %d bytes instead of %d", len(rest), 4*w*h))
	}
	return &image.NRGBA{Pix: rest, Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}, nil
}

func encode(img *image.NRGBA) ([]byte, error) {
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	err := e.Encode(&b, img)
	return b.Bytes(), err
}

// decode reads a picture that encode made.
func decode(b []byte) *image.NRGBA {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	if n, ok := img.(*image.NRGBA); ok {
		return n
	}
	n := image.NewNRGBA(img.Bounds()) // the encoder leaves out an alpha that is full everywhere
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			n.Set(x, y, img.At(x, y))
		}
	}
	return n
}

// scene is a line of what the program says it can draw.
type scene struct{ name, api, platform string }

// maxScenes is how many there may be.
const maxScenes = 64

// parseScenes reads lines of a name, an API and a platform.
func parseScenes(out []byte) []scene {
	var all []scene
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 0 || word(f[0]) == "" || len(all) == maxScenes {
			continue
		}
		s := scene{name: f[0]}
		if len(f) > 1 {
			s.api = word(f[1])
		}
		if len(f) > 2 {
			s.platform = word(f[2])
		}
		all = append(all, s)
	}
	return all
}

func readPicture(f io.Reader) (*image.NRGBA, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxPicture+1))
	if err != nil {
		return nil, fmt.Errorf("read the picture: %w", err)
	}
	return parsePicture(b)
}
