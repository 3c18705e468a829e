package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ordinary is a user id that a machine is unlikely to have given to anyone.
const ordinary = 64017

// measureLaunch takes the time from fork to exit of /bin/true, for the launcher, for bwrap with the same list of
// operations, and for unshare, which does no mounts at all.
func measureLaunch(ctx context.Context, b *bench) ([]figure, error) {
	users := []int{os.Geteuid()}
	if os.Geteuid() == 0 {
		users = append(users, ordinary)
	}
	var figures []figure
	for _, uid := range users {
		f, err := launchAs(ctx, b, uid)
		if err != nil {
			return figures, fmt.Errorf("as user %d: %w", uid, err)
		}
		figures = append(figures, f...)
	}
	return figures, nil
}

func launchAs(ctx context.Context, b *bench, uid int) ([]figure, error) {
	who, home := "as root", b.home
	if uid != 0 {
		who = "unprivileged"
	}
	if uid != os.Geteuid() {
		home = filepath.Join(b.dir, fmt.Sprint(uid))
		if err := os.Mkdir(home, 0o700); err != nil {
			return nil, err
		}
		if err := os.Chown(home, uid, uid); err != nil {
			return nil, err
		}
	}
	dirs, err := get(ctx, "runtime11", "host13")
	if err != nil {
		return nil, err
	}
	as := func(name string, args ...string) *exec.Cmd {
		cmd := b.command(ctx, name, args...)
		cmd.Env, cmd.Dir = b.env(home), home
		if uid != os.Geteuid() {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
		}
		return cmd
	}
	ours := append([]string{b.binary}, "--runtime", dirs[0], "--host", dirs[1], "--")
	theirs, err := sameMounts(as, b.binary, dirs, b.env(home), home)
	if err != nil {
		return nil, err
	}
	note, err := compareMounts(as, ours, theirs)
	if err != nil {
		return nil, err
	}
	run := func(command ...string) sampler {
		return func(context.Context) (sample, error) { return timed(as(command[0], command[1:]...)) }
	}
	got, err := alternate(ctx, b.count(80), run(append(theirs, "/bin/true")...), run(append(ours, "/bin/true")...),
		run("unshare", "-rm", "true"))
	if err != nil {
		return nil, err
	}
	f := func(against string, reference []sample, t target) figure {
		return figure{Name: "/bin/true of Debian 11 on Debian 13, " + who, Unit: "ms", Against: against, Compare: ratio,
			Reference: column(reference, "ms"), Capsule: column(got[1], "ms"), target: t}
	}
	withBwrap := f("bwrap, same mounts", got[0], timesAtMost(1.5))
	withBwrap.Notes = []string{"launch " + who + ": " + note}
	return []figure{withBwrap, f("unshare -rm", got[2], target{})}, nil
}

// timed runs a command from fork to exit. Its streams are /dev/null: a pipe would cost a goroutine on our side.
func timed(cmd *exec.Cmd) (sample, error) {
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	took := time.Since(begin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	return sample{"ms": took.Seconds() * 1e3}, nil
}

// compareMounts shows that the comparison is fair: how many mounts the program sees on both sides.
func compareMounts(as func(string, ...string) *exec.Cmd, ours, theirs []string) (string, error) {
	var counts []int
	for _, command := range [][]string{ours, theirs} {
		command = append(command[:len(command):len(command)], "/bin/cat", "/proc/self/mountinfo")
		cmd := as(command[0], command[1:]...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w\n%s", command[0], err, errs.String())
		}
		counts = append(counts, bytes.Count(out, []byte("\n")))
	}
	return fmt.Sprintf("%d mounts with capsule-run, %d with bwrap", counts[0], counts[1]), nil
}
