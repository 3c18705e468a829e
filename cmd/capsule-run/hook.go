package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/hook"
	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/run"
)

// hookName is the hook's own name, for a link to this program.
const hookName = "capsule-hook"

// hookArgs returns the command line of a call by a container engine, without the program's name, or ok false.
func hookArgs(argv []string) (args []string, ok bool) {
	if len(argv) > 1 && argv[1] == "hook" {
		argv = argv[1:]
	} else if len(argv) == 0 || filepath.Base(argv[0]) != hookName && !confine.IsSealed(argv[0]) {
		return nil, false
	}
	return argv[1:], len(argv) > 1 && slices.Contains(hook.Stages, argv[1])
}

// serveHook is the whole life of a process that an engine started. It runs before anything reads the environment.
func serveHook(args []string) int {
	identity, err := confine.Seal(append([]string{hookName}, args...))
	if err != nil {
		report(os.Stderr, err)
		return 1
	}
	o := &hook.Options{State: os.Stdin, Version: run.Version, Identity: identity}
	verbose := false
	o.Verbose = func(format string, args ...any) {
		if verbose {
			fmt.Fprintf(os.Stderr, "capsule-run: "+format+"\n", args...)
		}
	}
	var status error
	c := hookCommand()
	c.RunE = func(_ *cobra.Command, args []string) error {
		o.Stage = args[0]
		if !slices.Contains([]string{"", config.ModeRequired, config.ModeOptional}, o.Mode) {
			return usage(fmt.Sprintf("unknown mode %q", o.Mode), "it is required or optional")
		}
		status = hook.Run(o)
		return nil
	}
	stageFlags(c, o, &verbose)
	c.SetArgs(args)
	if err := c.Execute(); err != nil {
		report(os.Stderr, err)
		return 1
	}
	if status == nil {
		return 0
	}
	report(os.Stderr, status)
	o.Log(status)
	if o.Optional() {
		fmt.Fprintln(os.Stderr, "capsule-run: warning: the container starts without GPU")
		return 0
	}
	return 1
}

func stageFlags(c *cobra.Command, o *hook.Options, verbose *bool) {
	f := c.Flags()
	f.StringVar(&o.GPU, "gpu", "", "give the container `GPUS`, whatever it asks for: all, or names with commas between them")
	f.StringVar(&o.Mode, "mode", "", "`MODE` required, or optional: then the container may start without GPU")
	f.StringVar(&o.Host, "host", "", "root `DIR` of the host that has the GPU stack (default: the configuration's, or /)")
	f.StringVar(&o.Config, "config", "", "the administrator's configuration `FILE` (default "+config.SystemFile+")")
	f.StringVar(&o.Cache, "cache", "", "keep what is generated below `DIR` (default "+hook.SystemCache+", or the user's cache)")
	f.BoolVar(&o.NoDevices, "no-devices", false, "bring no device nodes: the engine has done that, by CDI")
	f.BoolVar(verbose, "verbose", false, "tell each stage on standard error")
}

// hookCommand is for container engines, and for who sets them up.
func hookCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hook STAGE [flags]",
		Short: "Serve a container engine as OCI hook, or set one up for it",
		Long: "hook STAGE is what a container engine calls, with the container's state (OCI runtime-spec) on standard\n" +
			"input, at createRuntime, createContainer or prestart. It brings the host's GPU stack into the container.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usage(fmt.Sprintf("unknown stage %q", args[0]),
				"the stages are "+strings.Join(hook.Stages, ", ")+"; hook --help lists the commands")
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage(err.Error(), "capsule-run hook --help lists the flags")
	})
	return c
}

// hookCommands is hookCommand with what is for people.
func hookCommands() *cobra.Command {
	c := hookCommand()
	c.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range []string{"runtime", "boundary", "library"} { // the launcher's
			if f := cmd.Flag(name); f != nil && f.Changed {
				return usage("hook knows no --"+name, "it takes the container for the runtime, the rest from "+config.SystemFile)
			}
		}
		return nil
	}
	c.AddCommand(hookInstallCommand(), hookUninstallCommand(), hookInjectCommand())
	return c
}
