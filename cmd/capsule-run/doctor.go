package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/doctor"
	"github.com/capsule-run/capsule-run/internal/doctor/page"
	doctorreport "github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// How long a scene and a first launch may take. Both are far more than a slow machine needs.
const (
	sceneLimit    = 30 * time.Second
	buildingLimit = 3 * time.Minute
)

func doctorCommand(f *flags, status *int) *cobra.Command {
	html := ""
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Draw through every API, natively and in the runtime, and compare",
		Long: "doctor draws a scene through each API that the host has, natively and through the capsule, compares the\n" +
			"pictures and the devices, and says what is wrong and what to do. Without a runtime the host's own tree\n" +
			"stands in for one. The report names no home directory, user or host: it can be shown to others. The exit\n" +
			"status is 0 if everything that works natively works the same through the capsule, 1 if something does not.",
		Example:           "  capsule-run doctor --runtime ./debian11-runtime\n  capsule-run doctor --runtime ./debian11-runtime --html report.html",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if html == "-" && f.json {
				return usage("--json and --html - both write to standard output", "give --html the name of a file")
			}
			o, err := f.options()
			if err != nil {
				return err
			}
			defer o.Release()
			if html != "" && html != "-" {
				if _, _, err := pageTarget(html); err != nil {
					return err
				}
			}
			ctx, stop := interruptible()
			defer stop()
			r, err := doctor.Make(ctx, &doctor.Options{Options: o, Launcher: f.launcher(), Limit: sceneLimit,
				Building: buildingLimit, Doing: o.Show})
			o.Done()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				return err
			}
			if !r.OK {
				*status = fault.ExitFailure
			}
			if html == "-" {
				return page.Write(cmd.OutOrStdout(), r)
			}
			if html != "" {
				if err := writePage(html, r); err != nil {
					return err
				}
			}
			return f.printReport(cmd.OutOrStdout(), r, html)
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON (docs/doctor.md)")
	c.Flags().StringVar(&html, "html", "", "write a page with the pictures and the plan to a `FILE`, - for standard output")
	if err := c.MarkFlagFilename("html", "html"); err != nil {
		panic(err) // the flag's name is misspelt
	}
	return c
}

// interruptible ends with a signal that asks us to end, whose exit status its cause has.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		if s, ok := (<-signals).(unix.Signal); ok {
			cancel(fault.WithExit(errors.New("interrupted: no report was made"), 128+int(s)))
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
	}
}

func (f *flags) printReport(out io.Writer, r *doctorreport.Report, html string) error {
	if f.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	attach := "For a bug report --html report.html writes all of it to a page; it names neither user nor home."
	if html != "" {
		attach = "Attach " + html + " to a bug report; it names neither user nor home."
	}
	return doctor.Print(out, r, style(os.Stdout), attach)
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
