package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/run"
)

// common are flags that mean the same to several commands.
var common = []struct {
	name string
	add  func(*cobra.Command, *flags) error
}{
	{"runtime", func(c *cobra.Command, f *flags) error {
		c.Flags().StringVar(&f.runtime, "runtime", "", "`DIR`, archive or OCI image layout of the runtime, or its name")
		return c.RegisterFlagCompletionFunc("runtime", runtimeNames)
	}},
	{"host", func(c *cobra.Command, f *flags) error {
		c.Flags().StringVar(&f.host, "host", "", "root `DIR` of the host that has the GPU stack (default /)")
		return c.MarkFlagDirname("host")
	}},
	{"boundary", func(c *cobra.Command, f *flags) error {
		c.Flags().StringArrayVar(&f.boundaries, "boundary", nil, "`[API=]WHERE` the capsule begins: frontend, driver, auto; repeatable")
		return c.RegisterFlagCompletionFunc("boundary", cobra.FixedCompletions(
			[]string{capsule.BoundaryFrontend, capsule.BoundaryDriver, capsule.BoundaryAuto}, cobra.ShellCompDirectiveNoFileComp))
	}},
	{"library", func(c *cobra.Command, f *flags) error {
		c.Flags().StringArrayVar(&f.libraries, "library", nil, "encapsulate the host's `SONAME` too; may be repeated")
		return nil
	}},
	{"isolation", func(c *cobra.Command, f *flags) error {
		c.Flags().StringVar(&f.isolation, "isolation", "", "`HOW` the program is kept apart: userns, none, or auto (default)")
		return c.RegisterFlagCompletionFunc("isolation", cobra.FixedCompletions(
			[]string{run.IsolationAuto, run.IsolationUserNS, run.IsolationNone}, cobra.ShellCompDirectiveNoFileComp))
	}},
	{"config", func(c *cobra.Command, f *flags) error {
		c.Flags().StringVar(&f.config, "config", "", "read options from a TOML `FILE` too; flags win")
		return c.MarkFlagFilename("config", "toml")
	}},
	{"verbose", func(c *cobra.Command, f *flags) error {
		c.Flags().BoolVar(&f.verbose, "verbose", false, "tell each stage on standard error")
		return nil
	}},
}

// all of them are for commands that plan a launch, of others some mean nothing: Cobra would show persistent flags with
// every command. hook's commands have flags of the same names that are their own.
var all = []string{"runtime", "host", "boundary", "library", "isolation", "config", "verbose"}

// has are the common flags of each command, by its path.
var has = map[string][]string{
	"capsule-run":                         all,
	"capsule-run plan":                    all,
	"capsule-run build":                   all,
	"capsule-run doctor":                  all,
	"capsule-run inspect":                 {"runtime", "host", "boundary", "library", "config", "verbose"},
	"capsule-run cdi":                     {"host", "config", "verbose"},
	"capsule-run cdi generate":            {"host", "config", "verbose"},
	"capsule-run runtime":                 {"config", "verbose"},
	"capsule-run runtime add":             {"config", "verbose"},
	"capsule-run runtime list":            {"config", "verbose"},
	"capsule-run runtime remove":          {"config", "verbose"},
	"capsule-run steam":                   all,
	"capsule-run steam run":               all,
	"capsule-run steam waitforexitandrun": all,
}

// addCommon gives a command and those below it their flags.
func addCommon(c *cobra.Command, f *flags) {
	for _, flag := range common {
		if !slices.Contains(has[c.CommandPath()], flag.name) {
			continue
		}
		if err := flag.add(c, f); err != nil {
			panic(err) // a flag's name is misspelt above
		}
		if c.HasParent() && c.HasSubCommands() { // knows it for who says it before the command's second word
			_ = c.Flags().MarkHidden(flag.name)
		}
	}
	for _, sub := range c.Commands() {
		addCommon(sub, f)
	}
}
