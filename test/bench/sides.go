package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
)

// commandLimit is for a single run of a program; the longest takes 6 s on an idle machine.
const commandLimit = 90 * time.Second

// A side makes the command that runs a program. The probes are in /mnt/bin natively, in /probes/bin in a capsule.
type side func(ctx context.Context, argv ...string) *exec.Cmd

// native runs in a tree as trees.Enter does, but with the machine's devices, the shared home and no new process
// namespace, as the capsule has them.
func (b *bench) native(ctx context.Context, tree string) (side, error) {
	root, err := trees.Get(ctx, tree)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, argv ...string) *exec.Cmd {
		args := []string{"--ro-bind", root, "/", "--dev-bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev", "--ro-bind", "/sys", "/sys",
			"--bind", "/tmp", "/tmp", "--ro-bind", b.probes, "/mnt", "--chdir", b.home, "--"}
		for _, a := range argv {
			args = append(args, strings.Replace(a, "probes:", "/mnt/bin/", 1))
		}
		return b.command(ctx, "bwrap", args...)
	}, nil
}

// capsule runs in a runtime with the stack of a host.
func (b *bench) capsule(ctx context.Context, runtime, host string) (side, error) {
	dirs, err := get(ctx, runtime, host)
	if err != nil {
		return nil, err
	}
	return b.inside(dirs[0], dirs[1]), nil
}

// inside is capsule with the directories of the trees, and further flags of the launcher.
func (b *bench) inside(runtime, host string, flags ...string) side {
	return func(ctx context.Context, argv ...string) *exec.Cmd {
		args := []string{"--runtime", runtime, "--host", host, "--bind", b.probes + ":/probes:ro"}
		args = append(append(args, flags...), "--")
		for _, a := range argv {
			args = append(args, strings.Replace(a, "probes:", "/probes/bin/", 1))
		}
		return b.command(ctx, b.binary, args...)
	}
}

// both returns the two sides of a release: its Mesa natively, and in its runtime by a capsule. It fails if they do not
// run the same driver, because then a comparison means nothing.
func (b *bench) both(ctx context.Context, release string) (native, capsule side, err error) {
	if native, err = b.native(ctx, "full"+release); err != nil {
		return nil, nil, err
	}
	if capsule, err = b.capsule(ctx, "runtime"+release, "full"+release); err != nil {
		return nil, nil, err
	}
	ref, err := output(ctx, native, "probes:gl_first")
	if err != nil {
		return nil, nil, err
	}
	got, err := output(ctx, capsule, "probes:gl_first")
	if err == nil && ref != got {
		err = fmt.Errorf("the sides differ in their driver: natively\n%sin the capsule\n%s", ref, got)
	}
	return native, capsule, err
}

func get(ctx context.Context, names ...string) ([]string, error) {
	var dirs []string
	for _, n := range names {
		dir, err := trees.Get(ctx, n)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// command runs in a process group of its own, all of which is ended if the context is.
func (b *bench) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = b.env(b.home), b.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output runs a program to its end and returns what it printed.
func output(ctx context.Context, s side, argv ...string) (string, error) {
	out, _, err := finish(ctx, s, argv...)
	return out, err
}

// finish is output with the processor time of all the processes that were started and waited for.
func finish(ctx context.Context, s side, argv ...string) (string, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := s(ctx, argv...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", 0, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
