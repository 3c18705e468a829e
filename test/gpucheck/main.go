package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

var errUsage = errors.New("usage: gpu-check prepare [DIR] | run [--software] [--rounds N] [--isolation HOW] [--from DIR]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "gpu-check: error:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch rest := args[1:]; args[0] {
	case "prepare":
		dir := "build/gpu-check"
		if len(rest) == 1 {
			dir = rest[0]
		} else if len(rest) > 1 {
			return errUsage
		}
		return prepare(ctx, dir)
	case "run":
		flags := flag.NewFlagSet("gpu-check run", flag.ExitOnError)
		c := &comparison{out: os.Stdout}
		flags.BoolVar(&c.software, "software", false, "take drivers that compute on the processor for GPUs")
		flags.StringVar(&c.isolation, "isolation", "auto", "capsule-run's: userns, none, or auto")
		flags.IntVar(&c.rounds, "rounds", 5, "how often each program is run; times are medians")
		flags.StringVar(&c.from, "from", "", "the directory that prepare made (default: where this program lies)")
		if err := flags.Parse(rest); err != nil {
			return err
		}
		if flags.NArg() > 0 || c.rounds < 1 {
			return errUsage
		}
		return c.run(ctx)
	}
	return errUsage
}
