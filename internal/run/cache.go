package run

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// cache returns where builds and runtimes are kept.
func (o *Options) cache() (*private.Cache, error) {
	if o.kept != nil {
		return o.kept, nil
	}
	c, err := private.Find(o.Getenv)
	if err != nil {
		dir, _ := private.CacheDir(o.Getenv)
		return nil, cacheError(err, dir)
	}
	o.kept = c
	return c, nil
}

// tellPlace says, once, where builds and runtimes are if it is not the user's own cache, since
// others could have written that and what is in it is run.
func (o *Options) tellPlace() {
	c := o.kept
	if c.Instead == nil || o.toldKept {
		return
	}
	o.toldKept = true
	o.Done()
	fmt.Fprintf(os.Stderr, "capsule-run: warning: the cache is not used: %s; using %s for a while instead (%s)\n",
		fault.OneLine(c.Instead.Error()), fault.OneLine(c.Dir), fault.OneLine(sharedHint(c.Instead)))
}

// builds is the store of builds.
func (o *Options) builds() (*build.Store, error) {
	c, err := o.cache()
	if err != nil {
		return nil, err
	}
	s := build.NewStore(c.Builds())
	s.Lasting = c.Lasting
	return s, nil
}

// sharedHint says what to do where others can write to the cache, or have written it. What is wrong
// has its own hint where it is on the way.
func sharedHint(err error) string {
	const own = "set XDG_CACHE_HOME to a directory of your own"
	if hint := fault.Hint(err); hint != "" {
		return hint + ", or " + own
	}
	return own
}

const hintTooLarge = "the runtime is damaged, or made to cost time or memory: take it from another source"

// cacheError explains what cannot be written.
func cacheError(err error, dir string) error {
	switch {
	case build.IsTooLarge(err):
		return fault.WithHint(err, hintTooLarge)
	case errors.Is(err, private.ErrNoCacheDir):
		return fault.WithHint(err, "set HOME, or XDG_CACHE_HOME to a directory that you can write to")
	case errors.Is(err, trust.ErrShared):
		return fault.WithHint(fmt.Errorf("the cache is not used: %w", err), sharedHint(err))
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return fault.WithHint(err, "free some space there, or set XDG_CACHE_HOME to a directory on another file system")
	case errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return fault.WithHint(err, "set XDG_CACHE_HOME to a directory that you can write to ("+dir+" is not)")
	}
	// A file in a directory's place, a name too long, a disk with faults: the error says which.
	return fault.WithHint(err, "set XDG_CACHE_HOME to another directory, or make "+dir+" usable")
}
