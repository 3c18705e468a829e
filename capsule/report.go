package capsule

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// GlibcVersion returns the highest GLIBC_2.x that a libc defines, as "2.x".
func GlibcVersion(defs []dynelf.VersionDef) string {
	best := -1
	for _, d := range defs {
		minor, ok := strings.CutPrefix(d.Name, "GLIBC_2.")
		if !ok {
			continue
		}
		minor, _, _ = strings.Cut(minor, ".")
		if n, err := strconv.Atoi(minor); err == nil && n > best {
			best = n
		}
	}
	if best < 0 {
		return ""
	}
	return "2." + strconv.Itoa(best)
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
		name := m.Symbol
		if m.Version != "" {
			name += "@" + m.Version
		}
		p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("%s of %s, which %s may call, is not in the runtime and has no polyfill: %s",
			name, m.Library, english(m.NeededBy), m.Answer))
	}
}
