//go:build integration

// Package integration runs the real launcher with real programs of Debian's releases on real file trees. `make test`
// runs it; the trees and probes it uses are made by package trees.
package integration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Set up once by TestMain, shared by all tests: a launcher, a home directory with a build cache.
var binary, home string

func TestMain(m *testing.M) {
	if status, ok := measured(os.Args); ok {
		os.Exit(status)
	}
	os.Exit(func() int {
		dir, err := filepath.Abs("../..")
		if err != nil {
			panic(err)
		}
		binary = filepath.Join(dir, "bin", "capsule-run")
		if _, err := os.Stat(binary); err != nil {
			println("integration tests need bin/capsule-run: run make build, or make test")
			return 1
		}
		if home, err = os.MkdirTemp("", "capsule-integration-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(home)
		os.Chmod(home, 0o755)
		if os.Getenv("CAPSULE_PIGLIT") != "all" { // which takes an hour
			go watchdog(longest, time.Minute)
		}
		return m.Run()
	}())
}

// machine is this machine as the host.
const machine = "/"

// host returns the root of a host by name.
func host(t *testing.T, name string) string {
	if name == "machine" {
		return machine
	}
	return trees.Tree(t, name)
}

// launch describes one run of the launcher.
type launch struct {
	runtime, host string
	flags         []string
	argv          []string
	env           []string // besides PATH, HOME, LANG
	display       *xvfb.Server
	limit         time.Duration
	stdin         string
}

type result struct {
	stdout, stderr string
	status         int
}

func (r result) both() string { return r.stdout + r.stderr }

func (l launch) args() []string {
	args := []string{"--runtime", l.runtime}
	if l.host != "" {
		args = append(args, "--host", l.host)
	}
	args = append(args, l.flags...)
	return append(append(args, "--"), l.argv...)
}

func (l launch) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, l.args()...)
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "HOME=" + home, "LANG=C.UTF-8"}, l.env...)
	if l.display != nil {
		cmd.Env = append(cmd.Env, l.display.Env()...)
	}
	cmd.Dir = home
	if l.stdin != "" {
		cmd.Stdin = strings.NewReader(l.stdin)
	}
	return cmd
}

// run runs to the end, or for l.limit (three minutes by default); a run that is cut off has status -1.
func (l launch) run(t *testing.T) result {
	t.Helper()
	limit := l.limit
	if limit == 0 {
		limit = 3 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := l.command(ctx)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return toEnd(t, ctx, cmd)
}

// toEnd runs a command; if ctx cuts it off its status is -1.
func toEnd(t *testing.T, ctx context.Context, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	r := result{stdout: out.String(), stderr: errs.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.status = -1
	case errors.As(err, &exit):
		r.status = exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return r
}

// ok runs and demands success.
func (l launch) ok(t *testing.T) result {
	t.Helper()
	r := l.run(t)
	if r.status != 0 {
		t.Fatalf("%s: exit status %d\n%s", strings.Join(l.argv, " "), r.status, tail(r.both()))
	}
	return r
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 40 {
		lines = lines[len(lines)-40:]
	}
	return strings.Join(lines, "\n")
}

// probes is where the compiled probes are inside, and the flags that bind them there.
func probes(t *testing.T) (dir string, bind []string) {
	return "/probes", []string{"--bind", trees.Probes(t) + ":/probes:ro"}
}
