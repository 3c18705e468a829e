package doctor

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// failed words how a program ended that drew nothing.
func (o *outcome) failed(step string, limit time.Duration) *report.Drawing {
	e := &report.Drawing{Step: step, Output: lastLines(o.stderr)}
	what, _ := said(o.stderr)
	switch {
	case o.err != nil:
		e.Error = shorten(o.err.Error())
	case o.late:
		e.Error = fmt.Sprintf("it did not end within %v", limit)
	case o.signal != 0:
		e.Error = "ended by " + signalName(o.signal)
		if what != "" {
			e.Error += ": " + what
		}
	case what != "":
		e.Error = what
	case o.status != 0:
		e.Error = fmt.Sprintf("ended with status %d", o.status)
	default:
		e.Error = errNothingTold.Error()
	}
	return e
}

func signalName(n unix.Signal) string {
	if name := unix.SignalName(n); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(n))
}

// causes are what tells a line of standard error that says why a program ended: ours, libcapsule's, ld.so's and libc's.
var causes = []string{"capsule-run: error: ", "capsule: error: ", "symbol lookup error: ", "error while loading shared libraries: ",
	"Assertion `", "terminate called ", "stack smashing detected", "free(): ", "malloc(): ", "corrupted "}

// said finds the cause in what was printed, and the hint behind it.
func said(stderr []byte) (what, hint string) {
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	for _, l := range lines {
		for _, c := range causes {
			if i := strings.Index(l, c); i >= 0 && what == "" {
				what = shorten(strings.TrimPrefix(strings.TrimPrefix(l[i:], "capsule-run: error: "), "capsule: error: "))
			}
		}
		if h, ok := strings.CutPrefix(l, "capsule-run: hint: "); ok {
			hint = shorten(h)
		}
	}
	if what == "" {
		what = shorten(lines[len(lines)-1])
	}
	return what, hint
}

// maxLines of standard error are shown.
const maxLines = 12

func lastLines(stderr []byte) []string {
	text := strings.TrimSpace(string(stderr))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return list(lines[max(0, len(lines)-maxLines):], maxLines)
}
