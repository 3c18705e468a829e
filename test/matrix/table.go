package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A table is the result for one architecture.
type table struct {
	port port
	rows []row
}

type row struct {
	host, mesa, hostGlibc, runtime, glibc string
	causes                                []string // one an API; empty if all is well
}

func (t table) failed() int {
	n := 0
	for _, r := range t.rows {
		for _, cause := range r.causes {
			if cause != "" {
				n++
			}
		}
	}
	return n
}

// table runs every cell of a port.
func (w *world) table(ctx context.Context, p port) (table, error) {
	t := table{port: p}
	probes, err := p.probes(ctx)
	if err != nil {
		return t, err
	}
	for _, h := range p.hosts {
		host, err := root(ctx, h.tree)
		if err != nil {
			return t, err
		}
		version, err := mesa(host, p.triplet)
		if err != nil {
			return t, err
		}
		hostGlibc, err := glibc(host, p.triplet)
		if err != nil {
			return t, err
		}
		for _, r := range p.runtimes {
			runtime, err := root(ctx, r.tree)
			if err != nil {
				return t, err
			}
			libc, err := glibc(runtime, p.triplet)
			if err != nil {
				return t, err
			}
			line := row{host: h.title, mesa: version, hostGlibc: hostGlibc, runtime: r.title, glibc: libc}
			for _, a := range apis {
				cause := w.try(ctx, a, runtime, host, probes, version)
				fmt.Fprintf(os.Stderr, "matrix: %s, %s on %s: %s: %s\n", p.name, r.title, h.title, a.name, okOr(cause))
				line.causes = append(line.causes, cause)
			}
			t.rows = append(t.rows, line)
		}
	}
	return t, ctx.Err()
}

func okOr(cause string) string {
	if cause == "" {
		return "ok"
	}
	return cause
}

// document is the whole text, with the causes as numbered notes.
func document(tables []table) string {
	var b strings.Builder
	var notes []string
	b.WriteString(`# Matrix

What was seen when programs of each runtime ran on each host's Mesa (llvmpipe and lavapipe, no GPU). "make matrix" writes
this file. Programs: glxinfo, es2_info, eglinfo, es2gears_wayland or weston-simple-egl, vulkaninfo and vkcube as the
runtime's release has them, and this repository's probes compiled on Debian 11. A runtime "with loaders" has libglvnd,
libvulkan and Mesa of its own: the capsule begins at the driver boundary there, elsewhere at the frontend.
`)
	for _, t := range tables {
		fmt.Fprintf(&b, "\n## %s\n\n| host | Mesa | glibc | runtime | glibc |", t.port.name)
		for _, a := range apis {
			fmt.Fprintf(&b, " %s |", a.name)
		}
		fmt.Fprintf(&b, "\n|%s\n", strings.Repeat(" --- |", 5+len(apis)))
		for _, r := range t.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |", r.host, r.mesa, r.hostGlibc, r.runtime, r.glibc)
			for _, cause := range r.causes {
				cell := "ok"
				if cause != "" {
					i := slices.Index(notes, cause)
					if i < 0 {
						i = len(notes)
						notes = append(notes, cause)
					}
					cell = fmt.Sprintf("no (%d)", i+1)
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			b.WriteByte('\n')
		}
	}
	for i, n := range notes {
		if i == 0 {
			b.WriteString("\n## Causes\n\n")
		}
		fmt.Fprintf(&b, "%d. `%s`\n", i+1, n)
	}
	return b.String()
}
