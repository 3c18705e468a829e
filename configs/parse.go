package configs

import (
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/capsule-run/capsule-run/internal/tomlfile"
)

// header is a line [[NAME]] or [NAME] of a file. The decoder does not keep where tables are.
type header struct {
	name string
	line int
}

// key returns the line of a key at the top.
func (c *checker) key(name string) int { return tomlfile.Line(c.text, toml.Key{name}) }

// table returns the line of a table that there is once.
func (c *checker) table(name string) int { return c.lineOf("", 0, name, 0) }

func headers(text string) []header {
	var out []header
	n := 0
	for l := range strings.Lines(text) {
		n++
		if name := headerOf(l); name != "" {
			out = append(out, header{name, n})
		}
	}
	return out
}

// headerOf is the name of the table that a line opens, as toml.Key writes it, empty if it opens none: [[ "family" . modules ]]
// is family.modules.
func headerOf(l string) string {
	l, _, _ = strings.Cut(l, "#")
	l = strings.TrimSpace(l)
	name, ok := strings.CutPrefix(l, "[")
	if !ok || !strings.HasSuffix(l, "]") || strings.Contains(l, "=") {
		return ""
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	parts := strings.Split(strings.TrimSuffix(name, "]"), ".")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t\"'")
	}
	return strings.Join(parts, ".")
}

// lineOf returns the line of the n-th table of a name, counted within the m-th of its parent's.
func (c *checker) lineOf(parent string, m int, name string, n int) int {
	within, at := -1, -1
	for _, h := range c.at {
		switch {
		case parent != "" && h.name == parent:
			within, at = within+1, -1
		case h.name == name && (parent == "" || within == m):
			if at++; at == n {
				return h.line
			}
		}
	}
	return 1
}
