package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// flagError words what the flag parser says, and looks for what was meant.
func flagError(cmd *cobra.Command, err error) error {
	message, _, _ := strings.Cut(err.Error(), ": strconv.") // the language's own words for a number that is none
	hint := cmd.CommandPath() + " --help lists the flags"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			name, _, _ = strings.Cut(short, "=") // -runtime=DIR
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		hint = fault.DidYouMean(name, names, "--", hint)
	}
	return usage(message, hint)
}

// names of the commands below one that people call.
func names(c *cobra.Command) []string {
	var out []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			out = append(out, sub.Name())
		}
	}
	return out
}

// mistyped makes a hint out of a word that may be meant as a command below cmd.
func mistyped(cmd *cobra.Command, word, hint string) string {
	return fault.DidYouMean(word, names(cmd), cmd.CommandPath()+" ", hint)
}

// noCommand is for commands that do nothing without one of those below them.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Sprintf("%s: unknown command %q", cmd.Name(), args[0]),
			mistyped(cmd, args[0], "it is "+strings.Join(names(cmd), ", ")))
	}
	return nil
}
