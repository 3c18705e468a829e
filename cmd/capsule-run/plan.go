package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/run"
)

func planCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:               "plan [flags]",
		Short:             "Tell for every library which side it comes from, and why",
		Example:           "  capsule-run plan --runtime ./debian11-runtime\n  capsule-run plan --runtime ./debian11-runtime --json | jq '.architectures[].symbols.polyfills'",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			story, err := run.Decide(o)
			o.Done()
			if err != nil {
				return err
			}
			defer story.Close()
			if story.Plan.Devices, err = run.Devices(o); err != nil {
				return err
			}
			if f.json {
				text, err := build.JSON(story.Plan)
				if err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			var text strings.Builder
			if err := printPlan(&text, story.Plan); err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), fault.Printable(text.String()))
			return err
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print the whole plan as JSON")
	gameFlag(c, f)
	return c
}

// printPlan for a person: what stands where, what is bridged, what will not work.
func printPlan(w io.Writer, p *capsule.Plan) error {
	fmt.Fprintf(w, "host     %s\nruntime  %s (%s)\nboundary %s\n", p.Host.Dir, p.Runtime.Dir, p.Runtime.Layout, p.Boundary)
	for i, d := range p.Differences {
		if i == 0 {
			fmt.Fprintf(w, "\nWithout isolation, below the build's directory instead of %s:\n", capsule.Dir)
		}
		fmt.Fprintf(w, "  %s\n", d)
	}
	for _, a := range p.Architectures {
		if err := printArch(w, a); err != nil {
			return err
		}
	}
	return printDevices(w, p.Devices)
}

// printDevices names each GPU with its nodes, and what is the matter with those that cannot be used.
func printDevices(w io.Writer, d *hostgpu.Devices) error {
	if d == nil {
		return nil
	}
	fmt.Fprintf(w, "\nGPUs of %s, in the program's /dev:\n", d.Root)
	if len(d.GPUs) == 0 {
		fmt.Fprintln(w, "  none: programs render on the processor")
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, g := range d.GPUs {
		fmt.Fprintf(t, "  %d\t%s\t%s\t%s\n", g.Index, g.Address, cmp.Or(g.Driver, "-"), g.Name)
		for _, n := range g.Nodes {
			fmt.Fprintf(t, "  \t%s\t%s\t%s\n", n.Path, n.State, n.Why)
		}
		for _, note := range g.Notes {
			fmt.Fprintf(t, "  \t\tnote\t%s\n", note)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, problem := range d.Problems() {
		fmt.Fprintf(w, "\nwarning: %s\n", problem)
	}
	return nil
}

func printArch(w io.Writer, p *capsule.ArchPlan) error {
	fmt.Fprintf(w, "\n%s: glibc %s on the host, %s in the runtime (%s)\n", p.Arch, p.HostLibc, p.RuntimeLibc, p.Loader)
	for _, b := range p.Boundaries {
		if b.Boundary == capsule.BoundaryNone {
			fmt.Fprintf(w, "  %s without the host: %s\n", b.API, b.Reason)
		} else {
			fmt.Fprintf(w, "  %s at the %s boundary: %s\n", b.API, b.Boundary, b.Reason)
		}
	}
	if err := printLibraries(w, p); err != nil {
		return err
	}
	if len(p.Programs) > 0 {
		fmt.Fprintf(w, "\nPrograms of the host, at the end of PATH:\n")
		for _, program := range p.Programs {
			fmt.Fprintf(w, "  %s  %s  %s\n", program.Name, program.Path, program.Reason)
		}
	}
	if err := printLayers(w, p); err != nil {
		return err
	}
	if err := printSymbols(w, p); err != nil {
		return err
	}
	if t := p.StaticTLS; t.Tunable != "" {
		fmt.Fprintf(w, "\nStatic TLS: %d bytes needed, %d set aside, so the program gets GLIBC_TUNABLES=%s\n", t.Needed, t.Surplus, t.Tunable)
	}
	if len(p.Tools) > 0 {
		fmt.Fprintf(w, "\nTools, programs of the host that drivers start:\n")
		for _, g := range p.Tools {
			fmt.Fprintf(w, "  %s: %s\n", g.Path, g.Reason)
		}
	}
	if len(p.PathMap) > 0 {
		fmt.Fprintf(w, "\nPaths that drivers find the host's files at:\n")
		for _, m := range p.PathMap {
			fmt.Fprintf(w, "  %s -> %s\n", m.From, m.To)
		}
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(w, "\nwarning: %s\n", warning)
	}
	return nil
}

func printLibraries(w io.Writer, p *capsule.ArchPlan) error {
	for _, section := range []struct {
		side  capsule.Side
		title string
	}{
		{capsule.SideStub, "Stubs, in the program's own namespace before the host's libraries"},
		{capsule.SideRuntime, "From the runtime, shared with the capsule by a proxy"},
		{capsule.SideHost, "From the host, in the capsule"},
	} {
		var rows [][]string
		for _, l := range p.Libraries {
			if l.Side == section.side {
				rows = append(rows, []string{l.Soname, cmp.Or(l.Path, "-"), l.Reason})
			}
		}
		if err := printRows(w, section.title, rows); err != nil {
			return err
		}
	}
	return nil
}

func printLayers(w io.Writer, p *capsule.ArchPlan) error {
	if len(p.Layers) == 0 {
		return nil
	}
	var rows [][]string
	for _, l := range p.Layers {
		rows = append(rows, []string{l.Name, string(l.Side), l.Manifest, l.Reason})
	}
	return printRows(w, "Layers", rows)
}

func printSymbols(w io.Writer, p *capsule.ArchPlan) error {
	for _, list := range []struct {
		title   string
		symbols []capsule.Bridged
	}{
		{"Polyfills, for functions that the runtime is too old to have", p.Symbols.Polyfills},
		{"Aliases, to the runtime's function of an older version", p.Symbols.Aliases},
		{"Missing: the process ends with this name if one is called", p.Symbols.Missing},
	} {
		if len(list.symbols) == 0 {
			continue
		}
		var rows [][]string
		for _, s := range list.symbols {
			rows = append(rows, []string{s.Symbol, cmp.Or(s.Version, "-"), s.Answer, "for " + shorten(s.NeededBy)})
		}
		if err := printRows(w, list.title, rows); err != nil {
			return err
		}
	}
	return nil
}

// printRows prints a title and rows whose columns are aligned.
func printRows(w io.Writer, title string, rows [][]string) error {
	fmt.Fprintf(w, "\n%s:\n", title)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "  %s\n", strings.Join(r, "\t"))
	}
	return t.Flush()
}

// shorten a list of libraries to what fits a line.
func shorten(names []string) string {
	switch n := len(names); n {
	case 1:
		return names[0]
	case 2:
		return names[0] + ", " + names[1]
	default:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	}
}
