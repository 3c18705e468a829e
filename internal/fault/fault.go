// Package fault gives errors what a person at a terminal needs besides the message: a hint that says what to do next,
// and the exit status. It exists so that any package can attach them where the cause is known, and whoever prints an error
// (cmd/capsule-run, hook/serve) words it alike. It never prints.
package fault

import (
	"errors"
	"strings"
	"unicode"
)

// Exit statuses, as env(1) and bubblewrap have them.
const (
	ExitFailure       = 1
	ExitUsage         = 2
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string    { return h.err.Error() }
func (h *hinted) Unwrap() error    { return h.err }
func (h *hinted) HintText() string { return h.hint }

// WithHint attaches what the user can do about err. A nil err stays nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// Advise is WithHint for an error that has no hint yet.
func Advise(err error, hint string) error {
	if Hint(err) != "" {
		return err
	}
	return WithHint(err, hint)
}

// Hint returns the outermost hint of an error, empty if nobody gave one.
func Hint(err error) string {
	var h interface{ HintText() string }
	if errors.As(err, &h) {
		return h.HintText()
	}
	return ""
}

type exit struct {
	error
	code int
}

func (e *exit) Unwrap() error { return e.error }
func (e *exit) ExitCode() int { return e.code }

// WithExit attaches an exit status.
func WithExit(err error, code int) error { return &exit{err, code} }

// ExitCode returns the status that an error asks for, ExitFailure by default.
func ExitCode(err error) int {
	var e interface{ ExitCode() int }
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	return ExitFailure
}

// Text is an error as a person sees it: one line that names the object, and one that says what to do.
func Text(err error) string {
	hint := Hint(err)
	if hint == "" {
		hint = systemHint(err)
	}
	return "capsule-run: error: " + OneLine(err.Error()) + "\ncapsule-run: hint: " + OneLine(hint) + "\n"
}

// OneLine makes one line of a text. Names of files are in it, which somebody else chose: what a terminal would obey
// becomes a question mark, and what is longer than anybody reads is cut in the middle.
func OneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine/2], "") + "…" + strings.ToValidUTF8(s[len(s)-maxLine/2:], "")
	}
	return Printable(s)
}

// maxLine is in bytes: two paths as long as may be, and what is said of them.
const maxLine = 10 << 10

// Printable does the same for a text of several lines and columns: line breaks and tabulators stay. What turns the direction of
// writing is obeyed too: it makes a name look like another.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}
