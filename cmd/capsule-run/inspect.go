package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/run"
)

// inspection is what is there, before anything is decided.
type inspection struct {
	Host    inspectedHost    `json:"host"`
	Runtime inspectedRuntime `json:"runtime"`
	// Architectures are the runtime's that the host has a stack for, the main one first.
	Architectures []inspectedArch `json:"architectures"`
}

type inspectedHost struct {
	Dir string `json:"dir"`
}

type inspectedRuntime struct {
	Dir    string `json:"dir"`
	Layout string `json:"layout"`
}

type inspectedArch struct {
	Arch      string             `json:"arch"`
	Loader    string             `json:"loader"` // the runtime's
	Libc      string             `json:"libc"`   // the runtime's
	Libraries []inspectedLibrary `json:"libraries"`
	Manifests []inspectedJSON    `json:"manifests"`
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
	story, err := run.Look(o)
	if err != nil {
		return nil, err
	}
	defer story.Close()
	r := &inspection{Host: inspectedHost{story.Host.Dir()}, Runtime: inspectedRuntime{story.Tree.Dir, story.Tree.Layout}}
	for _, side := range story.Sides {
		a := inspectedArch{Arch: side.Tree.Arch.Name, Loader: side.Tree.Loader, Libc: side.Tree.LibcVersion,
			Libraries: []inspectedLibrary{}, Manifests: []inspectedJSON{}}
		for _, l := range side.Stack.Libraries {
			a.Libraries = append(a.Libraries, inspectedLibrary{l.Name, l.Path, string(l.Role), l.Why, l.How, l.Unresolved})
		}
		for _, m := range side.Stack.Manifests {
			a.Manifests = append(a.Manifests, inspectedJSON{m.Kind, m.Path, m.LibraryPath, m.Skipped})
		}
		r.Architectures = append(r.Architectures, a)
	}
	return r, nil
}

func printInspection(w io.Writer, r *inspection) error {
	fmt.Fprintf(w, "runtime %s (%s)\nhost    %s\n", r.Runtime.Dir, r.Runtime.Layout, r.Host.Dir)
	for _, a := range r.Architectures {
		fmt.Fprintf(w, "\n%s: the runtime has glibc %s (%s), the host\n", a.Arch, a.Libc, a.Loader)
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, l := range a.Libraries {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", l.Soname, l.Role, l.Path, l.Why)
			for _, u := range l.Unresolved {
				fmt.Fprintf(t, "  %s\tmissing\t-\tDT_NEEDED of %s\n", u, l.Soname)
			}
		}
		for _, m := range a.Manifests {
			state := m.Library
			if m.Skipped != "" {
				state = "skipped: " + m.Skipped
			}
			fmt.Fprintf(t, "  %s\t%s\t\t%s\n", m.Path, m.Kind, state)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
