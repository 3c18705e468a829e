//go:build man

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/capsule-run/capsule-run/internal/run"
)

// The command is not in the program that users get: what it needs would take a third of a millisecond of every start.
func init() { more = append(more, manCommand) }

// manCommand writes the man pages from what --help says, so that there is one text.
func manCommand(*flags) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages into a directory",
		Long:   "man writes a page of section 1 for capsule-run and for each of its commands into DIR.",
		Hidden: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("man takes the directory to write to", "as in: capsule-run man share/man/man1")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // a date: the pages depend on the program alone
			header := &doc.GenManHeader{Section: "1", Source: "capsule-run " + run.Version, Manual: "capsule-run"}
			if err := doc.GenManTree(root, header, filepath.Clean(args[0])); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			return nil
		},
	}
}
