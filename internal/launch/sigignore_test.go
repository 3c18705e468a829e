package launch

import (
	"os/signal"

	"golang.org/x/sys/unix"
)

func sigIgnore(sig unix.Signal) func() {
	signal.Ignore(sig)
	return func() { signal.Reset(sig) }
}
