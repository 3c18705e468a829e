package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/doctor/page"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

func write(t testing.TB, r *report.Report) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := page.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	tree, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), tree
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data)
		}
	}
	return out.String()
}

// having returns the elements of a class, or of a name.
func having(tree *html.Node, what string) []*html.Node {
	var out []*html.Node
	for n := range tree.Descendants() {
		class, isClass := strings.CutPrefix(what, ".")
		if n.Type == html.ElementNode && (isClass && slices.Contains(strings.Fields(attr(n, "class")), class) || !isClass && n.Data == what) {
			out = append(out, n)
		}
	}
	return out
}

// TestPages checks of every kind of report that its page is sound.
func TestPages(t *testing.T) {
	for name, r := range reports() {
		t.Run(name, func(t *testing.T) {
			before, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			text, tree := write(t, r)
			sound(t, text, tree)
			again, _ := write(t, r)
			if text != again {
				t.Error("the same report makes another page")
			}
			if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
				t.Error("the report has changed")
			}
			if len(text) > 12<<20 {
				t.Errorf("the page has %d bytes", len(text))
			}
		})
	}
}

// allowed are the elements and attributes that a page is made of. Nothing of a report adds to them.
var allowed = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`html head meta title style script body a header footer nav main section article div span p ul li h1 h2 h3 dl dt dd
		table thead tbody tr th td details summary figure figcaption pre code strong em br button label input time
		svg g rect text path circle defs image use
		@lang @charset @http-equiv @content @name @class @id @href @aria-label @aria-hidden @aria-labelledby @aria-live @role @tabindex @hidden @type @open @scope
		@colspan @width @height @autocomplete @spellcheck @placeholder
		@x @y @rx @cx @cy @r @d @viewbox @viewBox @preserveaspectratio @preserveAspectRatio @data-a @data-b @data-to`) {
		allowed[name] = true
	}
}

// sound checks what holds for every page.
func sound(t testing.TB, page string, tree *html.Node) {
	t.Helper()
	ids := map[string]bool{}
	for n := range tree.Descendants() {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("a comment: %.60q", n.Data)
		case html.ElementNode:
			if !allowed[n.Data] {
				t.Errorf("element %s", n.Data)
			}
			for _, a := range n.Attr {
				if !allowed["@"+a.Key] {
					t.Errorf("attribute %s of %s", a.Key, n.Data)
				}
			}
			if id := attr(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("id %s twice", id)
				}
				ids[id] = true
			}
		}
	}
	pictures := map[string]bool{}
	for n := range tree.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if to := attr(n, "href"); n.Data == "image" {
			if !strings.HasPrefix(to, "data:image/png;base64,") || pictures[to] {
				t.Errorf("a picture from %.60q, or twice", to)
			}
			pictures[to] = true
		} else if to != "" && (to[0] != '#' || !ids[to[1:]]) {
			t.Errorf("%s leads to %.60q", n.Data, to)
		}
		for _, key := range []string{"aria-labelledby", "data-a", "data-b", "data-to"} {
			for _, id := range strings.Fields(attr(n, key)) {
				if !ids[id] {
					t.Errorf("%s of %s names %.60q, which is not there", key, n.Data, id)
				}
			}
		}
		if n.Data == "script" || n.Data == "style" {
			sum := sha256.Sum256([]byte(text(n)))
			if !strings.Contains(attr(having(tree, "meta")[1], "content"), base64.StdEncoding.EncodeToString(sum[:])) {
				t.Errorf("the policy does not allow this %s: %.80q", n.Data, text(n))
			}
		}
	}
	if scripts, styles := len(having(tree, "script")), len(having(tree, "style")); scripts != 1 || styles != 1 {
		t.Errorf("%d scripts, %d styles", scripts, styles)
	}
	if i := strings.IndexFunc(page, func(r rune) bool { return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf) }); i >= 0 {
		t.Errorf("an invisible character: %+q", page[max(0, i-20):i+20])
	}
}

// TestEverythingIsThere: each library is a node and a row, each finding is said, each scene has its card.
func TestEverythingIsThere(t *testing.T) {
	for _, name := range []string{"mesa", "both", "no stack", "driver", "failing", "circle"} {
		r := reports()[name]
		_, tree := write(t, r)
		var want, nodes, rows []string
		for _, a := range r.Plan.Architectures {
			for _, l := range a.Libraries {
				want = append(want, l.Soname)
			}
		}
		for _, n := range having(tree, ".n") {
			nodes = append(nodes, strings.Split(attr(n, "aria-label"), ",")[0])
			row := attr(n, "href")[1:]
			rows = append(rows, text(having(byID(tree, row), "th")[0]))
		}
		slices.Sort(want)
		slices.Sort(nodes)
		slices.Sort(rows)
		if !slices.Equal(nodes, want) || !slices.Equal(rows, want) {
			t.Errorf("%s: nodes %v, rows %v, want %v", name, nodes, rows, want)
		}
		if found := len(having(tree, ".finding")); found != len(r.Findings) {
			t.Errorf("%s: %d findings of %d", name, found, len(r.Findings))
		}
		whole := text(tree)
		for _, f := range r.Findings {
			if !strings.Contains(whole, f.What) || !strings.Contains(whole, f.Hint) {
				t.Errorf("%s: finding %q is not said", name, f.What)
			}
		}
		cards := 0
		for _, s := range r.Scenes {
			if s.Verdict != report.Absent {
				cards++
			}
		}
		if found := len(having(tree, ".card")); found != cards {
			t.Errorf("%s: %d cards for %d scenes", name, found, cards)
		}
	}
}

// TestJSON: what is on the page is the report, but for the pictures.
func TestJSON(t *testing.T) {
	for _, name := range []string{"mesa", "hostile", "empty", "failing"} {
		r := reports()[name]
		_, tree := write(t, r)
		var got report.Report
		if err := json.Unmarshal([]byte(text(byID(tree, "json"))), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range r.Scenes {
			for _, d := range []*report.Drawing{r.Scenes[i].Native, r.Scenes[i].Capsule} {
				if d != nil {
					d.PNG = nil
				}
			}
		}
		var same report.Report // by way of JSON, which has no invalid UTF-8
		want, err := json.Marshal(r)
		if err == nil {
			err = json.Unmarshal(want, &same)
		}
		if err == nil {
			want, err = json.Marshal(&same)
		}
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(&got); !bytes.Equal(want, again) {
			t.Errorf("%s: the page has\n%s\nof\n%s", name, again, want)
		}
	}
}

func byID(tree *html.Node, id string) *html.Node {
	for n := range tree.Descendants() {
		if n.Type == html.ElementNode && attr(n, "id") == id {
			return n
		}
	}
	return &html.Node{}
}

// TestLinesLeadAsThePlanSays: along the lines one comes to exactly what the plan says is needed or opened.
func TestLinesLeadAsThePlanSays(t *testing.T) {
	for _, name := range []string{"mesa", "driver", "circle"} {
		r := reports()[name]
		_, tree := write(t, r)
		libraries := r.Plan.Architectures[0].Libraries
		inside := map[string]int{}
		for i, l := range libraries {
			if l.Side != capsule.SideStub {
				inside[l.Soname] = i
			}
		}
		step := func(i int) (next []int) {
			l := libraries[i]
			names := append(slices.Clone(l.Needs), l.Opens...)
			if l.Side == capsule.SideStub {
				names = []string{l.Soname}
			}
			for _, n := range names {
				if j, ok := inside[n]; ok {
					next = append(next, j)
				}
			}
			return next
		}
		nodes := having(tree, ".n")
		at := map[string]int{}
		for i, n := range nodes {
			at[attr(n, "id")] = i
		}
		drawn := func(i int) (next []int) {
			for _, id := range strings.Fields(attr(nodes[i], "data-to")) {
				next = append(next, at[id])
			}
			return next
		}
		for i := range libraries {
			if want, got := reach(i, step), reach(i, drawn); !slices.Equal(want, got) {
				t.Errorf("%s: from %s to %v, want %v", name, libraries[i].Soname, got, want)
			}
		}
		if lines := len(having(tree, ".needs")); lines > 4*len(libraries) {
			t.Errorf("%s: %d lines for %d libraries: those that others imply are drawn", name, lines, len(libraries))
		}
	}
}

func reach(from int, step func(int) []int) []int {
	seen := map[int]bool{}
	for todo := []int{from}; len(todo) > 0; {
		i := todo[0]
		todo = todo[1:]
		for _, j := range step(i) {
			if !seen[j] {
				seen[j] = true
				todo = append(todo, j)
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

type refuses struct{}

var errRefused = errors.New("refused")

func (refuses) Write([]byte) (int, error) { return 0, errRefused }

func TestWritersError(t *testing.T) {
	if err := page.Write(refuses{}, mesa("x86_64")); !errors.Is(err, errRefused) {
		t.Errorf("error %v", err)
	}
}

// fill sets every string of a report.
func fill(r *report.Report, s string) { fillValue(reflect.ValueOf(r), s) }

func fillValue(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillValue(v.Elem(), s)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillValue(v.Field(i), s)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			fillValue(v.Index(i), s)
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(s), reflect.ValueOf(s))
	case reflect.String:
		switch v.Interface().(type) {
		case report.Verdict, capsule.Side: // else all would be of one kind
		default:
			v.SetString(s)
		}
	}
}

// FuzzWrite: whatever the strings of a report are, the page has the elements, attributes and scripts that it always has.
func FuzzWrite(f *testing.F) {
	for _, s := range hostileStrings {
		f.Add(s, []byte(s))
	}
	f.Add("plain", picture(2, 2, 1))
	f.Fuzz(func(t *testing.T, s string, png []byte) {
		r := mesa("x86_64")
		r.Scenes[0].Capsule.PNG = png
		r.Scenes[1].Verdict = report.Verdict(s)
		r.Plan.Architectures[0].Libraries[0].Side = capsule.Side(s)
		fill(r, s)
		page, tree := write(t, r)
		sound(t, page, tree)
		if n := len(having(tree, ".n")); n != len(r.Plan.Architectures[0].Libraries) {
			t.Errorf("%d nodes", n)
		}
	})
}
