package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/runtimes"
)

// completion makes the command that writes the shells' scripts refuse a shell it does not know: else it prints its help
// into the script's file.
func completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args = noCommand
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// plain takes the marks of --help out of the flags' descriptions, which shells show as they are.
func plain(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	for _, sub := range c.Commands() {
		plain(sub)
	}
}

// isCompletion says whether a shell asks what could stand at the end of a command line.
func isCompletion(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// runtimeNames completes to what runtime add has given names. A shell without a home has none.
func runtimeNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cache, err := private.Look(os.Getenv)
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	// Files too: a shell offers them where no name begins with what is there.
	return runtimes.Open(cache.Runtimes()).Names(), cobra.ShellCompDirectiveDefault
}

// otherRuntimes completes to the names that are not there yet.
func otherRuntimes(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	all, _ := runtimeNames(c, args, word)
	return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
}

// commandNames completes to commands, for help.
func commandNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	about, _, err := c.Root().Find(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names(about), cobra.ShellCompDirectiveNoFileComp
}

// among completes a flag to words; one that takes directories or files of a kind is marked as such.
func among(c *cobra.Command, flag string, words ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag's name is misspelt
	}
}

// directories completes flags to directories.
func directories(c *cobra.Command, flags ...string) {
	for _, flag := range flags {
		if err := c.MarkFlagDirname(flag); err != nil {
			panic(err) // the flag's name is misspelt
		}
	}
}
