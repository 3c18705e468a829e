package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/run"
)

// desktopFlags are what a program gets of the user's session, and how long it lives. In a configuration file the keys
// have the names of the flags; a descriptor's number is nothing for a file.
type desktopFlags struct {
	home                          string
	shares                        []string
	shell, unshareNet, unsharePID bool
	dieWithParent, waitChildren   bool
	passFDs                       []int

	given func(name string) bool // by the command line
}

// seldom are flags that other programs give rather than people. --help names them in one line, so that it fits a screen;
// the man page and completion have them as any other.
var seldom = []string{"unshare-net", "unshare-pid", "die-with-parent", "wait-children", "pass-fd"}

func (d *desktopFlags) add(c *cobra.Command) {
	f := c.Flags()
	d.given = f.Changed
	f.StringVar(&d.home, "home", "", "`DIR` that stands in for the home directory; made if missing")
	f.StringArrayVar(&d.shares, "share", nil, "show a path of the host where it is: `PATH[:ro]`; may be repeated")
	f.BoolVar(&d.shell, "shell", false, "run a shell of the runtime, with COMMAND as its arguments if any")
	f.BoolVar(&d.unshareNet, "unshare-net", false, "no network but the program's own loopback interface")
	f.BoolVar(&d.unsharePID, "unshare-pid", false, "no processes in sight but the program's own, and all end with it")
	f.BoolVar(&d.dieWithParent, "die-with-parent", false, "end (SIGKILL) when whoever started capsule-run ends")
	f.BoolVar(&d.waitChildren, "wait-children", false, "end only after all that the program has started")
	f.IntSliceVar(&d.passFDs, "pass-fd", nil, "fail if descriptor `N` is not open for the program; may be repeated")
	directories(c, "home")
	among(c, "pass-fd")
	help := c.HelpFunc()
	c.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd != c {
			help(cmd, args)
			return
		}
		for _, name := range append(seldom, "help") { // whoever reads this has found it
			f.Lookup(name).Hidden = true
		}
		help(cmd, args)
		fmt.Fprintf(cmd.OutOrStdout(), "Also, in the man page: --%s\n", strings.Join(seldom, ", --"))
	})
}

// options merges the flags with a configuration file.
func (d *desktopFlags) options(c *config.Config, cwd string) (run.Desktop, error) {
	either := func(name string, flag bool, key *bool) bool {
		if d.given(name) || key == nil {
			return flag
		}
		return *key
	}
	out := run.Desktop{Home: cmp.Or(d.home, c.Home), Shell: either("shell", d.shell, c.Shell),
		UnshareNet:    either("unshare-net", d.unshareNet, c.UnshareNet),
		UnsharePID:    either("unshare-pid", d.unsharePID, c.UnsharePID),
		DieWithParent: either("die-with-parent", d.dieWithParent, c.DieWithParent),
		WaitChildren:  either("wait-children", d.waitChildren, c.WaitChildren),
		PassFDs:       d.passFDs}
	if out.Home != "" && !filepath.IsAbs(out.Home) {
		out.Home = filepath.Join(cwd, out.Home)
	}
	for i, text := range append(c.Share, d.shares...) {
		from := ""
		if i < len(c.Share) {
			from = in(c.From("share"))
		}
		path, readOnly := strings.CutSuffix(text, ":ro")
		if path == "" || strings.Contains(path, ":") {
			return out, usage(fmt.Sprintf("%s--share %q is not PATH[:ro]", from, text), "--bind SRC:DST shows a path under another name")
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(cwd, path)
		}
		out.Shares = append(out.Shares, run.Share{Path: path, ReadOnly: readOnly})
	}
	for _, fd := range out.PassFDs {
		if fd < 0 {
			return out, usage(fmt.Sprintf("--pass-fd %d: no descriptor has that number", fd), "give the number of an open descriptor")
		}
	}
	return out, nil
}
