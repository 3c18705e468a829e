package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/hook"
)

// hookCommand is for container engines, and for who sets them up.
func hookCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hook STAGE [flags]",
		Short: "Serve a container engine as OCI hook, or set one up for it",
		Long: "hook STAGE is what a container engine calls, with the container's state (OCI runtime-spec) on standard\n" +
			"input, at createRuntime, createContainer or prestart. It brings the host's GPU stack into the container.\n\n" +
			"Why a container did not start is on standard error, in " + hook.SystemCache + "/" + hook.LogName + "\n" +
			"(rootless: ~/.cache/capsule-run/" + hook.LogName + ") and in the system's log: journalctl -t capsule-hook.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usage(fmt.Sprintf("unknown stage %q", args[0]),
				mistyped(cmd, args[0], "the stages are "+strings.Join(hook.Stages, ", ")+"; hook --help lists the commands"))
		},
	}
	return c
}

// hookCommands is hookCommand with what is for people.
func hookCommands() *cobra.Command {
	c := hookCommand()
	c.AddCommand(hookInstallCommand(), hookUninstallCommand(), hookInjectCommand())
	return c
}
