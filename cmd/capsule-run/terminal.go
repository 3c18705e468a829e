package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inspection"
)

// style is how a file wants a report: broken and coloured on a terminal only. NO_COLOR is https://no-color.org.
func style(f *os.File) inspection.Style {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || !isTerminal(f) {
		return inspection.Style{}
	}
	return inspection.Style{Width: int(size.Col), Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
