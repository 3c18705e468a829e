// Command trees makes the file trees and the probes that the tests use, and prints where they are.
//
//	trees all            every tree, and the probes
//	trees NAME…          these trees ("probes", "hosttest" and the like are names too)
//	trees names          what there is
//	trees cache          the directory that keeps them
//	trees mirror         the Debian archive that they come from
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/capsule-run/capsule-run/test/trees"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "trees: error:", err)
		os.Exit(1)
	}
}

// built are the directories that are compiled here rather than taken from Debian.
var built = map[string]func(context.Context) (string, error){
	"probes":        trees.BuildProbes,
	"fulltest":      trees.BuildFullWithTestLib,
	"hosttest":      trees.BuildHostWithTestLib,
	"probesi386":    trees.BuildProbesI386,
	"hosttesti386":  trees.BuildHostWithTestLibI386,
	"probesarm64":   trees.BuildProbesArm64,
	"hosttestarm64": trees.BuildHostWithTestLibArm64,
	"gpuprobes":     trees.BuildGPUProbes,
	"computehost":   trees.BuildComputeHost,
}

// builtNames lists them in the order in which they are made.
var builtNames = []string{"probes", "hosttest", "fulltest", "probesi386", "hosttesti386", "probesarm64", "hosttestarm64",
	"gpuprobes", "computehost"}

func show(text string, err error) error {
	if err == nil {
		fmt.Println(text)
	}
	return err
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: trees all | names | cache | mirror | NAME…")
	}
	names := args
	switch args[0] {
	case "names":
		for _, n := range append(trees.Names(), builtNames...) {
			fmt.Println(n)
		}
		return nil
	case "cache":
		return show(trees.CacheDir())
	case "mirror":
		return show(trees.Mirror())
	case "all":
		names = append(trees.Names(), builtNames...)
	}
	var fromDebian []string
	for _, n := range names {
		if built[n] == nil {
			fromDebian = append(fromDebian, n)
		}
	}
	if err := trees.GetAll(ctx, fromDebian); err != nil {
		return err
	}
	for _, n := range names {
		make := built[n]
		if make == nil {
			make = func(ctx context.Context) (string, error) { return trees.Get(ctx, n) }
		}
		dir, err := make(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s\t%s\n", n, dir)
	}
	return nil
}
