package hostlibs

import (
	"fmt"
	"path"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// otherLibc are names of C libraries that a process cannot have besides the runtime's: musl's, as Alpine and as Void name
// it, and its loader.
var otherLibc = []string{"libc.musl-*.so.1", "ld-musl-*.so.1", "libc.so"}

// checkLibc refuses a stack that needs another C library than glibc. One musl driver among others would be loaded with a
// second libc, and fail in ways that nobody could explain.
func (d *discovery) checkLibc() error {
	for _, l := range d.all {
		if len(l.Uses) == 0 && l.Role != RoleRequested {
			continue
		}
		for _, name := range l.File.Needed {
			if matchesAny(otherLibc, name) {
				return fault.WithHint(fmt.Errorf("host library %s: %w, and not glibc (it needs %s)", d.outside(l.Path), ErrLibc, path.Base(name)),
					"a host with musl has no drivers that a glibc program could load: give --host a tree of a glibc distribution")
			}
		}
	}
	return nil
}
