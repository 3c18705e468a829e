package inspection

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
	// Color says that the terminal knows SGR sequences (ECMA-48, 8.3.117).
	Color bool
}

// color of a word that says how something is.
func (s Style) color(word string) string {
	codes := map[string]string{"usable": "32", "missing": "31", "foreign": "31", "unverified": "31", "no-access": "33", "unused": "2"}
	if code := codes[word]; code != "" && s.Color {
		return "\x1b[" + code + "m" + word + "\x1b[0m"
	}
	return word
}

func (s Style) bold(text string) string {
	if s.Color {
		return "\x1b[1m" + text + "\x1b[0m"
	}
	return text
}

// table aligns columns. Unlike text/tabwriter's, its last column is broken between words at the terminal's width, below
// itself, and a word may have a color.
type table struct {
	head []string
	rows [][]string
}

func (t *table) row(cells ...string) {
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

func (t *table) print(w io.Writer, s Style) {
	if len(t.rows) == 0 {
		return
	}
	widths := make([]int, len(t.head))
	for _, r := range append([][]string{t.head}, t.rows...) {
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
		for i, part := range breakText(cells[len(cells)-1], s.Width, indent) {
			if i > 0 || narrow {
				fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
				b.Reset()
				b.WriteString(strings.Repeat(" ", indent))
			}
			b.WriteString(paint(part))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(t.head, s.bold)
	for _, r := range t.rows {
		line(r, s.color)
	}
}

// breakText breaks a text between words so that it fits behind the indent.
func breakText(text string, width, indent int) []string {
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
