package confine

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Thread is a thread with a mount namespace and a working directory of its own. Everything else of the process,
// descriptors above all, it shares; so files are opened and examined outside, and only what the kernel ties to the
// namespace (opening its root, moving mounts) is done inside.
type Thread struct {
	work chan func()
}

// Here starts a thread that stays in the process's mount namespace.
func Here() (*Thread, error) { return start(nil) }

// Join starts a thread in the mount namespace behind ns, a file of /proc/PID/ns.
func Join(ns *os.File) (*Thread, error) { return start(ns) }

func start(ns *os.File) (*Thread, error) {
	t := &Thread{make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine, and nothing else ever runs on it
		// The kernel lets no thread into a mount namespace that shares root and working directory with another.
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil && ns != nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS)
		}
		ready <- err
		if err != nil {
			return
		}
		for f := range t.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("enter the container's mount namespace: %w", err)
	}
	return t, nil
}

// Do runs f in the thread and returns its error.
func (t *Thread) Do(f func() error) error {
	done := make(chan error)
	t.work <- func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			done <- err
		}()
		err = f()
	}
	return <-done
}

// Close ends the thread.
func (t *Thread) Close() { close(t.work) }
