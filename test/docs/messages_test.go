package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// gap stands in a message for what differs.
const gap = "…"

// messages are the texts of the commands' sources that a person may read: text with gaps, and where it is.
type messages struct {
	t *testing.T
	// named are package-level errors and constants by package and name: what `%w` and `+` mean.
	named map[string]string
	found map[string]string
}

// TestEveryMessageIsExplained walks the sources of both commands and of libcapsule. Each error that is made there, each
// one with a hint, each warning and note must have words in common with a pattern of troubleshooting.md, and each pattern
// must be such a message. What only gives the system's words a context ("open %s: %w") need not: those have a chapter.
func TestEveryMessageIsExplained(t *testing.T) {
	m := &messages{t: t, named: maps.Clone(standard), found: map[string]string{}}
	m.gather()
	if len(m.found) < 200 {
		t.Fatalf("only %d messages are found in the sources", len(m.found))
	}
	patterns := patterns(t)
	used := map[string]bool{}
	for _, text := range slices.Sorted(maps.Keys(m.found)) {
		where := m.found[text]
		hidden := slices.ContainsFunc(slices.Collect(maps.Keys(behind)), func(b string) bool { return strings.HasPrefix(where, b) })
		explained := hidden && !strings.Contains(text, "cannot be unpacked")
		for p, re := range patterns {
			// A sentinel alone is a part of what is said.
			if re.MatchString(text) || !strings.Contains(text, gap) && strings.Contains(p, text) {
				explained, used[p] = true, true
			}
		}
		if !explained && telling(text) {
			t.Errorf("%s: no pattern of troubleshooting.md is for %q", where, text)
		}
	}
	for p := range patterns {
		if !used[p] && !foreign(p) {
			t.Errorf("troubleshooting.md explains %q, which no source says", p)
		}
	}
}

// objects begin messages whose own words come behind.
var objects = regexp.MustCompile(`^(runtime|host|runtime library|host library)( …)?: |^runtime …`)

// telling says whether a text has a word of its own.
func telling(text string) bool {
	text = objects.ReplaceAllString(text, gap)
	return slices.ContainsFunc(strings.Split(text, gap), func(s string) bool {
		return len(strings.Trim(s, " :,.()\"'=/+-#")) > 3
	})
}

// foreign patterns are the words of others: the system's, ld.so's, pflag's, crun's, and what is seen.
func foreign(pattern string) bool { return slices.Contains(others, pattern) }

var others = []string{"unknown flag: …", "flag needs an argument: …", "invalid argument …", "version `GLIBC_…' not found",
	"too many open files", "read-only file system", "input/output error", "no space left on device", "disk quota exceeded",
	"operation not permitted", "permission denied", "error executing hook `…` (exit code: 1)"}

// standard are errors of Go's library.
var standard = map[string]string{"fs.ErrNotExist": "file does not exist", "fs.ErrPermission": "permission denied"}

// behind are sources whose errors stand behind another message that is explained, or that no one ever sees.
var behind = map[string]string{
	"internal/runtimes/mtree.go:":  "the runtime is damaged",
	"internal/ldcache/write.go:":   "generate ld.so.cache",
	"hook/confine/mountinfo.go:":   "the container's mount table, the kernel's",
	"internal/mount/mountinfo.go:": "/proc/self/mountinfo, the kernel's",
	"internal/layout/looks.go:":    "ends a walk",
	"internal/runtimes/source.go:": "puts a word before errors of the same package",
}

// patterns are the lines of code below the headings of troubleshooting.md; a heading is one itself if nothing is below it.
func patterns(t *testing.T) map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for _, p := range patternLines(documents(t)[top+"/docs/troubleshooting.md"]) {
		var parts []string
		for _, s := range strings.Split(strings.Trim(p, gap+": "), gap) {
			parts = append(parts, regexp.QuoteMeta(s))
		}
		expression := strings.Join(parts, ".*")
		if !telling(p) {
			expression = "^" + regexp.QuoteMeta(p) + "$" // that very message
		}
		out[p] = regexp.MustCompile(expression)
	}
	return out
}

func patternLines(text string) []string {
	var out []string
	heading := false
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\n")
		if strings.HasPrefix(l, "### ") {
			heading = true
			continue
		}
		if p, ok := strings.CutPrefix(l, "    "); ok && heading {
			out = append(out, p)
		} else if l != "" {
			heading = false // code further down is a command
		}
	}
	return out
}

// gather reads the packages that the commands are made of, and the C sources.
func (m *messages) gather() {
	const list = `{{if not .Standard}}{{.Dir}}{{end}}`
	out, err := exec.Command("go", "list", "-deps", "-f", list, "../../cmd/capsule-run", "../../cmd/capsule-hook").Output()
	if err != nil {
		m.t.Fatal(err)
	}
	root, err := filepath.Abs(top)
	if err != nil {
		m.t.Fatal(err)
	}
	var files []*ast.File
	set := token.NewFileSet()
	for _, dir := range strings.Fields(string(out)) {
		if !strings.HasPrefix(dir, root+"/") {
			continue
		}
		names, _ := filepath.Glob(dir + "/*.go")
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
			if err != nil {
				m.t.Fatal(err)
			}
			files = append(files, f)
		}
	}
	for range 2 { // a constant may be made of others
		for _, f := range files {
			m.names(f)
		}
	}
	for _, f := range files {
		m.file(f, set, root)
	}
	m.c(root)
}

// names collects package-level errors and constants.
func (m *messages) names(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for i, name := range v.Names {
				if i < len(v.Values) {
					if text := m.text(v.Values[i], f.Name.Name); text != gap {
						m.named[f.Name.Name+"."+name.Name] = text
					}
				}
			}
		}
	}
}

// text is what an expression says, with gaps.
func (m *messages) text(e ast.Expr, pkg string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, _ := strconv.Unquote(e.Value)
			return s
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return join(m.text(e.X, pkg) + m.text(e.Y, pkg))
		}
	case *ast.Ident:
		if s, ok := m.named[pkg+"."+e.Name]; ok {
			return s
		}
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			if s, ok := m.named[x.Name+"."+e.Sel.Name]; ok {
				return s
			}
		}
	case *ast.CallExpr:
		switch name(e.Fun) {
		case "errors.New", "fault.WithHint", "fault.WithExit":
			if len(e.Args) > 0 {
				return m.text(e.Args[0], pkg)
			}
		case "fmt.Sprintf", "fmt.Errorf", "o.note":
			return m.format(e.Args, pkg)
		}
	}
	return gap
}

var verb = regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z%]`)

// format puts into a format what is known of its arguments.
func (m *messages) format(args []ast.Expr, pkg string) string {
	if len(args) == 0 {
		return gap
	}
	next := 1
	return join(verb.ReplaceAllStringFunc(m.text(args[0], pkg), func(v string) string {
		if v == "%%" {
			return "%"
		}
		s := gap
		if next < len(args) {
			s = m.text(args[next], pkg)
		}
		next++
		if strings.HasSuffix(v, "q") {
			return `"` + gap + `"`
		}
		return s
	}))
}

func join(s string) string {
	for strings.Contains(s, gap+gap) {
		s = strings.ReplaceAll(s, gap+gap, gap)
	}
	return s
}

// name of what is called: f, x.f.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
		return "." + e.Sel.Name
	}
	return ""
}

// context says whether an error only tells what another one, which is not known here, came of.
func (m *messages) context(call *ast.CallExpr, pkg string) bool {
	if name(call.Fun) != "fmt.Errorf" || len(call.Args) == 0 {
		return false
	}
	next := 0
	for _, v := range verb.FindAllString(m.text(call.Args[0], pkg), -1) {
		if v == "%%" {
			continue
		}
		next++
		if strings.HasSuffix(v, "w") && next < len(call.Args) && m.text(call.Args[next], pkg) == gap {
			return true
		}
	}
	return false
}

// file enters what a file says.
func (m *messages) file(f *ast.File, set *token.FileSet, root string) {
	pkg := f.Name.Name
	enter := func(e ast.Expr) {
		at := set.Position(e.Pos())
		m.enter(m.text(e, pkg), strings.TrimPrefix(at.Filename, root+"/")+":"+strconv.Itoa(at.Line))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "makeNamespaces" { // words a message
				for _, s := range n.Body.List {
					ast.Inspect(s, func(n ast.Node) bool {
						if r, ok := n.(*ast.ReturnStmt); ok {
							enter(r.Results[0])
						}
						return true
					})
				}
			}
		case *ast.CallExpr:
			switch name(n.Fun) {
			case "errors.New", "fmt.Errorf":
				if !m.context(n, pkg) {
					enter(n)
				}
			case "fault.WithHint", "usage", "setup", "note":
				if len(n.Args) > 0 {
					enter(n.Args[0])
				}
			case "o.note":
				enter(n)
			case "d.found": // severity, API, what, hint
				if len(n.Args) > 2 {
					enter(n.Args[2])
				}
			case "append":
				if len(n.Args) == 2 && tells(n.Args[0]) {
					enter(n.Args[1])
				}
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if s, ok := l.(*ast.SelectorExpr); ok && (s.Sel.Name == "Msg" || s.Sel.Name == "Problem") && i < len(n.Rhs) {
					enter(n.Rhs[i])
				}
			}
		case *ast.KeyValueExpr:
			if k, ok := n.Key.(*ast.Ident); ok && (k.Name == "Msg" || k.Name == "What") {
				enter(n.Value)
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				text, _ := strconv.Unquote(n.Value)
				for _, s := range printed.FindAllStringSubmatch(text, -1) {
					at := set.Position(n.Pos())
					m.enter(join(verb.ReplaceAllString(s[1], gap)), strings.TrimPrefix(at.Filename, root+"/"))
				}
			}
		}
		return true
	})
}

// printed finds what is printed as a whole, in a shell script perhaps.
var printed = regexp.MustCompile(`capsule-run: (?:error|warning|note): ([^'\n]{4,})`)

// tells says whether what is appended to a list is for people.
func tells(list ast.Expr) bool {
	s, ok := list.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "Warnings" || s.Sel.Name == "Problems" || s.Sel.Name == "problems")
}

func (m *messages) enter(text, where string) {
	text = strings.Join(strings.Fields(text), " ")
	if _, ok := m.found[text]; !ok {
		m.found[text] = where
	}
}

// c enters what libcapsule and the capsule root may print.
func (m *messages) c(root string) {
	call := regexp.MustCompile(`(?s)\b(?:fatal|failure_set|polyfill_fatal)\(\s*((?:"(?:[^"\\]|\\.)*"[\s\\]*)+)`)
	literal := regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	err := filepath.WalkDir(root+"/cshim", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".c") && !strings.HasSuffix(name, ".h") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, c := range call.FindAllStringSubmatch(string(text), -1) {
			var all string
			for _, l := range literal.FindAllStringSubmatch(c[1], -1) {
				all += l[1]
			}
			all = strings.TrimPrefix(strings.TrimSuffix(all, `\n`), "capsule: error: ")
			m.enter(join(verb.ReplaceAllString(strings.ReplaceAll(all, "%zu", gap), gap)), strings.TrimPrefix(name, root+"/"))
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}
