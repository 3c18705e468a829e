package steam

import (
	"errors"
	"fmt"
	"strings"
)

// node is an entry of a VDF file, Valve's text format KeyValues (developer.valvesoftware.com/wiki/KeyValues): a value, or
// a table of further entries. Keys may be there more than once.
type node struct {
	key, value string
	table      []node
	isTable    bool
}

func value(key, v string) node          { return node{key: key, value: v} }
func table(key string, in ...node) node { return node{key: key, table: in, isTable: true} }
func (n node) get(key string) (node, bool) {
	for _, child := range n.table {
		if strings.EqualFold(child.key, key) { // as the Steam client compares them
			return child, true
		}
	}
	return node{}, false
}

// encode writes an entry as Steam's own files are written: everything quoted, one tab a level.
func encode(n node) string {
	var b strings.Builder
	write(&b, n, 0)
	return b.String()
}

func write(b *strings.Builder, n node, depth int) {
	indent := strings.Repeat("\t", depth)
	if !n.isTable {
		fmt.Fprintf(b, "%s%s\t\t%s\n", indent, quote(n.key), quote(n.value))
		return
	}
	fmt.Fprintf(b, "%s%s\n%s{\n", indent, quote(n.key), indent)
	for _, child := range n.table {
		write(b, child, depth+1)
	}
	fmt.Fprintf(b, "%s}\n", indent)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`)

func quote(s string) string { return `"` + escapes.Replace(s) + `"` }

// maxDepth of tables within tables; the files that we read have four.
const maxDepth = 32

var errVDF = errors.New("not a VDF file")

// decode reads the entries of a file. Conditions behind a value ([$LINUX]) are not looked at.
func decode(text string) ([]node, error) {
	p := &parser{text: text, line: 1}
	out, err := p.entries(0)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", p.line, err)
	}
	return out, nil
}

type parser struct {
	text string
	line int
}

// entries of the file, or of a table until its end.
func (p *parser) entries(depth int) ([]node, error) {
	var out []node
	for {
		key, sign, err := p.token()
		switch {
		case err != nil:
			return nil, err
		case sign == 0 && depth == 0, sign == '}' && depth > 0:
			return out, nil
		case sign != '"' || depth >= maxDepth:
			return nil, errVDF
		}
		text, sign, err := p.token()
		n := node{key: key, value: text}
		if err == nil && sign == '{' {
			n.isTable = true
			n.table, err = p.entries(depth + 1)
		} else if err == nil && sign != '"' {
			err = errVDF
		}
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
}

// token returns a string, with the sign '"' even if it was not quoted, a brace, or the end with the sign 0.
func (p *parser) token() (text string, sign byte, err error) {
	for p.skip() {
	}
	if p.text == "" {
		return "", 0, nil
	}
	switch c := p.text[0]; c {
	case '{', '}':
		p.text = p.text[1:]
		return "", c, nil
	case '"':
		text, err = p.quoted()
		return text, '"', err
	}
	end := strings.IndexAny(p.text, " \t\r\n{}\"")
	if end < 0 {
		end = len(p.text)
	}
	text, p.text = p.text[:end], p.text[end:]
	return text, '"', nil
}

// skip leaves out a sign between tokens, a comment, or a condition; it returns false before a token.
func (p *parser) skip() bool {
	if p.text == "" {
		return false
	}
	n := 1
	switch c := p.text[0]; {
	case c == '\n':
		p.line++
	case c == ' ' || c == '\t' || c == '\r':
	case strings.HasPrefix(p.text, "//"):
		if n = strings.IndexByte(p.text, '\n'); n < 0 {
			n = len(p.text)
		}
	case c == '[':
		if n = strings.IndexAny(p.text, "]\n") + 1; n == 0 || p.text[n-1] == '\n' {
			return false
		}
	default:
		return false
	}
	p.text = p.text[n:]
	return true
}

func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '"':
			p.text = p.text[i+1:]
			return b.String(), nil
		case '\\':
			if i++; i == len(p.text) {
				return "", errVDF
			}
			switch p.text[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case '\n':
				p.line++
				fallthrough
			default:
				b.WriteByte(p.text[i])
			}
		case '\n':
			p.line++
			fallthrough
		default:
			b.WriteByte(c)
		}
	}
	return "", errVDF
}
