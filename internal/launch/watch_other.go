//go:build !amd64

package launch

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Where the handler in assembly does not exist yet, os/signal has to do, and who sent a signal is guessed: what the
// keyboard can send is taken to come from it while our process group is the terminal's foreground. So a kill -INT of
// the launcher alone is lost while it is in the foreground of a terminal.

type watcher struct {
	ch   chan os.Signal
	done chan struct{}
}

// swallow leaves a signal that package os/signal cannot catch its default action.
func swallow(unix.Signal) {}

func ignored(sig unix.Signal) bool { return signal.Ignored(sig) }

func watch(sigs []unix.Signal, f func(event)) (*watcher, error) {
	w := &watcher{make(chan os.Signal, 256), make(chan struct{})}
	for _, sig := range sigs {
		signal.Notify(w.ch, sig)
	}
	go func() {
		defer close(w.done)
		for s := range w.ch {
			sig := s.(unix.Signal)
			f(event{sig: sig, kernel: fromKeyboard(sig)})
		}
	}()
	return w, nil
}

func fromKeyboard(sig unix.Signal) bool {
	switch sig {
	case unix.SIGWINCH, unix.SIGTTIN, unix.SIGTTOU:
		return true
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP:
	default:
		return false
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	pgrp, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && pgrp == unix.Getpgrp()
}

func (w *watcher) byDefault(sig unix.Signal) func() {
	if sig == unix.SIGSTOP {
		return func() {}
	}
	signal.Reset(sig)
	return func() { signal.Notify(w.ch, sig) }
}

func (w *watcher) close() {
	signal.Stop(w.ch)
	close(w.ch)
	<-w.done
}
