package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/cdi"
	"github.com/capsule-run/capsule-run/hook/serve"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/run"
)

func cdiCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "cdi COMMAND",
		Short: "Describe the GPUs for container engines (Container Device Interface)",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(cdiGenerate(f), cdiList(f))
	return c
}

type cdiFlags struct {
	output, hook string
	noGroups     bool
	dirs         []string
}

func cdiGenerate(f *flags) *cobra.Command {
	var g cdiFlags
	c := &cobra.Command{
		Use:   "generate --output FILE [flags]",
		Short: "Write the CDI specification of this machine's GPUs",
		Long: "generate writes a specification with the devices " + cdi.Kind + "=all and one for each GPU, by index, PCI\n" +
			"address and UUID. An engine that is asked for one gives the container the GPU's nodes, and runs the hook\n" +
			"that brings the host's drivers. Run it again when a GPU or its driver's nodes change.",
		Example:           "  capsule-run cdi generate --output " + cdi.Dirs[0] + "/" + cdi.Name + "\n  podman run --device " + cdi.Kind + "=all …",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return generateCDI(cmd, f, &g)
		},
	}
	c.Flags().StringVar(&g.output, "output", "", "`FILE` to write, - for standard output")
	c.Flags().StringVar(&g.hook, "hook", "", "absolute `PATH` of the capsule-hook or capsule-run that engines are to run (default: this one's)")
	c.Flags().BoolVar(&g.noGroups, "no-groups", false, "leave out the groups of device nodes, for engines that do not know CDI 0.7")
	return c
}

func generateCDI(cmd *cobra.Command, f *flags, g *cdiFlags) error {
	if g.output == "" {
		return usage("no --output given", "engines read "+cdi.Dirs[0]+" and "+cdi.Dirs[1]+": --output "+cdi.Dirs[0]+"/"+cdi.Name)
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	if g.hook == "" {
		if g.hook, err = program(); err != nil {
			return fault.WithHint(err, "name it with --hook PATH")
		}
	}
	if err := rootsOwn(g.hook); err != nil {
		return err
	}
	devices, err := run.Devices(o)
	if err != nil {
		return err
	}
	args := []string{cdi.Stage, "--gpu", cdi.All, "--no-devices"}
	if filepath.Base(g.hook) != serve.Name {
		args = append([]string{"hook"}, args...)
	}
	if o.Host != "/" {
		host, err := filepath.Abs(o.Host)
		if err != nil {
			return fmt.Errorf("host %s: %w", o.Host, err)
		}
		args = append(args, "--host", host)
	}
	spec, err := cdi.Make(devices, cdi.Options{Hook: g.hook, Args: args, NoGroups: g.noGroups})
	if errors.Is(err, cdi.ErrHook) {
		return usage(err.Error(), "engines start a hook by its absolute path")
	}
	if err != nil {
		return err
	}
	for _, problem := range devices.Problems() {
		o.Tell("%s", problem)
	}
	if g.output == "-" {
		text, err := cdi.Text(spec)
		if err == nil {
			_, err = cmd.OutOrStdout().Write(text)
		}
		return err
	}
	forEverybody()
	changed, err := cdi.Write(spec, g.output)
	if err != nil {
		return err
	}
	if !changed {
		o.Tell("%s is as it should be", g.output)
	} else {
		o.Tell("wrote %s: CDI %s, %d devices", g.output, spec.Version, len(spec.Devices))
	}
	return nil
}

func cdiList(f *flags) *cobra.Command {
	var g cdiFlags
	c := &cobra.Command{
		Use:               "list [flags]",
		Short:             "List the devices that engines find by CDI",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			devices, problems, err := cdi.List(g.dirs, cdi.Kind)
			if err != nil {
				return err
			}
			for _, p := range problems {
				fmt.Fprintf(os.Stderr, "capsule-run: warning: %s\n", fault.OneLine(p))
			}
			if f.json {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(devices)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			for _, d := range devices {
				fmt.Fprintf(t, "%s\t%s\t%d nodes\n", d.Name, fault.OneLine(d.File), len(d.Nodes))
			}
			return t.Flush()
		},
	}
	c.Flags().StringArrayVar(&g.dirs, "spec-dir", cdi.Dirs, "`DIR` with specifications; may be repeated")
	directories(c, "spec-dir")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}
