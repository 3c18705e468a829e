package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/private"
)

// child is a program that may do anything: crash, hang, print without end.
type child struct {
	argv []string // of the file argv[0], or of this program where that is launcherName
	env  []string
	dir  string
}

// launcherName is what a launch is called in the list of processes.
const launcherName = "capsule-run"

// outcome is how it ended.
type outcome struct {
	stdout, stderr []byte
	status         int
	signal         unix.Signal // that ended it, 0 if none
	late           bool        // it was ended by us
	err            error       // it could not be started
}

// maxOutput is how much of what a child prints is kept, in bytes: the beginning of its standard output, the end of its standard
// error.
const (
	maxOutput = 1 << 20
	maxErrors = 16 << 10
)

// run waits for the child's end, and ends it after the limit, with all that is in its process group. The calling goroutine
// must be locked to its thread, with which the child would die.
func (c *child) run(ctx context.Context, limit time.Duration) outcome {
	if err := ctx.Err(); err != nil {
		return outcome{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out head
	var errs tail
	file := c.argv[0]
	if file == launcherName {
		file = "/proc/self/exe"
	}
	cmd := exec.Cmd{Path: file, Args: c.argv, Env: c.env, Dir: c.dir, Stdout: &out, Stderr: &errs,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		// What has left the group may hold our pipes.
		WaitDelay: 2 * time.Second}
	if err := cmd.Start(); err != nil {
		return outcome{err: err}
	}
	pid := cmd.Process.Pid
	killed := make(chan struct{})
	end := context.AfterFunc(ctx, func() {
		unix.Kill(-pid, unix.SIGKILL)
		close(killed)
	})
	// Looking before reaping: the number is the group's until then.
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	o := outcome{late: !end()}
	if o.late {
		<-killed // before the number may be another group's
	}
	unix.Kill(-pid, unix.SIGKILL)
	err := cmd.Wait()
	o.stdout, o.stderr = out.kept, errs.kept
	state := cmd.ProcessState
	if state == nil {
		return outcome{err: err}
	}
	o.status = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.signal = ws.Signal()
	}
	// The launcher gives 128+N for a program that signal N ended.
	if c.argv[0] == launcherName && o.status > 128 && o.status <= 128+64 {
		o.signal = unix.Signal(o.status - 128)
	}
	return o
}

// head keeps the beginning of what is written.
type head struct{ kept []byte }

func (h *head) Write(b []byte) (int, error) {
	h.kept = append(h.kept, b[:min(len(b), maxOutput-len(h.kept))]...)
	return len(b), nil
}

// tail keeps the end.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b[max(0, len(b)-maxErrors):]...)
	if n := len(t.kept) - maxErrors; n > 0 {
		t.kept = append(t.kept[:0], t.kept[n:]...)
	}
	return len(b), nil
}

// workplace makes the directory that the scenes' program is put into: where programs may be executed, and not in a place that
// a runtime covers. What a doctor that was killed has left goes first.
func workplace(getenv func(string) string) (*private.Scratch, error) {
	return private.Temporary(getenv, "doctor", func(dir string) error {
		// --share takes what follows a colon for something else.
		if strings.Contains(dir, ":") || covered(dir) {
			return fmt.Errorf("%s: %w", dir, errCovered)
		}
		return nil
	})
}

// errCovered says that a runtime would not show a directory.
var errCovered = errors.New("a runtime has its own files there, or its name has a colon")

// covered says whether a directory is where programs see the runtime's own files, among which no other can be made.
func covered(dir string) bool {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	switch first, _, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/"); first {
	case "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32":
		return true
	}
	return false
}
