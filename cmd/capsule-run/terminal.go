package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/table"
)

// style is how a file wants a report: broken and coloured on a terminal only. NO_COLOR is https://no-color.org.
func style(f *os.File) table.Style {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || !isTerminal(f) {
		return table.Style{}
	}
	return table.Style{Width: int(size.Col), Colored: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// output remembers that something could not be written: a report of which a full disk has taken half is none.
type output struct {
	to  *os.File
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
