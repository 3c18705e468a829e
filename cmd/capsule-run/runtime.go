package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/runtimes"
)

func runtimeCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "runtime COMMAND",
		Short: "Keep runtimes from archives and images under names",
		Long: "--runtime takes an archive (.tar, also .gz, .xz or .zst) or an OCI image layout as it takes a directory: it is\n" +
			"unpacked once into the cache. runtime add gives it a name besides, and it stays until it is removed; one without\n" +
			"a name goes when it has not been used for a month.",
		Example: "  capsule-run runtime add sniper ./com.valvesoftware.SteamRuntime.Platform-sniper-runtime.tar.gz\n" +
			"  capsule-run --runtime sniper -- ./game\n" +
			"  podman save --format oci-archive debian:11 -o debian11.tar && capsule-run runtime add debian11.tar",
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(runtimeAdd(f), runtimeList(f), runtimeRemove(f))
	return c
}

func (f *flags) runtimes() (*runtimes.Store, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	return o.Runtimes()
}

func runtimeAdd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "add [NAME] SOURCE",
		Short: "Unpack an archive or an OCI image layout, and name it",
		Long:  "add unpacks SOURCE, an archive or an OCI image layout (:TAG behind it says which of several\nimages). NAME is the archive's without its ending unless it is given.",
		Args:  counted("runtime add", 1, 2, "as in: capsule-run runtime add sniper ./sniper.tar.gz"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			name, source := nameOf(args[len(args)-1]), args[len(args)-1]
			if len(args) == 2 {
				name = args[0]
			}
			held, err := o.RuntimesToAdd().Add(name, source, o.Unpacking())
			o.Done()
			if err != nil {
				return err
			}
			defer held.Close()
			fmt.Fprintln(cmd.OutOrStdout(), name)
			return nil
		},
	}
}

// nameOf is an archive's name without the directory, the endings and an image's tag.
func nameOf(source string) string {
	name := filepath.Base(source)
	if i := strings.LastIndexByte(name, ':'); i > 0 {
		name = name[:i]
	}
	for _, ending := range []string{".gz", ".xz", ".zst", ".bz2", ".tgz", ".txz", ".tar"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}

func runtimeList(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:               "list [flags]",
		Short:             "List what is unpacked",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := f.runtimes()
			if err != nil {
				return err
			}
			list, err := store.List()
			if err != nil {
				return err
			}
			if f.json {
				if list == nil {
					list = []runtimes.Entry{}
				}
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(list)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			if len(list) > 0 {
				fmt.Fprintln(t, "NAME\tSIZE\tUSED\tFROM")
			}
			for _, e := range list {
				fmt.Fprintf(t, "%s\t%s\t%s ago\t%s\n", cmp.Or(strings.Join(e.Names, ","), "-"), units.HumanSize(float64(e.Size)),
					units.HumanDuration(time.Since(e.Used)), fault.OneLine(e.Source))
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func runtimeRemove(f *flags) *cobra.Command {
	unused := false
	c := &cobra.Command{
		Use:               "remove NAME…",
		Short:             "Remove runtimes that no program runs in",
		ValidArgsFunction: otherRuntimes,
		Args: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) != unused {
				return usage("runtime remove takes names, or --unused", "capsule-run runtime list shows them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := f.runtimes()
			if err != nil {
				return err
			}
			if unused {
				removed, err := store.RemoveUnused()
				for _, e := range removed {
					fmt.Fprintln(cmd.OutOrStdout(), fault.OneLine(e.Source))
				}
				return err
			}
			for _, name := range args {
				if err := store.Remove(name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&unused, "unused", false, "all that have no name")
	return c
}

// counted is for subcommands with arguments.
func counted(name string, low, high int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return usage(fmt.Sprintf("%s takes %d to %d arguments, and got %d", name, low, high, len(args)), hint)
		}
		return nil
	}
}
