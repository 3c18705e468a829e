package main

import (
	"context"

	"github.com/capsule-run/capsule-run/test/trees"
)

// measurePaths takes the cost of the wrappers around open and stat for paths that the plan does not map. One process has
// both sides: the program calls the runtime's functions, a library of the host the capsule root's wrappers of them.
func measurePaths(ctx context.Context, b *bench) ([]figure, error) {
	host, err := trees.BuildHostWithTestLib(ctx)
	if err != nil {
		return nil, err
	}
	dirs, err := get(ctx, "runtime13")
	if err != nil {
		return nil, err
	}
	cases := []struct{ name, title string }{
		{"open", "open and close of /dev/null"},
		{"open_long", "open of a path of 49 bytes with . and .., not there"},
		{"stat", "stat of a path of 51 bytes"},
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.name+".program", c.name+".library")
	}
	inside := b.inside(dirs[0], host, "--library", "libcapsuletest-paths.so")
	got, err := alternate(ctx, b.count(15), printed(inside, names, "probes:open_cost"))
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, c := range cases {
		figures = append(figures, figure{Name: c.title, Unit: "ns", Against: "the runtime's function", Compare: difference,
			Reference: column(got[0], c.name+".program"), Capsule: column(got[0], c.name+".library")})
	}
	return figures, nil
}
