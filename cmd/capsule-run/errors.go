package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// report prints an error the way the whole program does: one line that names the object, one that says what to do.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "capsule-run: error: %s\n", oneLine(err.Error()))
	if hint := fault.Hint(err); hint != "" {
		fmt.Fprintf(w, "capsule-run: hint: %s\n", oneLine(hint))
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
