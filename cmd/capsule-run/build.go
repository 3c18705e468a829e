package main

import (
	"encoding/json"
	"fmt"
	goruntime "runtime"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/run"
)

func buildCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:               "build [flags]",
		Short:             "Generate what a launch needs, without launching",
		Long:              "build fills the cache that the next launch uses, and prints where it is.",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			built, err := run.Prepare(o)
			o.Done()
			if err != nil {
				return err
			}
			defer built.Close()
			if f.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"directory": built.Dir})
			}
			fmt.Fprintln(cmd.OutOrStdout(), built.Dir)
			return nil
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	gameFlag(c, f)
	return c
}

func versionCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:               "version",
		Short:             "Print the version",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"version": run.Version, "go": goruntime.Version()})
			}
			fmt.Fprintln(cmd.OutOrStdout(), "capsule-run "+run.Version)
			return nil
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}
