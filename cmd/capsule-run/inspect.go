package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/run"
)

// report of inspect: what is there, before anything is decided.
type inspection struct {
	Host struct {
		Dir       string             `json:"dir"`
		Libraries []inspectedLibrary `json:"libraries"`
		Manifests []inspectedJSON    `json:"manifests"`
	} `json:"host"`
	Runtime struct {
		Dir    string `json:"dir"`
		Layout string `json:"layout"`
		Arch   string `json:"arch"`
		Loader string `json:"loader"`
		Libc   string `json:"libc"`
	} `json:"runtime"`
}

type inspectedLibrary struct {
	Soname     string   `json:"soname"`
	Path       string   `json:"path"`
	Role       string   `json:"role"`
	Why        string   `json:"why"`
	How        string   `json:"how"`
	Unresolved []string `json:"unresolved,omitempty"`
}

type inspectedJSON struct {
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Library string `json:"library"`
	Skipped string `json:"skipped,omitempty"`
}

func inspectCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect [flags]",
		Short: "Show the host's GPU stack and the runtime, as they are found",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			report, err := inspect(o)
			o.Done()
			if err != nil {
				return err
			}
			if f.json {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(report)
			}
			return printInspection(cmd.OutOrStdout(), report)
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func inspect(o *run.Options) (*inspection, error) {
	tree, err := run.Inspect(o)
	if err != nil {
		return nil, err
	}
	defer tree.Root.Close()
	stack, err := run.Discover(o, tree)
	if err != nil {
		return nil, err
	}
	defer stack.Root.Close()
	r := &inspection{}
	r.Runtime.Dir, r.Runtime.Layout, r.Runtime.Arch = tree.Dir, tree.Layout, tree.Arch.Name
	r.Runtime.Loader, r.Runtime.Libc = tree.Loader, tree.LibcVersion
	r.Host.Dir = stack.Root.Dir()
	for _, l := range stack.Libraries {
		r.Host.Libraries = append(r.Host.Libraries, inspectedLibrary{l.Name, l.Path, string(l.Role), l.Why, l.How, l.Unresolved})
	}
	for _, m := range stack.Manifests {
		x := inspectedJSON{Kind: m.Kind, Path: m.Path, Library: m.LibraryPath, Skipped: m.Skipped}
		r.Host.Manifests = append(r.Host.Manifests, x)
	}
	return r, nil
}

func printInspection(w io.Writer, r *inspection) error {
	fmt.Fprintf(w, "runtime %s\n  %s tree of %s, glibc %s, loader %s\n\nhost %s\n", r.Runtime.Dir, r.Runtime.Layout,
		r.Runtime.Arch, r.Runtime.Libc, r.Runtime.Loader, r.Host.Dir)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, l := range r.Host.Libraries {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", l.Soname, l.Role, l.Path, l.Why)
		for _, u := range l.Unresolved {
			fmt.Fprintf(t, "  %s\tmissing\t-\tDT_NEEDED of %s\n", u, l.Soname)
		}
	}
	for _, m := range r.Host.Manifests {
		state := m.Library
		if m.Skipped != "" {
			state = "skipped: " + m.Skipped
		}
		fmt.Fprintf(t, "  %s\t%s\t\t%s\n", m.Path, m.Kind, state)
	}
	return t.Flush()
}
