// Package docs checks what the documents say against what there is: links lead to files, and messages that are explained
// are messages of ours. It exists because nothing else fails when either changes.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

const top = "../.."

func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(top + "/docs/*.md")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d documents: %v", len(names), err)
	}
	out := map[string]string{}
	for _, name := range append(names, top+"/README.md", top+"/CONTRIBUTING.md", top+"/SECURITY.md", top+"/CHANGELOG.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", filepath.Base(name), m[1])
			}
		}
	}
}

// TestAnchors: what a link names behind # is a heading of the file that it leads to, as GitHub makes anchors of headings;
// and each heading of troubleshooting.md is there once, so that its anchor is its own.
func TestAnchors(t *testing.T) {
	all := documents(t)
	anchors := map[string]map[string]int{}
	for name, text := range all {
		anchors[filepath.Clean(name)] = map[string]int{}
		for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
			anchors[filepath.Clean(name)][anchor(m[1])]++
		}
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]*)#([^)]*)\)`)
	links := 0
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			links++
			to := filepath.Clean(name)
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(name), m[1])
			}
			if anchors[to][m[2]] == 0 {
				t.Errorf("%s: %s#%s leads nowhere", filepath.Base(name), m[1], m[2])
			}
		}
	}
	if links < 10 {
		t.Errorf("%d links have an anchor", links)
	}
	for a, n := range anchors[filepath.Clean(top+"/docs/troubleshooting.md")] {
		if n > 1 {
			t.Errorf("troubleshooting.md has %d headings %q", n, a)
		}
	}
}

func anchor(heading string) string {
	drop := func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}
	return strings.Map(drop, heading)
}

// Each test that SECURITY.md names for a promise is there.
func TestPromisesAreTested(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(documents(t)[top+"/SECURITY.md"], -1)
	if len(named) < 20 {
		t.Errorf("got %d tests in SECURITY.md, want one for each promise", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("SECURITY.md names %s, which no file has", m[1])
		}
	}
}
