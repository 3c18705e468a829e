package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A comparison is one `gpu-check run`.
type comparison struct {
	out      io.Writer
	from     string // what prepare made
	software bool
	rounds   int
	// isolation is capsule-run's: "userns", "none", or "auto", which becomes one of the two.
	isolation string

	forbidden string // why there are no namespaces
	work      string // a temporary directory: the runtime, the build cache, the pictures
}

// Where the two directories are seen inside; /gpu-check is no name that a runtime or a host has.
const (
	insideFrom = "/gpu-check-programs"
	insideWork = "/gpu-check"
)

// perProgram bounds one run of a program; JIT compilation of a first kernel takes seconds.
const perProgram = 2 * time.Minute

// nothing is the status by which the programs say that there is no library or no GPU (test/probes/gpu/gpu.h).
const nothing = 77

func (c *comparison) run(ctx context.Context) error {
	if c.from == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		c.from = filepath.Dir(self)
	}
	var err error
	if c.from, err = filepath.Abs(c.from); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.from, runtimeTar)); err != nil {
		return fmt.Errorf("%w (test/gpu-check prepare makes it)", err)
	}
	if c.work, err = os.MkdirTemp("", "gpu-check-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.work)
	if err := unpack(filepath.Join(c.from, runtimeTar), filepath.Join(c.work, "runtime")); err != nil {
		return fmt.Errorf("unpack the small runtime: %w", err)
	}
	if err := c.chooseIsolation(ctx); err != nil {
		return err
	}
	return c.compare(ctx)
}

// chooseIsolation tries whether capsules can have namespaces here. Where they cannot, all programs are run without: paths
// differ between the two.
func (c *comparison) chooseIsolation(ctx context.Context) error {
	if c.isolation != "auto" {
		return nil
	}
	// A program that every runtime has, and that needs nothing: ld.so looks at a file.
	trial := []string{"/lib64/ld-linux-x86-64.so.2", "--verify", libc}
	for _, c.isolation = range []string{"userns", "none"} {
		r, err := c.once(ctx, place{name: "trial", boundary: "auto"}, trial)
		if err != nil || r.status != launcherFailed {
			return err
		}
		c.forbidden = strings.TrimSpace(r.stderr)
	}
	// Something else is wrong, which the programs will tell.
	c.isolation, c.forbidden = "userns", ""
	return nil
}

const libc = "/usr/lib/" + multiarch + "/libc.so.6"

// A place is where a program runs: natively, or in the runtime at a boundary.
type place struct {
	name     string
	boundary string // empty: natively
	env      []string
}

// result is one run of a program.
type result struct {
	stdout, stderr string
	status         int
	wall           time.Duration
}

// command makes a program's command; its name is one of prepare's, or one that PATH has.
func (c *comparison) command(ctx context.Context, p place, argv []string) *exec.Cmd {
	own := false
	if _, err := os.Stat(filepath.Join(c.from, argv[0])); err == nil {
		own = true
	}
	argv = append([]string(nil), argv...)
	dir, work := c.from, c.work
	if p.boundary != "" && c.isolation != "none" {
		dir, work = insideFrom, insideWork
	}
	if own {
		argv[0] = filepath.Join(dir, argv[0])
	}
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "@work", work)
	}
	if p.boundary != "" {
		launcher := []string{filepath.Join(c.from, "capsule-run"), "--runtime", filepath.Join(c.work, "runtime"),
			"--boundary", p.boundary, "--isolation", c.isolation}
		if c.isolation != "none" {
			launcher = append(launcher, "--bind", c.from+":"+insideFrom+":ro", "--bind", c.work+":"+insideWork+":rw")
		}
		argv = append(append(launcher, "--"), argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// The build cache goes with the directory: the machine is left as it was.
	cmd.Env = append(append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(c.work, "cache")), p.env...)
	cmd.Dir = c.work
	return cmd
}

func (c *comparison) once(ctx context.Context, p place, argv []string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, perProgram)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := c.command(ctx, p, argv)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	begin := time.Now()
	err := cmd.Run()
	r := result{stdout: out.String(), stderr: errs.String(), wall: time.Since(begin)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, fmt.Errorf("%s (%s) did not end in %v", argv[0], p.name, perProgram)
	case errors.As(err, &exit):
		r.status = exit.ExitCode()
		return r, nil
	}
	return r, err
}
