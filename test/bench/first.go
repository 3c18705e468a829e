package main

import (
	"context"
	"os/exec"
)

// measureFirst takes the times inside the process: the probe exec_at notes the time right before it execs gl_first, so the
// launcher and bwrap have no part in them. Between exec and main() the capsule opens its namespace, fills proxies and
// loads libGL with its dependencies, which the native program loads too; the drivers follow after main().
//
// libcapsule opens the dependencies of a driver with RTLD_LAZY, while the native loader binds at once what a dlopen
// with RTLD_NOW brings in. So the capsule may come out faster. A pair of figures with LD_BIND_NOW on both sides shows
// what it costs where the work is the same.
func measureFirst(ctx context.Context, b *bench) ([]figure, error) {
	var figures []figure
	for _, pair := range []struct {
		release string
		rounds  int
		title   string
		env     string
		targets [2]target // to the first glGetString, to main()
	}{
		{"13", 40, "Debian 13", "", [2]target{moreAtMost(5, "ms"), moreAtMost(1.5, "ms")}},
		{"12", 20, "Debian 12", "", [2]target{moreAtMost(5, "ms"), moreAtMost(1.5, "ms")}},
		{"11", 20, "Debian 11", "", [2]target{moreAtMost(5, "ms"), moreAtMost(1.5, "ms")}},
		{"13", 20, "Debian 13, LD_BIND_NOW=1", "LD_BIND_NOW=1", [2]target{}},
	} {
		native, capsule, err := b.both(ctx, pair.release)
		if err != nil {
			return figures, err
		}
		got, err := alternate(ctx, b.count(pair.rounds), gl(native, pair.env), gl(capsule, pair.env))
		if err != nil {
			return figures, err
		}
		f := func(name, column string, t target) figure {
			return figure{Name: name, Unit: "ms", Against: "native", Compare: difference,
				Reference: milliseconds(got[0], column), Capsule: milliseconds(got[1], column), target: t}
		}
		figures = append(figures,
			f("exec to first glGetString, "+pair.title, "first_ns", pair.targets[0]),
			f("  of that to main(): namespace, proxies, polyfills", "main_ns", pair.targets[1]),
			f("  of that from main() on: drivers", "after_ns", target{}))
	}
	// The case that capsule-run is for. It has no reference: a Debian 11 program cannot use this Mesa natively.
	capsule, err := b.capsule(ctx, "runtime11", "host13")
	if err != nil {
		return figures, err
	}
	got, err := alternate(ctx, b.count(20), gl(capsule, ""))
	if err != nil {
		return figures, err
	}
	alone := func(name, column string) figure {
		return figure{Name: name, Unit: "ms", Compare: absent, Capsule: milliseconds(got[0], column)}
	}
	return append(figures, alone("exec to first glGetString, Debian 13's Mesa in Debian 11", "first_ns"),
		alone("  of that to main()", "main_ns")), nil
}

// gl samples the times of gl_first with one more variable in the environment, if env is not empty. It is set for that
// program alone: the launcher is static, but bwrap is not.
func gl(s side, env string) sampler {
	run := printed(func(ctx context.Context, argv ...string) *exec.Cmd {
		if env != "" {
			argv = append([]string{"/usr/bin/env", env}, argv...)
		}
		return s(ctx, argv...)
	}, []string{"main_ns", "first_ns"}, "probes:exec_at", "probes:gl_first")
	return func(ctx context.Context) (sample, error) {
		got, err := run(ctx)
		if err == nil {
			got["after_ns"] = got["first_ns"] - got["main_ns"]
		}
		return got, err
	}
}

func milliseconds(samples []sample, name string) []float64 {
	out := column(samples, name)
	for i := range out {
		out[i] /= 1e6
	}
	return out
}
