package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// measureMemory reads smaps of a process that has drawn a frame. A page is private if no other process maps it at
// that moment. Clean ones are pages of files, which the page cache holds in any case and which count as private only as
// long as a single program uses the file. Dirty ones are the process's own, and also pages of a file that was written a
// short while ago (the stubs and proxies of this run): the split says less than the sum.
func measureMemory(ctx context.Context, b *bench) ([]figure, error) {
	native, capsule, err := b.both(ctx, "13")
	if err != nil {
		return nil, err
	}
	read := func(s side) sampler {
		return func(ctx context.Context) (sample, error) {
			out, err := output(ctx, s, "probes:maps", "smaps")
			if err != nil {
				return nil, err
			}
			return privateByName(out)
		}
	}
	got, err := alternate(ctx, b.count(9), read(native), read(capsule))
	if err != nil {
		return nil, err
	}
	f := func(name, key string, t target) figure {
		return figure{Name: name, Unit: "KiB", Against: "native", Compare: difference,
			Reference: column(got[0], key), Capsule: column(got[1], key), target: t}
	}
	all := f("private memory with a context", "all", moreAtMost(1024, "KiB"))
	all.Notes = breakdown(got[0], got[1])
	return []figure{all, f("  of that dirty", "dirty all", target{}), f("  of that clean", "clean all", target{})}, nil
}

// breakdown lists where the sides differ, the largest difference first.
func breakdown(native, capsule []sample) []string {
	difference := func(key string) float64 { return median(column(capsule, key)) - median(column(native, key)) }
	sides := func(key string) string {
		return fmt.Sprintf("%6.0f %6.0f %+6.0f", median(column(native, key)), median(column(capsule, key)), difference(key))
	}
	names := map[string]float64{}
	for _, s := range slices.Concat(native, capsule) {
		for key := range s {
			if name, ok := mapping(key); ok {
				names[name] = difference(dirtyKey(name)) + difference(cleanKey(name))
			}
		}
	}
	lines := []string{"\nprivate memory by mapping, KiB  dirty: native capsule  more   clean: native capsule  more"}
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), cmp.Compare(a, b))
	})
	for _, name := range order {
		if d, c := difference(dirtyKey(name)), difference(cleanKey(name)); max(d, -d, c, -c) >= 4 {
			lines = append(lines, fmt.Sprintf("  %-36s %s      %s", name, sides(dirtyKey(name)), sides(cleanKey(name))))
		}
	}
	return lines
}
