package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A message is one line, whatever names are in it, and tells a terminal nothing.
func TestText(t *testing.T) {
	err := WithHint(errors.New("open /a\nb\x1b[2J\x9b\u009b\x00c: no such file"), "look\tat it")
	const want = "capsule-run: error: open /a b?[2J\ufffd??c: no such file\ncapsule-run: hint: look at it\n"
	if got := Text(err); got != want {
		t.Errorf("%q", got)
	}
}

// A name in an archive may have a megabyte; what is wrong with it is told all the same.
func TestLongText(t *testing.T) {
	name := strings.Repeat("ä", 1<<19)
	for _, text := range []string{OneLine("open " + name + ": no such file"), Text(errors.New("open " + name + ": no such file"))} {
		if len(text) > maxLine+1000 || !utf8.ValidString(text) || !strings.Contains(text, "open ä") || !strings.Contains(text, "ä: no such file") {
			t.Errorf("got %d bytes: %.20q … %q", len(text), text, text[len(text)-100:])
		}
	}
	if text := strings.Repeat("x", maxLine); OneLine(text) != text {
		t.Errorf("got %d bytes, want %d", len(OneLine(text)), maxLine)
	}
}

// There is always something to do, and what was given comes first.
func TestSystemHint(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/x", Err: unix.ENOSPC}
	for _, c := range []struct {
		err  error
		hint string
	}{
		{full, "free some space on that file system"},
		{fmt.Errorf("write artefact: %w", full), "free some space on that file system"},
		{WithHint(full, "own"), "own"},
		{errors.New("odd"), fallback},
	} {
		if got, want := Text(c.err), "capsule-run: error: "+c.err.Error()+"\ncapsule-run: hint: "+c.hint+"\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := Printable("a\tb\nc\x7f\x1b[1m\u202etxt.os\u2066ß"); got != "a\tb\nc??[1m?txt.os?ß" {
		t.Errorf("%q", got)
	}
}
