package main

import (
	"fmt"
	"io"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// report prints an error the way the whole program does.
func report(w io.Writer, err error) { fmt.Fprint(w, fault.Text(err)) }
