package run

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/docker/go-units"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/runtimes"
)

// Runtimes is the store of unpacked archives and images, below the user's cache directory.
func (o *Options) Runtimes() (*runtimes.Store, error) {
	dir, err := build.CacheDir(o.Getenv)
	if err != nil {
		return nil, cacheError(err, "")
	}
	return runtimes.Open(filepath.Join(dir, "runtimes")), nil
}

// unpack makes Runtime the path of a file tree, whatever the user named. It is held until Release; a second call finds it
// done.
func (o *Options) unpack() error {
	switch {
	case o.Runtime == "":
		return errNoRuntime
	case o.held != nil:
		return nil
	}
	store, noStore := o.Runtimes()
	if noStore != nil {
		store = runtimes.Open("")
	}
	held, err := store.Acquire(o.Runtime, o.Unpacking())
	if errors.Is(err, runtimes.ErrNoStore) {
		return noStore
	}
	if err != nil {
		return err
	}
	o.Runtime, o.held = held.Dir, held
	return nil
}

// Release lets go of the runtime, which may then be removed from the store.
func (o *Options) Release() {
	if o.held != nil {
		o.held.Close()
		o.held = nil
	}
}

// Unpacking shows on the terminal how far the unpacking of an archive is, every tenth of a second.
func (o *Options) Unpacking() runtimes.Progress {
	var shown time.Time
	return func(what string, done, total int64) {
		if shown.IsZero() {
			o.verbose("unpacking %s", what)
		}
		if now := time.Now(); now.Sub(shown) >= 100*time.Millisecond {
			shown = now
			o.show(fmt.Sprintf("unpacking %s: %s of %s", filepath.Base(what), units.BytesSize(float64(done)), units.BytesSize(float64(total))))
		}
	}
}
