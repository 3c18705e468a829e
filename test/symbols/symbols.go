// Package symbols lists the public symbols that glibc got after 2.28, for the tests that must not forget one. It reads
// its own list only; test/integration holds it against real trees.
package symbols

import (
	_ "embed"
	"strings"
)

//go:embed glibc.txt
var list string

// A Symbol of one of glibc's libraries. A name that got a new version is listed with the new one.
type Symbol struct {
	Library string // SONAME
	Version string // GLIBC_2.x
	Name    string
}

// All returns the list, sorted by library, release and name.
func All() []Symbol {
	var all []Symbol
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "#" {
			all = append(all, Symbol{f[0], f[1], f[2]})
		}
	}
	return all
}

// Of tells whether the named library got a symbol of that name.
func Of(library, name string) bool {
	for _, s := range All() {
		if s.Library == library && s.Name == name {
			return true
		}
	}
	return false
}
