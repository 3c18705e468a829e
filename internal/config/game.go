package config

import (
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Game is what a section [game."PATTERN"] is matched against.
type Game struct {
	// Command is the command as it was given: a name, or an absolute and clean path. Empty if there is none.
	Command string
	// AppID is Steam's number of the game; empty outside of Steam.
	AppID string
}

const hintGame = "it is a command's name or path, where * is any part of a name and ** any directories, or Steam's number of the game"

func validPattern(pattern string) bool { return pattern != "" && doublestar.ValidatePattern(pattern) }

// matches says whether a section is about the game: digits are Steam's number, a pattern with a slash is the command's
// path, any other its name. A path of a file counts from home after "~/".
func (g Game) matches(pattern, home string) bool {
	if strings.Trim(pattern, "0123456789") == "" {
		return pattern == g.AppID
	}
	if g.Command == "" {
		return false
	}
	if !strings.Contains(pattern, "/") {
		return match(pattern, path.Base(g.Command))
	}
	if rest, ok := strings.CutPrefix(pattern, "~/"); ok && home != "" {
		below, ok := strings.CutPrefix(g.Command, path.Clean(home)+"/")
		return ok && match(rest, below) // the home directory's name is no pattern
	}
	return match(pattern, g.Command)
}

func match(pattern, name string) bool {
	ok, err := doublestar.Match(pattern, name)
	return ok && err == nil
}
