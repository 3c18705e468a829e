package main

import (
	"encoding/json"
	"os"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/run"
)

func inspectCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect [flags]",
		Short: "Show the GPUs, the host's stack for each API, and what is missing",
		Long: "inspect shows the machine's GPUs with their device nodes, the host's drivers for each of them and for\n" +
			"each API, how they were found, and what is missing and why. With --runtime it shows the runtime too,\n" +
			"and where the capsule would begin.",
		Example:           "  capsule-run inspect\n  capsule-run inspect --runtime ./debian11-runtime\n  capsule-run inspect --json | jq '.devices.gpus[].name'",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			report, err := run.Inspect(o)
			o.Done()
			if err != nil {
				return err
			}
			if f.json {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(report)
			}
			return report.Print(cmd.OutOrStdout(), style(os.Stdout))
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON (docs/inspect.md)")
	return c
}
