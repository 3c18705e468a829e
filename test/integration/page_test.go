//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/doctor/page"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// pageOf has the doctor write the page of a Debian 11 runtime on this machine, and returns the same report.
func pageOf(t *testing.T) (file string, r *report.Report) {
	t.Helper()
	file, r = filepath.Join(t.TempDir(), "doctor's page.html"), &report.Report{}
	e := examination{runtime: trees.Tree(t, "runtime11"), display: xvfb.Start(t)}
	out := e.run(t, "--json", "--html", file)
	if err := json.Unmarshal([]byte(out.stdout), r); err != nil {
		t.Fatalf("%v\n%s", err, tail(out.both()))
	}
	if r.Plan == nil || len(r.Scenes) == 0 {
		t.Fatalf("the report has nothing to show:\n%s", tail(out.both()))
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= 1<<20 {
		t.Errorf("the page has %d bytes", info.Size())
	}
	return file, r
}

// TestPage looks at the page in a real browser.
func TestPage(t *testing.T) {
	file, r := pageOf(t)
	b := browse(t)
	b.open(file, 1280, "light")
	libraries := r.Plan.Architectures[0].Libraries

	t.Run("pictures", func(t *testing.T) {
		want, files := 0, map[string]bool{}
		for _, s := range r.Scenes {
			for _, d := range []*report.Drawing{s.Native, s.Capsule} {
				if d != nil && len(d.PNG) > 0 {
					want++
					files[string(d.PNG)] = true
				}
			}
		}
		shown := value[[][2]float64](b, `[...document.querySelectorAll(".pictures use")].map(u => [u.getBBox().width, u.getBBox().height])`)
		if len(shown) < want || want == 0 {
			t.Errorf("%d pictures, the report has %d", len(shown), want)
		}
		for i, s := range shown {
			if s != [2]float64{256, 256} {
				t.Errorf("picture %d has %v", i, s)
			}
		}
		if n := value[int](b, `document.querySelectorAll("image").length - document.querySelectorAll(".difference").length`); n != len(files) {
			t.Errorf("%d pictures are on the page, of %d", n, len(files))
		}
		var shot []byte
		b.run(chromedp.Screenshot(".pictures svg", &shot, chromedp.ByQuery))
		if img, err := png.Decode(bytes.NewReader(shot)); err != nil {
			t.Error(err)
		} else if err := screen.LooksLikeScene(img); err != nil {
			t.Errorf("the first picture: %v", err)
		}
	})
	t.Run("neighbours", func(t *testing.T) { neighbours(t, b, libraries) })
	t.Run("filter", func(t *testing.T) {
		b.run(chromedp.SendKeys("#a0-filter", "LIBX11.so", chromedp.ByQuery))
		var want []string
		for _, l := range libraries {
			if strings.Contains(l.Soname, "libX11.so") {
				want = append(want, l.Soname)
			}
		}
		marked := value[[]string](b, `[...document.querySelectorAll("#a0 .n.on title")].map(n => n.textContent)`)
		for _, name := range want {
			if !slices.Contains(marked, name) {
				t.Errorf("%s is not marked: %v", name, marked)
			}
		}
		if len(marked) == len(libraries) {
			t.Error("everything is marked")
		}
		if rows := value[int](b, `document.querySelectorAll("#a0-libraries tbody tr:not([hidden])").length`); rows != len(marked) {
			t.Errorf("%d rows and %d libraries", rows, len(marked))
		}
		b.run(chromedp.SendKeys("#a0-filter", kb.Escape, chromedp.ByQuery))
		if left := value[int](b, `document.querySelectorAll("#a0 .on, #a0 tr[hidden], #a0 .filtering").length`); left > 0 {
			t.Errorf("%d elements are as with the filter", left)
		}
	})
	t.Run("keyboard", func(t *testing.T) {
		for _, key := range []string{kb.Enter, " "} {
			open := value[bool](b, `(() => { const s = document.querySelector("#a0-libraries > summary"); s.focus(); return s.parentNode.open; })()`)
			b.run(chromedp.KeyEvent(key))
			if value[bool](b, `document.querySelector("#a0-libraries").open`) == open {
				t.Errorf("%q neither opens nor closes", key)
			}
		}
		b.run(chromedp.Focus("#a0-unfold", chromedp.ByQuery), chromedp.KeyEvent(" "))
		if hidden := hiddenNodes(b); hidden != 0 {
			t.Errorf("%d libraries are hidden when all should be seen", hidden)
		}
		b.run(chromedp.Focus("#a0-unfold", chromedp.ByQuery), chromedp.KeyEvent(" "))
		if hidden := hiddenNodes(b); hidden == 0 {
			t.Error("nothing is hidden any more")
		}
		// Of a hundred libraries one is reached by the tabulator, the others by the arrows.
		if stops := value[int](b, `document.querySelectorAll('.n[tabindex="0"]').length`); stops != len(r.Plan.Architectures) {
			t.Errorf("the tabulator stops at %d libraries", stops)
		}
		before := value[string](b, `(() => { const n = document.querySelector('#a0 .n[tabindex="0"]'); n.focus(); return n.id; })()`)
		b.run(chromedp.KeyEvent(kb.ArrowRight))
		if after := value[string](b, `document.activeElement.id`); after == before || !strings.HasPrefix(after, "a0n") {
			t.Errorf("the arrow leads from %s to %s", before, after)
		}
		b.run(chromedp.KeyEvent(kb.Escape))
		if value[bool](b, `document.querySelector("#a0 svg").classList.contains("lit")`) {
			t.Error("Escape does not let go")
		}
	})
	t.Run("copy", func(t *testing.T) {
		if err := chromedp.Run(b.ctx, browser.GrantPermissions([]browser.PermissionType{browser.PermissionTypeClipboardReadWrite,
			browser.PermissionTypeClipboardSanitizedWrite})); err != nil {
			t.Fatal(err)
		}
		b.run(chromedp.Click("#copy", chromedp.ByQuery))
		got := value[string](b, `new Promise(done => {
			const wait = setInterval(() => { if (document.querySelector("#copied").textContent) { clearInterval(wait); done(); } }, 20);
		}).then(() => navigator.clipboard.readText())`)
		if want := value[string](b, `document.querySelector("#markdown").textContent`); got != want || !strings.Contains(got, value[string](b, `document.querySelector("h1").textContent`)) {
			t.Errorf("copied %q, want %q", got, want)
		}
		if said := value[string](b, `document.querySelector("#copied").textContent`); said != "Copied." {
			t.Errorf("it says %q", said)
		}
	})
	for _, width := range []int64{360, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.open(file, width, scheme)
			b.run(chromedp.Evaluate(`for (const d of document.querySelectorAll("details")) d.open = true; document.querySelector("#a0-unfold").click()`, nil))
			if w := value[int64](b, `document.documentElement.scrollWidth`); w > width {
				t.Errorf("at %d CSS pixels the page is %d wide", width, w)
			}
			for _, low := range value[[]string](b, lowContrast) {
				t.Errorf("%s: %s", scheme, low)
			}
		}
	}
	b.quiet()
	t.Run("without JavaScript", func(t *testing.T) {
		b.run(emulation.SetScriptExecutionDisabled(true))
		b.open(file, 1280, "light")
		if value[int](b, `document.querySelectorAll("#copy:not([hidden]), .find:not([hidden])").length`) > 0 {
			t.Error("what needs JavaScript is shown")
		}
		folded := hiddenNodes(b)
		b.run(chromedp.Click("#a0-unfold", chromedp.ByQuery))
		if hidden := hiddenNodes(b); folded == 0 || hidden != 0 {
			t.Errorf("%d libraries folded, %d hidden after all were asked for", folded, hidden)
		}
		b.run(chromedp.Click(`#a0 .n.host rect`, chromedp.ByQuery))
		if !value[bool](b, `document.querySelector("#a0-libraries").open && document.querySelector("tr:target") !== null`) {
			t.Error("a library does not lead to its row in the table")
		}
	})
}

func hiddenNodes(b *tab) int {
	b.t.Helper()
	return value[int](b, `[...document.querySelectorAll("#a0 .n")].filter(n => getComputedStyle(n).display === "none").length`)
}

// neighbours checks that the graph has the plan's libraries, and marks what one leads to and what leads to it.
func neighbours(t *testing.T, b *tab, libraries []capsule.Library) {
	names := value[[]string](b, `[...document.querySelectorAll("#a0 .n title")].map(n => n.textContent)`)
	inside, up, down := map[string]int{}, make([][]int, len(libraries)), make([][]int, len(libraries))
	for i, l := range libraries {
		if i >= len(names) || names[i] != l.Soname {
			t.Fatalf("the graph has %v", names)
		}
		if l.Side != capsule.SideStub {
			inside[l.Soname] = i
		}
	}
	for i, l := range libraries {
		next := append(slices.Clone(l.Needs), l.Opens...)
		if l.Side == capsule.SideStub {
			next = []string{l.Soname}
		}
		for _, name := range next {
			if j, ok := inside[name]; ok {
				down[i], up[j] = append(down[i], j), append(up[j], i)
			}
		}
	}
	check := func(i int, how string) {
		t.Helper()
		want := reached(i, down)
		maps.Copy(want, reached(i, up))
		marked := value[[]string](b, `[...document.querySelectorAll("#a0 .n.on")].map(n => n.id)`)
		var wanted []string
		for j := range libraries {
			if want[j] {
				wanted = append(wanted, nodeID(j))
			}
		}
		slices.Sort(marked)
		slices.Sort(wanted)
		if !slices.Equal(marked, wanted) {
			t.Errorf("%s %s marks %v, want %v", how, libraries[i].Soname, marked, wanted)
		}
	}
	b.run(chromedp.Click("#a0-unfold", chromedp.ByQuery))
	defer b.run(chromedp.Click("#a0-unfold", chromedp.ByQuery))
	for i := range libraries {
		b.run(chromedp.Evaluate(`document.getElementById("`+nodeID(i)+`").focus()`, nil))
		check(i, "focus on")
	}
	b.run(chromedp.Evaluate(`document.activeElement.blur()`, nil))
	for i, l := range libraries {
		if strings.HasPrefix(l.Soname, "libGL") || l.Side == capsule.SideRuntime && strings.HasPrefix(l.Soname, "libX11") {
			b.mouse("#" + nodeID(i) + " rect")
			check(i, "pointing at")
			lines := value[[][2]string](b, `[...document.querySelectorAll("#a0 .e.on")].filter(e => getComputedStyle(e).visibility === "visible").map(e => [e.dataset.a, e.dataset.b])`)
			for _, ends := range lines {
				for _, end := range ends {
					if !value[bool](b, `document.getElementById(%s).classList.contains("on")`, end) {
						t.Errorf("of %s a line is marked that leads to %s", l.Soname, end)
					}
				}
			}
			if len(lines) == 0 {
				t.Errorf("of %s no line is marked", l.Soname)
			}
			if said := value[string](b, `document.querySelector("#a0 .info").textContent`); !strings.Contains(said, l.Reason) || !strings.Contains(said, l.Path) {
				t.Errorf("of %s is told: %s", l.Soname, said)
			}
		}
	}
	b.mouse("h1")
	if value[bool](b, `document.querySelector("#a0 svg").classList.contains("lit")`) {
		t.Error("a library is marked though nothing points at it")
	}
}

func nodeID(i int) string { return "a0n" + strconv.Itoa(i) }

func reached(from int, lines [][]int) map[int]bool {
	seen := map[int]bool{from: true}
	for todo := []int{from}; len(todo) > 0; todo = todo[1:] {
		for _, j := range lines[todo[0]] {
			if !seen[j] {
				seen[j] = true
				todo = append(todo, j)
			}
		}
	}
	return seen
}

// lowContrast lists texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3).
const lowContrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const parse = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
	const luminance = (c) => { const [r, g, b] = c.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
	const page = parse(getComputedStyle(document.body).backgroundColor);
	const out = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let seen = 0;
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.textContent.trim() || e.closest("script, style, title") || !e.checkVisibility()) continue;
		seen++;
		const style = getComputedStyle(e);
		const front = parse(e.namespaceURI.endsWith("svg") ? style.fill : style.color);
		let back = page;
		const shape = e.closest(".n")?.querySelector("rect");
		if (shape) back = parse(getComputedStyle(shape).fill);
		else for (let p = e; p; p = p.parentElement) { const c = parse(getComputedStyle(p).backgroundColor); if (c[3] === 255) { back = c; break; } }
		const [a, b] = [luminance(front), luminance(back)].sort((x, y) => y - x);
		const ratio = (a + .05) / (b + .05);
		if (ratio < 4.5) out.add(ratio.toFixed(2) + " of " + e.nodeName + "." + (e.getAttribute("class") || "") + ": " + walk.currentNode.textContent.trim().slice(0, 40));
	}
	if (seen < 100) out.add("only " + seen + " texts were looked at");
	return [...out].slice(0, 20);
})()`

// TestHostilePage: what drivers and file names say is text in a real browser, too, and long words break.
func TestHostilePage(t *testing.T) {
	hostile := `<img src=x onerror=alert(1)></script><script>alert(2)</script>"onload="alert(3)]]>` + "\u202e" + strings.Repeat("W", 600)
	d := &report.Drawing{Device: hostile, Version: hostile, Driver: hostile + "other", Devices: []string{hostile, hostile}, Facts: []string{hostile},
		Libraries: []string{hostile}}
	failed := &report.Drawing{Error: hostile, Step: hostile, Output: []string{hostile}}
	r := &report.Report{Version: hostile, Created: hostile, Machine: report.Machine{System: hostile, Processor: hostile},
		Runtime:  report.Runtime{Dir: hostile, System: hostile},
		Findings: []report.Finding{{Severity: report.Problem, API: hostile, What: hostile, Hint: hostile}},
		Scenes: []report.Scene{{Arch: "x86_64", API: hostile, Name: hostile, Platform: hostile, Boundary: hostile, BoundaryReason: hostile,
			Verdict: report.CapsuleFails, Native: d, Capsule: failed}, {Arch: hostile, API: "GL", Name: "b", Verdict: report.Same, Native: d, Capsule: d},
			{Name: hostile, Verdict: report.Absent}, {Verdict: report.Verdict(hostile)}},
		Plan: &capsule.Plan{Environment: map[string]string{hostile: hostile}, Path: []string{hostile}, Differences: []string{hostile},
			Mounts:  []mount.Op{{Kind: mount.Bind, Source: hostile, Target: hostile, Why: hostile}},
			Devices: &hostgpu.Devices{GPUs: []*hostgpu.GPU{{Name: hostile, Driver: hostile, Notes: []string{hostile}, Nodes: []*hostgpu.Node{{Path: hostile, Problem: hostile, Hint: hostile}}}}}},
	}
	a := &capsule.ArchPlan{Arch: hostile, Warnings: []string{hostile + "!"}, Boundaries: []capsule.BoundaryDecision{{API: hostile, Boundary: hostile, Reason: hostile}}}
	for _, side := range []capsule.Side{capsule.SideStub, capsule.SideHost, capsule.SideRuntime} {
		a.Libraries = append(a.Libraries, capsule.Library{Soname: hostile, Side: side, Path: hostile, Reason: hostile, Found: hostile, Needs: []string{hostile}, Data: []string{hostile}})
	}
	a.Symbols.Missing = []capsule.Bridged{{Symbol: hostile, Version: hostile, Library: hostile, Answer: hostile, NeededBy: []string{hostile}}}
	r.Plan.Architectures = []*capsule.ArchPlan{a}
	file := filepath.Join(t.TempDir(), "page.html")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(page.Write(out, r), out.Close()); err != nil {
		t.Fatal(err)
	}
	b := browse(t)
	for _, width := range []int64{360, 1280} {
		b.open(file, width, "dark")
		b.run(chromedp.Evaluate(`for (const d of document.querySelectorAll("details")) d.open = true; document.querySelector(".n.host").focus()`, nil))
		if w := value[int64](b, `document.documentElement.scrollWidth`); w > width {
			t.Errorf("at %d CSS pixels the page is %d wide", width, w)
		}
		if told := value[string](b, `document.querySelector(".info").textContent`); !strings.Contains(told, "<img src=x onerror=alert(1)>") {
			t.Errorf("of the library is told: %.200s", told)
		}
		if n := value[int](b, `document.scripts.length + document.querySelectorAll("img, image").length`); n != 1 {
			t.Errorf("%d scripts and pictures", n)
		}
	}
	b.quiet()
}
