package page

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// spellOut writes each character that shows nothing of its own as an escape that can be read: control characters, and
// those that turn or hide the text around them (right-to-left overrides, zero-width joiners). It is done to the whole page,
// so that no value can be forgotten; the page's own text has none of them.
func spellOut(page []byte) []byte {
	if bytes.IndexFunc(page, invisible) < 0 && utf8.Valid(page) {
		return page
	}
	out := make([]byte, 0, len(page)+64)
	for len(page) > 0 {
		r, n := utf8.DecodeRune(page)
		switch {
		case r == utf8.RuneError && n == 1:
			out = utf8.AppendRune(out, utf8.RuneError)
		case invisible(r):
			for _, unit := range utf16.Encode([]rune{r}) { // as in JSON, which is on the page too
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		default:
			out = append(out, page[:n]...)
		}
		page = page[n:]
	}
	return out
}

func invisible(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == 0xfffe || r == 0xffff)
}

// plural is "1 library", "2 libraries".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// milliseconds with as many digits as mean something.
func milliseconds(ms float64) string {
	switch {
	case !(ms > 0): // not measured, or no number
		return ""
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	case ms < 100:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
}
