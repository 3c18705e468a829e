package mount

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// outcome is what a probe of a kernel feature says.
type outcome int

const (
	unknown outcome = iota // could not tell: a filter or a missing right answered in the call's place
	there
	absent
)

// probeNew asks for each call of the new mount API in a way that cannot have an effect: with a descriptor that is
// none, a call that exists answers EBADF.
func probeNew() (outcome, string) {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	for _, p := range [...]struct {
		name string
		call func() error
	}{
		{"open_tree", func() error {
			_, err := unix.OpenTree(-1, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLOEXEC)
			return err
		}},
		{"move_mount", func() error {
			return unix.MoveMount(-1, "", -1, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
		}},
		// The youngest of them, Linux 5.12. It looks at the descriptor only when there is something to change.
		{"mount_setattr", func() error { return unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &attr) }},
	} {
		switch err := p.call(); {
		case err == nil || errors.Is(err, unix.EBADF):
		case errors.Is(err, unix.ENOSYS):
			return absent, p.name
		default:
			return unknown, p.name
		}
	}
	return there, ""
}

// choose returns the implementation for api.
func choose(api API) (calls, error) {
	if api == Old {
		return openOld()
	}
	got, name := probeNew()
	switch {
	case got == there:
		return newCalls{}, nil
	case api == Auto:
		return openOld()
	case got == absent:
		return nil, fmt.Errorf("%s: %w", name, unix.ENOSYS)
	}
	return nil, fmt.Errorf("%s: the kernel does not say whether it has it: %w", name, unix.EPERM)
}
