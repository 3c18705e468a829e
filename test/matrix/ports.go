package main

import (
	"context"
	"os"
	"strings"

	"github.com/capsule-run/capsule-run/test/trees"
)

const machine = "this machine"

// A port is one architecture's part of the matrix.
type port struct {
	name, triplet   string
	hosts, runtimes []side
	probes          func(context.Context) (string, error)
}

// A side is a tree by name, with what the table calls it.
type side struct{ tree, title string }

var ports = []port{
	{
		name: "x86-64", triplet: "x86_64-linux-gnu", probes: trees.BuildProbes,
		hosts: []side{{machine, "this machine, " + release("/etc/os-release")}, {"host13", "Debian 13"}, {"hostsid", "Debian sid"}},
		runtimes: []side{{"runtime11", "Debian 11"}, {"runtime12", "Debian 12"}, {"runtime13", "Debian 13"},
			{"full11", "Debian 11 with loaders"}, {"full12", "Debian 12 with loaders"}, {"full13", "Debian 13 with loaders"}},
	},
	{
		name: "i386", triplet: "i386-linux-gnu", probes: trees.BuildProbesI386,
		hosts: []side{{"host13i386", "Debian 13"}},
		runtimes: []side{{"runtime11i386", "Debian 11"}, {"runtime12i386", "Debian 12"}, {"runtime13i386", "Debian 13"},
			{"full11i386", "Debian 11 with loaders"}, {"full12i386", "Debian 12 with loaders"}, {"full13i386", "Debian 13 with loaders"}},
	},
}

// release is what a distribution calls itself in os-release(5).
func release(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "unknown"
}
