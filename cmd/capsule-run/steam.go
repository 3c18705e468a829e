package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/run"
	"github.com/capsule-run/capsule-run/internal/steam"
)

func steamCommand(f *flags, status *int) *cobra.Command {
	c := &cobra.Command{
		Use:   "steam COMMAND",
		Short: "Be a compatibility tool of the Steam client",
		Long: "steam install makes the Steam client offer capsule-run among a game's compatibility tools. The client then calls\n" +
			"steam run and steam waitforexitandrun; what the configuration says for the game's number counts (docs/steam.md).",
		Example: "  capsule-run steam install\n  capsule-run steam uninstall",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Sprintf("steam: unknown verb %q", args[0]), mistyped(cmd, args[0], "the Steam client calls run and waitforexitandrun; people call install and uninstall"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		steamSetup("install", "Make the Steam client offer capsule-run", func(dir string) (string, error) {
			self, err := os.Executable()
			if err == nil {
				self, err = filepath.EvalSymlinks(self)
			}
			if err != nil {
				return "", fmt.Errorf("find my own path: %w", err)
			}
			return steam.Install(dir, self)
		}),
		steamSetup("uninstall", "Remove what install has written", steam.Uninstall),
		steamVerb(f, status, "waitforexitandrun", "Run a game as the Steam client asks, and wait for all that it starts", true),
		steamVerb(f, status, "run", "Run a program that belongs to a game, as the Steam client asks", false))
	return c
}

func steamSetup(name, short string, do func(dir string) (string, error)) *cobra.Command {
	dir := ""
	c := &cobra.Command{
		Use:               name + " [flags]",
		Short:             short,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if dir == "" {
				dir, err = steam.Directory(os.Getenv)
			} else {
				dir, err = filepath.Abs(dir)
			}
			if err != nil {
				return err
			}
			tool, err := do(dir)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), tool)
			}
			return err
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the client's `DIR` compatibilitytools.d (default: that of ~/.steam/root)")
	directories(c, "dir")
	return c
}

// steamVerb is what the tool's wrapper calls: the game's command follows.
func steamVerb(f *flags, status *int, verb, short string, wait bool) *cobra.Command {
	c := &cobra.Command{
		Use:         verb + " [flags] -- COMMAND [ARG…]",
		Short:       short,
		Annotations: map[string]string{launches: "true"},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("steam "+verb+": no command given", "the Steam client calls it with the game's command")
			}
			f.game, f.steam = args[0], true
			o, err := f.options()
			if err != nil {
				return err
			}
			if o.Runtime, err = steamRuntime(o); err != nil {
				return err
			}
			o.Argv, o.Shell, o.WaitChildren = args, false, o.WaitChildren || wait
			for _, p := range steam.Shares(os.Getenv) {
				o.Shares = append(o.Shares, run.Share{Path: p})
			}
			*status, err = run.Run(o)
			o.Done()
			return err
		},
	}
	c.Flags().SetInterspersed(false)
	return c
}

// steamRuntime is the newest of Steam's runtimes that games are built for, where nothing else was asked for.
func steamRuntime(o *run.Options) (string, error) {
	if o.Runtime != "" {
		return o.Runtime, nil
	}
	if dir := steam.Find(os.Getenv, steam.Runtimes...); dir != "" {
		o.Tell("no runtime is configured: using Steam's, %s", dir)
		return dir, nil
	}
	return "", fault.WithExit(fault.WithHint(errors.New("no runtime is configured, and Steam has none"),
		"write runtime = \"…\" into ~/.config/capsule-run/config.toml, or install Steam Linux Runtime 3.0 (sniper) in Steam's library, under Tools"), fault.ExitUsage)
}

// steamNamed finds one of Steam's runtimes by the name of its directory, wherever the library folder is. A file of that
// name where we are comes first, as for any other name of a runtime.
func steamNamed(runtime string) string {
	if strings.Contains(runtime, "/") || !strings.HasPrefix(runtime, "SteamLinuxRuntime_") {
		return runtime
	}
	if _, err := os.Lstat(runtime); err == nil {
		return runtime
	}
	return cmp.Or(steam.Find(os.Getenv, runtime), runtime)
}
