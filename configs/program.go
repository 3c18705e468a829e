package configs

import (
	"fmt"
	"path"
	"strings"
)

// Program is a program of a driver that users expect beside its libraries.
type Program struct {
	Name string `toml:"name"`
	// Paths are where hosts have it; the first one that is there counts.
	Paths []string `toml:"paths"`
	// Libraries are patterns of SONAMEs: without such a library in the stack nobody wants the program.
	Libraries []string `toml:"libraries"`
	Why       string   `toml:"why"`
	Remove    bool     `toml:"remove"`
}

func (p *Program) wrong() string {
	if p.Name == "" || p.Name == "." || p.Name == ".." || strings.ContainsAny(p.Name, "/\x00") {
		return "the name is not a file name"
	}
	if p.Remove {
		return ""
	}
	if len(p.Paths) == 0 || p.Why == "" {
		return "paths and a reason (why) are needed"
	}
	for _, at := range p.Paths {
		if !path.IsAbs(at) || path.Clean(at) != at {
			return fmt.Sprintf("%q is not an absolute, clean path", at)
		}
	}
	for _, l := range p.Libraries {
		if _, err := path.Match(l, ""); err != nil {
			return fmt.Sprintf("pattern %q: %v", l, err)
		}
	}
	return ""
}
