package hook

import (
	"errors"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
)

// hintTree is for what stands in the way in the container's file tree.
const hintTree = "use an image in which /run, /run/capsule, /etc and /etc/ld.so.cache are ordinary directories and files, or absent, " +
	"and /dev has nothing else where the GPU's nodes go"

// explain gives errors of the shared stages hints that fit a container: theirs speak of the launcher's flags. otherwise is
// for the errors that it does not know.
func explain(err error, otherwise string) error {
	for _, e := range []struct {
		is   error
		hint string
	}{
		{runtimetree.ErrMusl, "the host's driver needs glibc: use an image on Debian, Ubuntu, Fedora or the like, or start without GPU"},
		{runtimetree.ErrNoLoader, "the image has no dynamic loader, so nothing in it can use a driver: start it without GPU"},
		{runtimetree.ErrNoLibc, "the image has no C library, so nothing in it can use a driver: start it without GPU"},
		{runtimetree.ErrArchitecture, "use an image for this machine's architecture, or start it without GPU"},
		{hostlibs.ErrNoStack, "install the host's graphics driver for the image's architecture, or start the container without GPU"},
		{capsule.ErrBoundary, "set hook.boundary to frontend or auto in the configuration"},
	} {
		if errors.Is(err, e.is) {
			return fault.WithHint(err, e.hint)
		}
	}
	if err != nil && otherwise != "" {
		return fault.WithHint(err, otherwise)
	}
	return err
}
