//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// longest is how long a test may take: several times the slowest one on two processors that others use too.
const longest = 15 * time.Minute

// watchdog ends a test that hangs long before `go test` does, which gives the time for all of them to the first one. It says
// which test it was, and which processes it had, and ends these: what waits for them fails then. What still waits after that
// is shown with the state of all goroutines.
func watchdog(limit, grace time.Duration) {
	debug.SetTraceback("all")
	last, since := "", time.Now()
	for range time.Tick(limit / 100) {
		// Between two tests, and while one cleans up, there is none to be seen.
		if name := runningTest(); name != last && name != "" {
			last, since = name, time.Now()
		}
		if time.Since(since) < limit {
			continue
		}
		fmt.Fprintf(os.Stderr, "integration: %s has not ended after %v; it had these processes:\n", last, limit)
		for _, pid := range descendants(os.Getpid()) {
			line, _ := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
			fmt.Fprintf(os.Stderr, "  %d: %s\n", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
			unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(grace)
		if name := runningTest(); name == last || name == "" {
			panic(last + " goes on without its processes")
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^\S+/integration\.(Test\w+)\(`)

// runningTest is the function of package testing's that has been called: one at a time here.
func runningTest() string {
	text := make([]byte, 1<<20)
	for _, m := range testFunction.FindAllSubmatch(text[:runtime.Stack(text, true)], -1) {
		if name := string(m[1]); name != "TestMain" {
			return name
		}
	}
	return ""
}

// descendants are all processes that a process has, those that are farthest from it first.
func descendants(pid int) (all []int) {
	children := map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		// The name may have spaces and parentheses in it (proc_pid_stat(5)); then follow the state and the parent.
		if rest := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])); len(rest) > 1 {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			parent, _ := strconv.Atoi(rest[1])
			children[parent] = append(children[parent], child)
		}
	}
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		all = append(all, children[todo[0]]...)
		todo = append(todo, children[todo[0]]...)
	}
	slices.Reverse(all)
	return all
}

func TestWatchdogSeesTheTest(t *testing.T) {
	t.Run("below", func(t *testing.T) {
		if got := runningTest(); got != "TestWatchdogSeesTheTest" {
			t.Errorf("%q", got)
		}
	})
	l := quick(t, "sh", "-c", "echo ready; exec sleep 1000")
	cmd := l.command(t.Context())
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	expect(t, lines(out), "ready")
	all := descendants(os.Getpid())
	i, program := slices.Index(all, cmd.Process.Pid), children(t, cmd.Process.Pid)
	if i < 0 || !slices.ContainsFunc(all[:i], func(pid int) bool { return slices.Equal(program, []string{itoa(pid)}) }) {
		t.Errorf("%v, launcher %d, program %q", all, cmd.Process.Pid, program)
	}
	cmd.Process.Kill()
	cmd.Wait()
}
