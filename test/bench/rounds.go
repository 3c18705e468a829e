package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// A sample is what one run of one side gave, by name.
type sample map[string]float64

type sampler func(context.Context) (sample, error)

// alternate lets the sides take turns (A B A B …) and returns the samples by side and round. Before that each side runs
// once unmeasured: it fills the page cache, the shader cache and the build cache.
func alternate(ctx context.Context, rounds int, sides ...sampler) ([][]sample, error) {
	out := make([][]sample, len(sides))
	for r := -1; r < rounds; r++ {
		for i, s := range sides {
			got, err := s(ctx)
			if err != nil {
				return nil, err
			}
			if r >= 0 {
				out[i] = append(out[i], got)
			}
		}
	}
	return out, nil
}

// column returns one name's values by round.
func column(samples []sample, name string) []float64 {
	var out []float64
	for _, s := range samples {
		out = append(out, s[name])
	}
	return out
}

var assignment = regexp.MustCompile(`(?m)^([\w.]+)=([0-9.]+)$`)

// printed returns the sampler that runs a program and takes the lines NAME=NUMBER that it prints. Each of the names
// must be there.
func printed(s side, names []string, argv ...string) sampler {
	return func(ctx context.Context) (sample, error) {
		out, err := output(ctx, s, argv...)
		if err != nil {
			return nil, err
		}
		got := sample{}
		for _, m := range assignment.FindAllStringSubmatch(out, -1) {
			if v, err := strconv.ParseFloat(m[2], 64); err == nil {
				got[m[1]] = v
			}
		}
		for _, n := range names {
			if _, ok := got[n]; !ok {
				return nil, fmt.Errorf("%v printed no %s:\n%s", argv, n, out)
			}
		}
		return got, nil
	}
}
