//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A directory must not be removed while a process still writes to it: the removal then fails, or leaves half of the directory.
// Waiting for the process that a test has started is not enough: a browser's helpers and the services of a session bus
// outlive it for a moment.

// whole makes a command the first process of a PID namespace, so that waiting for it is waiting for all that it has
// started: the kernel ends them before it (pid_namespaces(7)).
func whole(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWPID
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
}

// evict removes a test's directory at the test's end, after all processes that live in it. Call it before the first of them
// is started: what is registered later with t.Cleanup runs earlier.
func evict(t *testing.T, dir string) {
	t.Helper()
	t.Cleanup(func() {
		if err := vacate(dir); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the test's directory: %v", err)
		}
	})
}

// vacate kills what lives in a directory, and waits until it is gone.
func vacate(dir string) error {
	killed := map[int]bool{}
	return waitFor(patience, func() error {
		left := inhabitants(dir)
		for _, pid := range left {
			if !killed[pid] {
				killed[pid] = true
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("processes %v still live in %s", left, dir)
		}
		return nil
	})
}

// inhabitants are the processes, other than this one, that run in a directory, have a file of it open, or have been told of
// it by their environment or arguments (a home, a run-time directory, a bus, an engine's storage).
func inhabitants(dir string) []int {
	entries, _ := os.ReadDir("/proc")
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && livesIn("/proc/"+e.Name(), dir) {
			out = append(out, pid)
		}
	}
	return out
}

func livesIn(proc, dir string) bool {
	for _, told := range []string{"/environ", "/cmdline"} {
		if text, _ := os.ReadFile(proc + told); bytes.Contains(text, []byte(dir)) {
			return true
		}
	}
	fds, _ := filepath.Glob(proc + "/fd/*")
	for _, link := range append(fds, proc+"/cwd", proc+"/root") {
		if to, err := os.Readlink(link); err == nil && (to == dir || strings.HasPrefix(to, dir+"/")) {
			return true
		}
	}
	return false
}

// A process that goes on writing below a directory, though its parent has ended, does not keep the directory.
func TestEvict(t *testing.T) {
	dir, err := os.MkdirTemp("", "capsule-evict-")
	must(t, err)
	t.Run("inhabited", func(t *testing.T) {
		evict(t, dir)
		start := exec.Command("sh", "-c", `(while :; do mkdir -p "$HOME/a/b"; : >"$HOME/a/b/c"; done) >/dev/null 2>&1 & echo here`)
		start.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir}
		out, err := start.Output()
		if err != nil || string(out) != "here\n" {
			t.Fatalf("got %q, %v", out, err)
		}
		if len(inhabitants(dir)) == 0 {
			t.Error("nobody lives there: this shows nothing")
		}
	})
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// All of a whole command has ended when the command has.
func TestWhole(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	cmd := exec.Command("sh", "-c", "setsid sleep 1000 & echo started")
	cmd.Stdout = w
	whole(cmd)
	must(t, cmd.Start())
	w.Close()
	must(t, cmd.Wait())
	// The sleeper had the pipe's other end: where it has ended there is no more to read.
	must(t, r.SetReadDeadline(time.Now().Add(patience)))
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil || out.String() != "started\n" {
		t.Errorf("got %q, %v, want the end of the pipe", out.String(), err)
	}
}
