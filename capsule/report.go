package capsule

import (
	"fmt"
	"strings"

	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// GlibcVersion is the release of glibc that libraries are of, "2.41"; empty if there is none. library is as for
// dynelf.GlibcMinor.
func GlibcVersion(library func(soname string) *dynelf.File) string {
	if minor := dynelf.GlibcMinor(library); minor > 0 {
		return fmt.Sprintf("2.%d", minor)
	}
	return ""
}

// english joins a list for a sentence, cut short where nobody would read on.
func english(names []string) string {
	const most = 6
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// reportWarnings says what will not work, by name.
func (p *planner) reportWarnings() {
	p.plan.Warnings = append(p.plan.Warnings, p.in.Host.Problems...)
	for _, m := range p.plan.Symbols.Missing {
		p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("%s of %s, which %s may call, is not in the runtime and has no polyfill: %s",
			versioned(m.Symbol, m.Version), m.Library, english(m.NeededBy), m.Answer))
	}
}
