package fault

import (
	"errors"
	"testing"
)

// A message is one line, whatever names are in it, and tells a terminal nothing.
func TestText(t *testing.T) {
	err := WithHint(errors.New("open /a\nb\x1b[2J\x9b\u009b\x00c: no such file"), "look\tat it")
	const want = "capsule-run: error: open /a b?[2J\ufffd??c: no such file\ncapsule-run: hint: look at it\n"
	if got := Text(err); got != want {
		t.Errorf("%q", got)
	}
}

func TestPrintable(t *testing.T) {
	if got := Printable("a\tb\nc\x7f\x1b[1m"); got != "a\tb\nc??[1m" {
		t.Errorf("%q", got)
	}
}
