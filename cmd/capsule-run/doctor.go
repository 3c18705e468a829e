package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/doctor"
	doctorreport "github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// How long a scene and a first launch may take. Both are far more than a slow machine needs.
const (
	sceneLimit    = 30 * time.Second
	buildingLimit = 3 * time.Minute
)

func doctorCommand(f *flags, status *int) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Draw through every API, natively and in the runtime, and compare",
		Long: "doctor draws a scene through each API that the host has, natively and through the capsule, compares the\n" +
			"pictures and the devices, and says what is wrong and what to do. Without a runtime the host's own tree\n" +
			"stands in for one. The report names no home directory, user or host: it can be shown to others. The exit\n" +
			"status is 0 if everything that works natively works the same through the capsule, 1 if something does not.",
		Example: "  capsule-run doctor --runtime ./debian11-runtime\n  capsule-run doctor --runtime ./debian11-runtime --json > report.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			defer o.Release()
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
			defer stop()
			r, err := doctor.Make(ctx, &doctor.Options{Options: o, Launcher: f.launcher(), Limit: sceneLimit,
				Building: buildingLimit, Doing: o.Show})
			o.Done()
			if ctx.Err() != nil {
				return fault.WithExit(fmt.Errorf("interrupted: no report was made"), 128+int(unix.SIGINT))
			}
			if err != nil {
				return err
			}
			if !r.OK {
				*status = fault.ExitFailure
			}
			return f.writeReport(cmd.OutOrStdout(), r)
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON (docs/doctor.md)")
	return c
}

func (f *flags) writeReport(out io.Writer, r *doctorreport.Report) error {
	if f.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return doctor.Print(out, r, style(os.Stdout))
}

// launcher is the command line of a launch with the same flags, but for --host, --runtime and --isolation.
func (f *flags) launcher() []string {
	argv := []string{"capsule-run"}
	if f.config != "" {
		if file, err := filepath.Abs(f.config); err == nil {
			argv = append(argv, "--config", file)
		}
	}
	for _, b := range f.boundaries {
		argv = append(argv, "--boundary", b)
	}
	for _, l := range f.libraries {
		argv = append(argv, "--library", l)
	}
	return argv
}
