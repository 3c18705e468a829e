// Package table lays text out for a terminal: columns, colours for words that say how something is, lines broken at the
// terminal's width. It exists so that `inspect` and `doctor` look alike. It reads nothing and knows no report.
package table

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// Style is how a terminal wants its text.
type Style struct {
	// Width in columns at which the last column of a table is broken; 0: never.
	Width int
	// Colored says that the terminal knows SGR sequences (ECMA-48, 8.3.117).
	Colored bool
}

// codes are SGR parameters: red for what does not work, yellow for what should be looked at.
var codes = map[string]string{"usable": "32", "missing": "31", "foreign": "31", "unverified": "31", "no-access": "33", "unused": "2",
	"same": "32", "differs": "33", "fails": "31", "works": "32", "problem": "31", "warning": "33"}

// Color of a word that says how something is.
func (s Style) Color(word string) string {
	if code := codes[word]; code != "" && s.Colored {
		return "\x1b[" + code + "m" + word + "\x1b[0m"
	}
	return word
}

// Bold is for headings.
func (s Style) Bold(text string) string {
	if s.Colored {
		return "\x1b[1m" + text + "\x1b[0m"
	}
	return text
}

// Table aligns columns. Unlike text/tabwriter's, its last column is broken between words at the terminal's width, below
// itself, and a word may have a color.
type Table struct {
	Head []string
	rows [][]string
}

// Row adds one. What a terminal would obey becomes a question mark.
func (t *Table) Row(cells ...string) {
	for i, c := range cells {
		cells[i] = fault.Printable(c)
	}
	t.rows = append(t.rows, cells)
}

const (
	gap = 2
	// least is the width that a last column is broken to in any case: narrower is unreadable.
	least = 24
)

// Empty says that there is nothing to print.
func (t *Table) Empty() bool { return len(t.rows) == 0 }

// Print writes the table, nothing if it has no rows.
func (t *Table) Print(w io.Writer, s Style) {
	if len(t.rows) == 0 {
		return
	}
	widths := make([]int, len(t.Head))
	for _, r := range append([][]string{t.Head}, t.rows...) {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	indent := gap
	for _, n := range widths[:len(widths)-1] {
		indent += n + gap
	}
	// Where too little room is left, the last column has lines of its own.
	narrow := s.Width > 0 && s.Width-indent < least
	if narrow {
		indent = 4 * gap
	}
	line := func(cells []string, paint func(string) string) {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", gap))
		for i, c := range cells[:len(cells)-1] {
			b.WriteString(paint(c) + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+gap))
		}
		for i, part := range Break(cells[len(cells)-1], s.Width, indent) {
			if i > 0 || narrow {
				fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
				b.Reset()
				b.WriteString(strings.Repeat(" ", indent))
			}
			b.WriteString(paint(part))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(t.Head, s.Bold)
	for _, r := range t.rows {
		line(r, s.Color)
	}
}

// Break breaks a text between words so that it fits behind the indent.
func Break(text string, width, indent int) []string {
	room := max(width-indent, least)
	if width == 0 || utf8.RuneCountInString(text) <= room {
		return []string{text}
	}
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			out = append(out, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}
