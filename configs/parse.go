package configs

import "strings"

// header is a line [[NAME]] or [NAME] of a file. The decoder does not keep where tables are.
type header struct {
	name string
	line int
}

// table returns the line of a table that there is once.
func (c *checker) table(name string) int { return c.lineOf("", 0, name, 0) }

func headers(text string) []header {
	var out []header
	n := 0
	for l := range strings.Lines(text) {
		n++
		l, _, _ = strings.Cut(l, "#")
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "[[") && strings.HasSuffix(l, "]]"):
			out = append(out, header{strings.TrimSpace(l[2 : len(l)-2]), n})
		case strings.HasPrefix(l, "[") && strings.HasSuffix(l, "]") && !strings.Contains(l, "="):
			out = append(out, header{strings.TrimSpace(l[1 : len(l)-1]), n})
		}
	}
	return out
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
