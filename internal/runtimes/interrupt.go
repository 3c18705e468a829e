package runtimes

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// errInterrupted says that a signal asked us to end while something was unpacked.
var errInterrupted = errors.New("interrupted")

// interruptions makes signals that ask us to end an error of whoever reads next, so that a half of a tree, gigabytes
// perhaps, is removed before we go. What was ignored when we started stays so (nohup).
type interruptions chan os.Signal

func catchInterruptions() interruptions {
	c := make(interruptions, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c
}

// end gives signals their usual effect again: another one ends us at once. One that came when all had been read already is
// an error too, since nobody else will hear of it.
func (c interruptions) end() error {
	signal.Stop(c) // waits for what is under way
	return c.pending()
}

func (c interruptions) pending() error {
	select {
	case s := <-c:
		code := fault.ExitFailure
		if n, ok := s.(syscall.Signal); ok {
			code = 128 + int(n)
		}
		return interrupted(code)
	default:
		return nil
	}
}

func interrupted(code int) error {
	return fault.WithExit(fault.WithHint(errInterrupted, "nothing is left of it: start again when you like"), code)
}

// interruptible is a stream that ends when we are asked to.
type interruptible struct {
	io.Reader
	by interruptions
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.by.pending(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
