package doctor

import (
	"image"
	"testing"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

func picture(t *testing.T, change func(pix []byte)) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 3)
	}
	if change != nil {
		change(img.Pix)
	}
	b, err := encode(img)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestJudge(t *testing.T) {
	drawn := func(change func(*report.Drawing)) *report.Drawing {
		d := &report.Drawing{Device: "a GPU", Vendor: "v", Version: "1", PNG: picture(t, nil)}
		if change != nil {
			change(d)
		}
		return d
	}
	failed, absent := &report.Drawing{Error: "e"}, &report.Drawing{Error: "e", Missing: true}
	put := func(at int, v byte) func(*report.Drawing) {
		return func(d *report.Drawing) { d.PNG = picture(t, func(p []byte) { p[at] += v }) }
	}
	for name, c := range map[string]struct {
		native, capsule *report.Drawing
		want            report.Verdict
		pixels, channel int
	}{
		"same":              {drawn(nil), drawn(nil), report.Same, 0, 0},
		"versions":          {drawn(nil), drawn(func(d *report.Drawing) { d.Version, d.Extensions = "2", 5 }), report.Same, 0, 0},
		"rounded":           {drawn(nil), drawn(put(5, 2)), report.Same, 1, 2},
		"another picture":   {drawn(nil), drawn(put(5, 3)), report.Differs, 1, 3},
		"another alpha":     {drawn(put(7, 200)), drawn(nil), report.Differs, 1, 200},
		"another device":    {drawn(nil), drawn(func(d *report.Drawing) { d.Device = "b" }), report.Differs, 0, 0},
		"the processor":     {drawn(nil), drawn(func(d *report.Drawing) { d.Software = true }), report.Differs, 0, 0},
		"no picture":        {drawn(nil), drawn(func(d *report.Drawing) { d.PNG = nil }), report.Differs, 0, 0},
		"a bad picture":     {drawn(nil), drawn(func(d *report.Drawing) { d.PNG = []byte("x") }), report.Differs, 0, 0},
		"capsule fails":     {drawn(nil), failed, report.CapsuleFails, 0, 0},
		"capsule not tried": {drawn(nil), nil, report.CapsuleFails, 0, 0},
		"capsule lacks it":  {drawn(nil), absent, report.CapsuleFails, 0, 0},
		"native fails":      {failed, drawn(nil), report.NativeFails, 0, 0},
		"runtime's own":     {absent, drawn(nil), report.NativeFails, 0, 0},
		"both fail":         {failed, failed, report.BothFail, 0, 0},
		"absent":            {absent, absent, report.Absent, 0, 0},
		"absent, no launch": {absent, failed, report.Absent, 0, 0},
		"nothing":           {nil, nil, report.BothFail, 0, 0},
	} {
		s := &report.Scene{Native: c.native, Capsule: c.capsule}
		judge(s)
		if s.Verdict != c.want {
			t.Errorf("%s: %s, want %s", name, s.Verdict, c.want)
		}
		if s.Pixels != c.pixels || s.Channel != c.channel {
			t.Errorf("%s: %d pixels by %d", name, s.Pixels, s.Channel)
		}
	}
	// Without pictures the facts decide.
	s := &report.Scene{Native: &report.Drawing{Facts: []string{"H264", "AV1"}}, Capsule: &report.Drawing{Facts: []string{"H264"}}}
	if judge(s); s.Verdict != report.Differs {
		t.Error(s.Verdict)
	}
}
