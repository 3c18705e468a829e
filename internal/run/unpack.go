package run

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"

	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/runtimes"
)

// Runtimes is the store of unpacked archives and images that have names, below the user's own cache
// directory.
func (o *Options) Runtimes() (*runtimes.Store, error) {
	c, err := private.Look(o.Getenv)
	if err != nil {
		return nil, cacheError(err, "")
	}
	return runtimes.Open(c.Runtimes()), nil
}

// RuntimesToAdd is Runtimes, made if it is missing.
func (o *Options) RuntimesToAdd() *runtimes.Store {
	return runtimes.OpenWhere(func() (runtimes.Place, error) {
		p, err := o.place()
		if err == nil && p.Shared != nil { // what has a name is to stay
			return p, cacheError(p.Shared, "")
		}
		return p, err
	})
}

// place is where runtimes are unpacked.
func (o *Options) place() (runtimes.Place, error) {
	c, err := o.cache()
	if err != nil {
		return runtimes.Place{}, err
	}
	return runtimes.Place{Dir: c.Runtimes(), Shared: c.Instead, Lasting: c.Lasting, Used: o.tellPlace}, nil
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
	held, err := runtimes.OpenWhere(o.place).Acquire(o.Runtime, o.Unpacking())
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

// Unpacking shows a bar on the terminal while an archive is unpacked, every tenth of a second.
func (o *Options) Unpacking() runtimes.Progress {
	var shown time.Time
	return func(what string, done, total int64) {
		if shown.IsZero() {
			o.verbose("unpacking %s", what)
		}
		if now := time.Now(); o.Progress != nil && now.Sub(shown) >= 100*time.Millisecond {
			shown = now
			o.show(o.bar("capsule-run: unpacking "+filepath.Base(what), done, total))
		}
	}
}

// bar is a line that tells how much of what, in bytes, is done.
func (o *Options) bar(what string, done, total int64) string {
	const least, most = 10, 40 // its own width in columns
	percent := min(100*done/max(total, 1), 100)
	amount := fmt.Sprintf(" %3d%% of %s", percent, units.BytesSize(float64(total)))
	what = o.fitting(what, len(amount)+len(" []")+least)
	width := min(o.columns()-1-utf8.RuneCountInString(what)-len(" []")-len(amount), most)
	if width < least { // on a narrow terminal
		return what + amount
	}
	full := int(percent) * width / 100
	return what + " [" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]" + amount
}
