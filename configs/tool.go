package configs

import (
	"path"
	"slices"
	"strings"
)

// Tool is a program of the host that drivers start by an absolute path, as a process of its own. It runs with the
// host's libraries, all of them: no object of that process is the game's.
type Tool struct {
	// Path may have wildcards in its components, for a program with a release in its name.
	Path string `toml:"path"`
	Why  string `toml:"why"`
	// Libraries are patterns of SONAMEs: without such a library in the stack nobody starts the program.
	Libraries []string `toml:"libraries"`
	// Files are what it reads: absolute paths, which may have wildcards in their components.
	Files []string `toml:"files"`
	// Arguments go behind the driver's. In them $ROOT is the directory that has the program, its libraries and Files, each
	// below its path on the host.
	Arguments []string `toml:"arguments"`
	// DirectoryArgument is put before each directory of Files, which makes one argument more.
	DirectoryArgument string `toml:"directory-argument"`
	Remove            bool   `toml:"remove"`
}

func (p *Tool) wrong() string {
	if p.Remove {
		return ""
	}
	if !path.IsAbs(p.Path) || path.Clean(p.Path) != p.Path || p.Why == "" || len(p.Libraries) == 0 {
		return "an absolute, clean path, a reason (why) and libraries are needed"
	}
	for _, f := range p.Files {
		if !path.IsAbs(f) || path.Clean(f) != f {
			return "files: " + f + " is not an absolute, clean path"
		}
	}
	for _, pattern := range slices.Concat(p.Libraries, p.Files, []string{p.Path}) {
		if _, err := path.Match(pattern, ""); err != nil {
			return "pattern " + pattern + ": " + err.Error()
		}
	}
	for _, a := range append(p.Arguments, p.Path, p.DirectoryArgument) {
		if strings.ContainsAny(a, "\x00\n") {
			return "a line break in an argument"
		}
	}
	return ""
}
