package page

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// scene is a card.
type scene struct {
	ID            string
	Name          string
	What          string // API, platform and, of several, architecture
	Verdict, Tone string
	Compared      string // what the pictures say, in words
	Boundary      string
	Reason        string
	Native        side
	Capsule       side
	Difference    *picture
	Rows          []row
	// What both sides tell alike, and then not each for itself.
	Facts           []string
	Failure, Output string

	rank int
}

// side is what one side did.
type side struct {
	Name      string
	Picture   *picture
	Alt       string
	Failure   string // empty if it drew
	Output    string // what the program said when it failed
	Facts     []string
	Libraries string // one a line
	Count     int
}

// row compares a property of both sides.
type row struct {
	Label, Native, Capsule string
}

// Same says that one text stands for both.
func (r row) Same() bool { return r.Native == r.Capsule }

// platforms in words.
var platforms = map[string]string{"x11": "on X11", "wayland": "on Wayland", "surfaceless": "surfaceless", "device": "on a device", "memory": "in memory"}

// missed are scenes without a card, of which only one thing is to be told.
type missed struct {
	Why    string
	Scenes []string
}

// newScenes are the cards of the scenes in which the sides differ, the worst first, those in which they do not, and the scenes
// that were not tried for want of a session, or whose API the host does not have.
func newScenes(r *report.Report, album *album) (worse, alike []*scene, without []missed) {
	archs := map[string]bool{}
	for _, s := range r.Scenes {
		archs[s.Arch] = true
	}
	for i := range r.Scenes {
		s := &r.Scenes[i]
		what := strings.TrimSpace(s.API + " " + cmp.Or(platforms[s.Platform], s.Platform))
		if len(archs) > 1 {
			what += ", " + s.Arch
		}
		if why := apart(r, s); why != "" {
			k := slices.IndexFunc(without, func(m missed) bool { return m.Why == why })
			if k < 0 {
				k = len(without)
				without = append(without, missed{Why: why})
			}
			without[k].Scenes = append(without[k].Scenes, fmt.Sprintf("%s (%s)", s.Name, what))
			continue
		}
		c := &scene{ID: fmt.Sprintf("scene-%d", i), Name: cmp.Or(s.Name, s.API, "?"), What: what, Boundary: s.Boundary, Reason: s.BoundaryReason,
			Native: newSide("Native", s.Native, album), Capsule: newSide("Through the capsule", s.Capsule, album)}
		c.Verdict, c.Tone, c.rank = verdictWords(s)
		for _, one := range []*side{&c.Native, &c.Capsule} {
			one.Alt = fmt.Sprintf("What %s drew, %s", s.Name, strings.ToLower(one.Name))
		}
		if s.Native != nil && s.Capsule != nil && !bytes.Equal(s.Native.PNG, s.Capsule.PNG) {
			c.Difference = album.difference(c.Native.Picture, c.Capsule.Picture)
		}
		c.Compared = compared(s)
		if slices.Equal(c.Native.Facts, c.Capsule.Facts) {
			c.Facts, c.Native.Facts, c.Capsule.Facts = c.Native.Facts, nil, nil
		}
		c.Rows = compareSides(s.Native, s.Capsule)
		if c.Native.Failure == c.Capsule.Failure {
			c.Failure, c.Native.Failure, c.Capsule.Failure = c.Native.Failure, "", ""
		}
		if c.Native.Output == c.Capsule.Output {
			c.Output, c.Native.Output, c.Capsule.Output = c.Native.Output, "", ""
		}
		if c.Tone == good || c.Tone == none {
			alike = append(alike, c)
		} else {
			worse = append(worse, c)
		}
	}
	for _, list := range [][]*scene{worse, alike} {
		slices.SortStableFunc(list, func(a, b *scene) int { return cmp.Compare(a.rank, b.rank) })
	}
	return worse, alike, without
}

// apart says why a scene has no card; empty for one that has.
func apart(r *report.Report, s *report.Scene) string {
	if session := r.NoSession(s); session != "" {
		return "Not tried, for there is no " + session + " session"
	}
	if s.Verdict == report.Absent {
		return "Not on this host"
	}
	return ""
}

func newSide(name string, d *report.Drawing, album *album) side {
	s := side{Name: name}
	s.Failure = d.Failure()
	if d == nil {
		return s
	}
	s.Output = strings.Join(d.Output, "\n")
	s.Picture, s.Facts = album.picture(d.PNG), d.Facts
	s.Libraries, s.Count = strings.Join(d.Libraries, "\n"), len(d.Libraries)
	return s
}

// compared says how far the pictures are the same.
func compared(s *report.Scene) string {
	if !s.Native.Drawn() || !s.Capsule.Drawn() || len(s.Native.PNG) == 0 || len(s.Capsule.PNG) == 0 {
		return ""
	}
	if s.Pixels == 0 {
		return "No pixel differs."
	}
	return fmt.Sprintf("%s, by at most %d of 255 in a channel.", plural(s.Pixels, "pixel differs", "pixels differ"), s.Channel)
}

// compareSides has a row for each property that a side tells of.
func compareSides(native, capsule *report.Drawing) []row {
	var out []row
	add := func(label string, of func(*report.Drawing) string) {
		r := row{Label: label}
		if native != nil {
			r.Native = of(native)
		}
		if capsule != nil {
			r.Capsule = of(capsule)
		}
		if r.Native != "" || r.Capsule != "" {
			out = append(out, r)
		}
	}
	add("Device", func(d *report.Drawing) string { return d.Device })
	add("Vendor", func(d *report.Drawing) string { return d.Vendor })
	add("Driver", func(d *report.Drawing) string { return d.Driver })
	add("Version", func(d *report.Drawing) string { return d.Version })
	add("Drawn by", func(d *report.Drawing) string {
		switch {
		case !d.Drawn() || d.Device == "":
			return ""
		case d.Software:
			return "the processor"
		}
		return "a GPU"
	})
	add("Devices", func(d *report.Drawing) string {
		if len(d.Devices) < 2 {
			return ""
		}
		return strings.Join(d.Devices, "; ")
	})
	add("Extensions", func(d *report.Drawing) string {
		if d.Extensions == 0 {
			return ""
		}
		count := fmt.Sprint(d.Extensions)
		// As many, but other ones: a digest tells.
		if native != nil && capsule != nil && native.Extensions == capsule.Extensions && native.ExtensionsDigest != capsule.ExtensionsDigest {
			count += ", digest " + d.ExtensionsDigest[:min(8, len(d.ExtensionsDigest))]
		}
		return count
	})
	add("First frame", func(d *report.Drawing) string { return milliseconds(d.Start) })
	add("Later frame", func(d *report.Drawing) string { return milliseconds(d.Frame) })
	return out
}
