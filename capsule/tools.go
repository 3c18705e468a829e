package capsule

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// A tool is a program that drivers start: pocl's compiler starts the linker. The host's needs the host's C library, but the
// kernel would run it with the loader at the path in its PT_INTERP, which is the runtime's. So what drivers find in its
// place is a script that starts it by the host's loader. What it needs is mounted apart from what the capsule loads: it is
// a process of its own, and none of this ever comes into the game's.

// HostTool is a tool as discover found it.
type HostTool struct {
	Path, Reason string // as drivers name it
	// File, Loader and Libraries make up the process; all paths are inside the host's root.
	File, Loader DataFile
	Libraries    []DataFile
	Files        []DataFile // what it reads
	// Arguments go behind those that it is given; "$ROOT" is where the host's files are. Where DirectoryArgument is not
	// empty, each directory of Files makes one more.
	Arguments         []string
	DirectoryArgument string
}

// Tool is what the plan tells of one.
type Tool struct {
	Path      string   `json:"path"`   // as drivers name it
	Inside    string   `json:"inside"` // what they start
	File      string   `json:"file"`   // on the host
	Libraries []string `json:"libraries"`
	Reason    string   `json:"reason"`
}

// planTools generates the scripts, and leads drivers to them.
func (p *planner) planTools() {
	for _, h := range p.in.Host.Tools {
		d := Tool{Path: h.Path, Inside: path.Join(p.toolDir(), h.Path), File: h.File.Path, Reason: h.Reason}
		for _, l := range h.Libraries {
			d.Libraries = append(d.Libraries, l.Path)
		}
		p.plan.Tools = append(p.plan.Tools, d)
		p.plan.artefacts.Generated = append(p.plan.artefacts.Generated, GeneratedFile{
			File: path.Join(p.in.Arch.Triplet, "tools", h.Path), Text: []byte(h.script())})
		p.mapPath(p.behindLinks(h.Path), d.Inside, h.Reason)
	}
}

// script is for the runtime's /bin/sh. It finds the root from where it is itself, so that it is
// right wherever the capsule is. It takes out of the environment only what would bring the runtime's
// libraries into the process.
func (h *HostTool) script() string {
	var dirs, arguments []string
	for _, l := range h.Libraries {
		dirs = addOnce(dirs, below(path.Dir(l.Path)))
	}
	for _, a := range h.Arguments {
		arguments = append(arguments, word(a))
	}
	if h.DirectoryArgument != "" {
		for _, f := range h.Files {
			arguments = addOnce(arguments, word(h.DirectoryArgument+path.Dir(f.Path)))
		}
	}
	return fmt.Sprintf("#!/bin/sh\n# The host's %s with the host's C library.\nROOT=${0%%%s}/root\nunset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT\n"+
		"exec %s --inhibit-cache --library-path %s %s \"$@\" %s\n", h.Path, quote("/tools"+h.Path), below(h.Loader.Path),
		strings.Join(dirs, ":"), below(h.File.Path), strings.Join(arguments, " "))
}

// below is a path of the host as one word of the script's, word one with "$ROOT" in it.
func below(path string) string { return word("$ROOT" + path) }

func word(s string) string {
	parts := strings.Split(s, "$ROOT")
	for i, p := range parts {
		if parts[i] = ""; p != "" {
			parts[i] = quote(p)
		}
	}
	return strings.Join(parts, `"$ROOT"`)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// mountTools shows the scripts and, each by itself, what the tools need.
func (p *planner) mountTools(add func(mount.Op)) {
	if len(p.in.Host.Tools) == 0 {
		return
	}
	add(mount.Op{Kind: mount.Bind, Source: path.Join(p.in.Arch.Triplet, "tools"), Target: p.toolDir(), ReadOnly: true,
		Why: "programs that drivers start"})
	seen := map[string]bool{}
	for _, h := range p.in.Host.Tools {
		for _, f := range slices.Concat([]DataFile{h.File, h.Loader}, h.Libraries, h.Files) {
			if !seen[f.Path] {
				seen[f.Path] = true
				add(mount.Op{Kind: mount.Bind, Source: f.Source, Target: path.Join(p.toolRoot(), f.Path), ReadOnly: true,
					Why: "for " + h.Path + ": " + h.Reason})
			}
		}
	}
}
