package page

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

func TestSentence(t *testing.T) {
	scenes := func(verdicts ...report.Verdict) *report.Report {
		r := &report.Report{Plan: &capsule.Plan{}, OK: true}
		for _, v := range verdicts {
			r.Scenes = append(r.Scenes, report.Scene{Verdict: v})
		}
		return r
	}
	untried := func(verdicts ...report.Verdict) *report.Report { // for want of a session
		r := scenes(verdicts...)
		r.Scenes = append(r.Scenes, report.Scene{Verdict: report.BothFail, Platform: "x11"}, report.Scene{Verdict: report.BothFail, Platform: "wayland"})
		return r
	}
	for _, c := range []struct {
		r          *report.Report
		text, tone string
	}{
		{&report.Report{}, "No plan could be made, and no scene was drawn.", bad},
		{scenes(), "No scene was drawn.", fair},
		{scenes(report.Absent), "This host has none of the graphics APIs that were tried.", fair},
		{scenes(report.Same), "The one scene looks the same through the capsule.", good},
		{scenes(report.Same, report.Same, report.Absent), "2 of 2 scenes look the same through the capsule.", good},
		{scenes(report.Same, report.CapsuleFails), "1 of 2 scenes looks the same through the capsule; 1 fails.", bad},
		{scenes(report.Same, report.Same, report.BothFail), "2 of 2 scenes look the same through the capsule; 1 more works on neither side.", good},
		{scenes(report.BothFail, report.BothFail, report.Absent), "No scene can be drawn natively; 2 work on neither side.", fair},
		{scenes(report.NativeFails), "No scene can be drawn natively; 1 works through it alone.", fair},
		{scenes(report.Differs, report.CapsuleFails, report.CapsuleFails, report.NativeFails, report.BothFail),
			"0 of 3 scenes look the same through the capsule; 2 fail, 1 looks different, 1 more works through it alone, 1 more works on neither side.", bad},
		{untried(report.Same), "The one scene looks the same through the capsule.", good},
		{untried(report.Absent), "This host has none of the graphics APIs that were tried.", fair},
		{untried(), "No scene can be drawn natively.", fair},
		{scenes(report.Same, "?"), "The one scene looks the same through the capsule.", good},
		{&report.Report{Scenes: []report.Scene{{Verdict: report.Same}}}, "The one scene looks the same through the capsule.", fair},
	} {
		if text, tone := sentence(c.r); text != c.text || tone != c.tone {
			t.Errorf("%q (%s), want %q (%s)", text, tone, c.text, c.tone)
		}
	}
}

// TestReduced: nothing is lost by leaving out what is implied, and what is left is implied by nothing.
func TestReduced(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		n := 1 + random.IntN(70)
		r := newRelation(n)
		for range random.IntN(3 * n) {
			a, b := random.IntN(n), random.IntN(n)
			if round%3 > 0 { // no circles
				a, b = max(a, b), min(a, b)
			}
			if a != b {
				r.add(a, b)
			}
		}
		r.close()
		var all []int
		for i := range n {
			all = append(all, i)
		}
		pairs := r.reduced(all)
		again := newRelation(n)
		for _, p := range pairs {
			again.add(p[0], p[1])
		}
		again.close()
		for a := range n {
			for b := range n {
				if a != b && r.has(a, b) != again.has(a, b) {
					t.Fatalf("round %d: %d -> %d is %v, was %v", round, a, b, again.has(a, b), r.has(a, b))
				}
			}
		}
		if round%3 == 0 {
			continue
		}
		for i, leftOut := range pairs {
			fewer := newRelation(n)
			for j, p := range pairs {
				if i != j {
					fewer.add(p[0], p[1])
				}
			}
			fewer.close()
			if fewer.has(leftOut[0], leftOut[1]) {
				t.Fatalf("round %d: %v is implied by the others", round, leftOut)
			}
		}
	}
}

// TestArrange: every library is inside of the graph, and none on another.
func TestArrange(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	sides := []capsule.Side{capsule.SideHost, capsule.SideHost, capsule.SideHost, capsule.SideRuntime, capsule.SideStub, "?"}
	for round := range 200 {
		plan := &capsule.ArchPlan{}
		for i := range random.IntN(60) {
			l := capsule.Library{Soname: fmt.Sprintf("lib%s%d.so", strings.Repeat("x", random.IntN(40)), random.IntN(50)),
				Side: sides[random.IntN(len(sides))], Found: []string{"rule", "DT_NEEDED"}[random.IntN(2)]}
			for range random.IntN(i + 1) {
				other := plan.Libraries[random.IntN(i)].Soname
				l.Needs = append(l.Needs, other)
			}
			plan.Libraries = append(plan.Libraries, l)
		}
		nodes, left := newNodes("a", plan, nil)
		edges, more := connect(nodes)
		if left+more > 0 || len(nodes) == 0 {
			continue
		}
		d := arrange(nodes, edges, []string{"GL"})
		for i, n := range d.Nodes {
			bottom := d.Height
			if n.column != dependencies {
				bottom = d.Folded
			}
			if n.X < 0 || n.Y < top || n.X+n.W > d.Width || n.Y+boxHeight > bottom {
				t.Fatalf("round %d: %s at %d,%d leaves %d,%d", round, n.Name, n.X, n.Y, d.Width, bottom)
			}
			for _, other := range d.Nodes[:i] {
				if n.X < other.X+other.W && other.X < n.X+n.W && n.Y < other.Y+boxHeight && other.Y < n.Y+boxHeight {
					t.Fatalf("round %d: %s lies on %s", round, n.Name, other.Name)
				}
			}
		}
	}
}

func TestBounded(t *testing.T) {
	r := &report.Report{Version: strings.Repeat("ä", maxString)}
	for range maxElements + 1 {
		r.Findings = append(r.Findings, report.Finding{What: "x"})
	}
	short, cut := bounded(r)
	if !cut || len(short.Findings) != maxElements || len(short.Version) > maxString+3 || !strings.HasSuffix(short.Version, "ä…") && !strings.HasSuffix(short.Version, "…") {
		t.Errorf("cut %v, %d findings, a text of %d bytes", cut, len(short.Findings), len(short.Version))
	}
	if whole, cut := bounded(&report.Report{Version: "1", Findings: r.Findings[:3]}); cut || whole.Version != "1" || len(whole.Findings) != 3 {
		t.Errorf("cut %v: %v", cut, whole)
	}
}

func TestSpellOut(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 漢\n\t":        "plain ä 漢\n\t",
		"a\u202eb\u2066":       `a\u202eb\u2066`,
		"\x1b[0m\x00\u200b":    `\u001b[0m\u0000\u200b`,
		"\U000e0041\ufeff\xff": `\udb40\udc41\ufeff` + "\ufffd",
	} {
		if got := string(spellOut([]byte(in))); got != want {
			t.Errorf("%+q, want %+q", got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	r := &report.Report{Version: "1", Machine: report.Machine{System: "a`b\n# c"}, Scenes: []report.Scene{{Name: "glx", Arch: "x86_64",
		Verdict: report.CapsuleFails, Boundary: "driver", Native: &report.Drawing{Device: "llvmpipe", Version: "4.5"},
		Capsule: &report.Drawing{Step: "open", Error: "no"}}}, Findings: []report.Finding{{Severity: report.Problem, API: "GL", What: "broken"}}}
	lines := strings.Split(summary(newView(r)), "\n")
	for _, want := range []string{"- problem: `GL broken`", "- `glx` (x86_64, driver): fails through the capsule", "  - native: `llvmpipe`, `4.5`",
		"  - capsule: `open: no`", "- host: `a'b # c`, kernel `?`, glibc `?`"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in %q", want, lines)
		}
	}
}

// TestUntried: scenes without a session have a line, and no card.
func TestUntried(t *testing.T) {
	r := &report.Report{Machine: report.Machine{Sessions: []string{"wayland"}}}
	for _, s := range []struct{ name, platform string }{{"glx", "x11"}, {"egl-wayland", "wayland"}, {"vulkan-x11", "x11"}} {
		r.Scenes = append(r.Scenes, report.Scene{Name: s.name, API: "API", Platform: s.platform, Verdict: report.BothFail})
	}
	worse, alike, without := newScenes(r, &album{})
	if len(worse) != 0 || len(alike) != 1 || alike[0].Name != "egl-wayland" || len(without) != 1 || !strings.Contains(without[0].Why, "no X11 session") ||
		strings.Join(without[0].Scenes, ", ") != "glx (API on X11), vulkan-x11 (API on X11)" {
		t.Errorf("%v, %v, %v", worse, alike, without)
	}
}

func TestDifference(t *testing.T) {
	var all album
	if all.picture(nil) != nil || all.picture([]byte("no PNG")).URL != "" || len(all.pictures) != 0 {
		t.Error("what is no picture is one")
	}
	shade := func(at int, c color.NRGBA) *picture {
		m := image.NewNRGBA(image.Rect(0, 0, 4, 4))
		m.SetNRGBA(at, 1, c)
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return all.picture(b.Bytes())
	}
	a, b := shade(1, color.NRGBA{R: 10, A: 255}), shade(1, color.NRGBA{R: 10, G: 1, A: 255})
	if all.difference(a, a) != nil || all.difference(a, nil) != nil {
		t.Error("a picture differs from itself, or from none")
	}
	d := all.difference(a, b)
	if d == nil || d.Width != 4 {
		t.Fatal("no difference")
	}
	if again := shade(1, color.NRGBA{R: 10, A: 255}); again != a || len(all.pictures) != 3 || a.ID == b.ID {
		t.Errorf("the same picture is %s and %s, of %d", a.ID, again.ID, len(all.pictures))
	}
	for i := range 16 {
		if v := at(d.pixels, i%4, i/4).R; (v > 64) != (i == 5) {
			t.Errorf("pixel %d is %d", i, v)
		}
	}
}
