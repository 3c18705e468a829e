package main

import (
	"context"
	"os"
	"path/filepath"
)

// measureNewPair launches with an empty cache directory (discovery, plan, stubs; the trees are in the page cache), and
// with one that is filled.
func measureNewPair(ctx context.Context, b *bench) ([]figure, error) {
	var figures []figure
	for _, pair := range []struct{ name, runtime, host string }{
		{"Debian 11 on Debian 13", "runtime11", "host13"},
		{"Debian 13 on Debian 13", "runtime13", "full13"},
	} {
		capsule, err := b.capsule(ctx, pair.runtime, pair.host)
		if err != nil {
			return figures, err
		}
		run := func(cache string) (sample, error) {
			cmd := capsule(ctx, "/bin/true")
			cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+cache)
			return timed(cmd)
		}
		warm := func(context.Context) (sample, error) { return run(filepath.Join(b.dir, "warm")) }
		cold := func(context.Context) (sample, error) {
			dir, err := os.MkdirTemp(b.dir, "cold-")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(dir)
			return run(dir)
		}
		got, err := alternate(ctx, b.count(11), warm, cold)
		if err != nil {
			return figures, err
		}
		figures = append(figures, figure{Name: "first launch, " + pair.name, Unit: "ms", Against: "warm launch", Compare: difference,
			Reference: column(got[0], "ms"), Capsule: column(got[1], "ms"), target: moreAtMost(300, "ms")})
	}
	return figures, nil
}
