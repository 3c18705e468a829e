package configs

import (
	"fmt"
	"path"
	"strings"
)

// Opens says what a library opens with dlopen that does not show in it.
type Opens struct {
	// Library is a pattern of the opener's SONAME.
	Library string `toml:"library"`
	// Names are SONAMEs; $VERSION is what follows ".so." in the name of the opener's file.
	Names []string `toml:"names"`
	// SameVersion are patterns of what stands before ".so" in the names of files of the opener's version that lie in a
	// directory with it or in one that ld.so searches; Except are patterns likewise.
	SameVersion []string `toml:"same-version"`
	Except      []string `toml:"except"`
	Remove      bool     `toml:"remove"` // of all earlier ones for the same Library

	File string `toml:"-"`
}

// Constants say which names in drivers' read-only data are not what they open.
type Constants struct {
	Except  []string `toml:"except"`
	Largest int      `toml:"largest"` // MiB; of a dependency, not of a driver
	Off     bool     `toml:"off"`
}

func (o *Opens) wrong() string {
	if o.Library == "" || !o.Remove && len(o.Names) == 0 && len(o.SameVersion) == 0 {
		return "opens need a library, and names or same-version"
	}
	for _, n := range o.Names {
		if n == "" || strings.ContainsAny(n, "/\x00") {
			return fmt.Sprintf("%q is not a SONAME", n)
		}
	}
	return patterns(o.Library, o.SameVersion, o.Except)
}

func (c *Constants) wrong() string {
	if c.Largest < 0 {
		return "largest is below zero"
	}
	return patterns("x", c.Except)
}

func patterns(one string, more ...[]string) string {
	if _, err := path.Match(one, ""); err != nil {
		return fmt.Sprintf("pattern %q: %v", one, err)
	}
	for _, list := range more {
		for _, p := range list {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				return fmt.Sprintf("pattern %q is malformed", p)
			}
		}
	}
	return ""
}

// applyOpens adds what a later file says of libraries that open others.
func (r *Rules) applyOpens(o *Rules) {
	for _, n := range o.Opens {
		if !n.Remove {
			r.Opens = append(r.Opens, n)
			continue
		}
		var kept []Opens
		for _, have := range r.Opens {
			if have.Library != n.Library {
				kept = append(kept, have)
			}
		}
		r.Opens = kept
	}
	r.Constants.Except = union(r.Constants.Except, o.Constants.Except)
	if o.Constants.Largest > 0 {
		r.Constants.Largest = o.Constants.Largest
	}
	r.Constants.Off = r.Constants.Off || o.Constants.Off
}
