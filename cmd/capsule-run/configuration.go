package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/steam"
)

// configuration reads the files. Who asks by --verbose is told where each value comes from.
func (f *flags) configuration(cwd string) (*config.Config, error) {
	c, err := config.Load(config.Sources{System: config.SystemFile, Getenv: os.Getenv, Explicit: f.config, Game: f.section(cwd)})
	if err != nil || !f.verbose {
		return c, err
	}
	for _, o := range c.Origins {
		note := ""
		if o.Overridden || f.overrides(o.Key) {
			note = "; overridden"
		}
		fmt.Fprintf(os.Stderr, "capsule-run: %s = %q (%s%s)\n", o.Key, o.Value, fault.OneLine(o.From), note)
	}
	return c, nil
}

// overrides says whether a flag takes the place of a key's value.
func (f *flags) overrides(key string) bool {
	table, name, _ := strings.Cut(key, ".")
	begins := func(text string) bool { return strings.HasPrefix(text, name+"=") }
	switch table {
	case "runtime":
		return f.runtime != ""
	case "host":
		return f.host != ""
	case "isolation":
		return f.isolation != ""
	case "boundary":
		return slices.ContainsFunc(f.boundaries, func(text string) bool { return !strings.Contains(text, "=") })
	case "boundaries":
		return slices.ContainsFunc(f.boundaries, begins)
	case "setenv":
		return slices.ContainsFunc(f.setenv, begins)
	case "home", "shell", "unshare-net", "unshare-pid", "die-with-parent", "wait-children":
		return f.desktop.given(table)
	}
	return false
}

// section says what the sections for games are matched against. Number 0 is what Steam gives to games that are not from it.
func (f *flags) section(cwd string) config.Game {
	g := config.Game{Command: f.game, AppID: cmp.Or(os.Getenv("STEAM_COMPAT_APP_ID"), os.Getenv("SteamAppId"))}
	switch {
	case f.game == "":
	case strings.Trim(f.game, "0123456789") == "":
		g = config.Game{AppID: f.game}
	case !strings.Contains(f.game, "/"):
	case filepath.IsAbs(f.game):
		g.Command = filepath.Clean(f.game)
	default:
		g.Command = filepath.Join(cwd, f.game)
	}
	if g.AppID == "0" {
		g.AppID = ""
	}
	return g
}

// environ is where the program's environment begins.
func (f *flags) environ() []string {
	if f.steam {
		return steam.Environ(os.Environ())
	}
	return os.Environ()
}

// gameFlag is for commands that run nothing.
func gameFlag(c *cobra.Command, f *flags) {
	c.Flags().StringVar(&f.game, "game", "", "with the configuration for a `COMMAND`, or for Steam's number of a game")
}

// in begins a message about a value of a configuration file.
func in(file string) string {
	if file == "" {
		return ""
	}
	return file + ": "
}
