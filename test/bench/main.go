package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// A section measures figures that belong together. Those it has are used even if it also returns an error.
type section struct {
	name    string
	measure func(context.Context, *bench) ([]figure, error)
}

var sections = []section{
	{"first", measureFirst},
	{"calls", measureCalls},
	{"paths", measurePaths},
	{"launch", measureLaunch},
	{"frames", measureFrames},
	{"newpair", measureNewPair},
	{"hook", measureHook},
	{"memory", measureMemory},
}

func main() {
	only := flag.String("run", "", "measure only sections that match this regular expression")
	rounds := flag.Int("n", 0, "rounds of each measurement (default: as many as each needs)")
	file := flag.String("json", "", "write all figures with their samples to this file")
	binary := flag.String("capsule-run", "bin/capsule-run", "the launcher")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *rounds, *file, *binary); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, rounds int, file, binary string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	b, err := newBench(ctx, binary, rounds)
	if err != nil {
		return err
	}
	defer b.close()
	var all []figure
	var errs []error
	for _, s := range sections {
		if !chosen.MatchString(s.name) || ctx.Err() != nil {
			continue
		}
		begin := time.Now()
		figures, err := s.measure(ctx, b)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
		for i := range figures {
			figures[i].Section = s.name
		}
		all = append(all, figures...)
		fmt.Fprintf(os.Stderr, "bench: %s took %.0f s\n", s.name, time.Since(begin).Seconds())
	}
	if err := printFigures(os.Stdout, all); err != nil {
		errs = append(errs, err)
	}
	if file != "" {
		errs = append(errs, writeJSON(file, all))
	}
	return errors.Join(append(errs, ctx.Err())...)
}
