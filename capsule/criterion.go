package capsule

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"

	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// Family is what a plan knows of an API.
type Family struct {
	Name string
	// Group names the families that must have the same boundary, because their loaders share state (libGLdispatch).
	Group string
	// Loaders are the SONAMEs that the runtime needs for the driver boundary, and Criteria what they must be able to do;
	// none: the API has no such boundary. BundledLoader: programs have the loader inside them.
	Loaders       []string
	Criteria      []Criterion
	BundledLoader bool
	// Layers says that its loader finds layers too.
	Layers bool
	// Optional: the front ends are loaders only, and not every host has a driver.
	Optional bool
}

// Criterion tells whether a loader of the runtime is new enough for the host's drivers. One of the three is set.
type Criterion struct {
	Loader  string
	Exports string // a symbol
	Needs   string // a DT_NEEDED
	// The number in the loader's file name must not be below the lowest in the names of a driver's symbols.
	LoaderFile, DriverSymbol *regexp.Regexp
	Why                      string
}

// unmet says why a criterion is not fulfilled; empty if it is. The runtime is known to have the loader.
func (p *planner) unmet(f *Family, c *Criterion) string {
	l := p.in.Runtime.Libraries[c.Loader]
	if l == nil {
		return "the runtime has no " + c.Loader
	}
	tooOld := fmt.Sprintf("the runtime's %s is too old (%s)", c.Loader, c.Why)
	switch {
	case c.Exports != "":
		if !slices.ContainsFunc(l.Exports, func(s dynelf.Symbol) bool { return s.Name == c.Exports }) {
			return tooOld
		}
	case c.Needs != "":
		if !slices.Contains(l.File.Needed, c.Needs) {
			return fmt.Sprintf("the runtime's %s does not need %s: %s", c.Loader, c.Needs, c.Why)
		}
	case c.LoaderFile != nil:
		has, ok := number(c.LoaderFile, path.Base(l.Path))
		if !ok {
			return fmt.Sprintf("how new the runtime's %s is cannot be told from its name, %s (%s)", c.Loader, path.Base(l.Path), c.Why)
		}
		for _, d := range p.drivers(f.Name) {
			if wants, ok := lowest(c.DriverSymbol, d.Exports); ok && wants > has {
				return fmt.Sprintf("the runtime's %s has interface %d, %s wants %d: %s", c.Loader, has, d.Name, wants, c.Why)
			}
		}
	}
	return ""
}

// number returns what a regular expression's first group says.
func number(re *regexp.Regexp, s string) (int, bool) {
	m := re.FindStringSubmatch(s)
	if len(m) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

func lowest(re *regexp.Regexp, exports []dynelf.Symbol) (best int, ok bool) {
	for i := range exports {
		if n, is := number(re, exports[i].Name); is && (!ok || n < best) {
			best, ok = n, true
		}
	}
	return best, ok
}
