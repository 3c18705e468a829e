//go:build integration

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// group is a cgroup of its own for one process, which says what memory that and its children have
// taken at most: their own, the kernel's for them, the files in memory that they wrote. It is of
// version 2 where that has the memory controller, else of version 1, as on machines that have both
// (cgroups(7)).
type group struct {
	dir string
	v2  bool
}

// newGroup makes one whose processes are killed beyond a limit of memory, in bytes. The error says
// why this machine gives none.
func newGroup(t *testing.T, limit int64) (*group, error) {
	t.Helper()
	hierarchies, err := memoryHierarchies()
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, g := range hierarchies {
		g.dir = filepath.Join(g.dir, "capsule-budget-"+shortID(t))
		if err := os.Mkdir(g.dir, 0o755); err != nil {
			problems = append(problems, err)
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(g.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		})
		limits := map[string]int64{"memory.limit_in_bytes": limit}
		if g.v2 {
			limits = map[string]int64{"memory.max": limit, "memory.swap.max": 0}
		}
		for name, n := range limits {
			// A kernel without swap has no file for it.
			if err := os.WriteFile(filepath.Join(g.dir, name), fmt.Append(nil, n), 0); err != nil && name != "memory.swap.max" {
				return nil, err
			}
		}
		if _, err := g.peak(); err != nil { // memory.peak is of Linux 5.19
			problems = append(problems, err)
			continue
		}
		return &g, nil
	}
	return nil, errors.Join(append(problems, errors.New("no cgroup with the memory controller"))...)
}

// memoryHierarchies are the directories below which a group can be made: the tests' own cgroup, or
// the top of the hierarchy.
func memoryHierarchies() ([]group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var out []group
	add := func(point, path string, v2 bool) {
		for _, dir := range []string{filepath.Join(point, path), point} {
			if _, err := os.Stat(dir); err == nil && !slices.Contains(out, group{dir, v2}) {
				out = append(out, group{dir, v2})
			}
		}
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		dash := slices.Index(fields, "-")
		if dash < 5 || dash+3 >= len(fields) {
			continue
		}
		point, kind, options := fields[4], fields[dash+1], strings.Split(fields[dash+3], ",")
		for entry := range strings.Lines(string(own)) { // hierarchy:controllers:path
			part := strings.SplitN(strings.TrimSpace(entry), ":", 3)
			switch {
			case len(part) < 3:
			case kind == "cgroup" && slices.Contains(options, "memory") && slices.Contains(strings.Split(part[1], ","), "memory"):
				add(point, part[2], false)
			case kind == "cgroup2" && part[0] == "0" && delegates(point):
				add(point, "", true)
			}
		}
	}
	return out, nil
}

// delegates says whether children of a cgroup of version 2 have the memory controller, and turns it
// on if it can be.
func delegates(dir string) bool {
	has := func(name string) bool {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return slices.Contains(strings.Fields(string(text)), "memory")
	}
	if has("cgroup.controllers") && !has("cgroup.subtree_control") {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory"), 0)
	}
	return has("cgroup.subtree_control")
}

func (g *group) processes() string { return filepath.Join(g.dir, "cgroup.procs") }

// peak is in bytes.
func (g *group) peak() (int64, error) {
	name := "memory.max_usage_in_bytes"
	if g.v2 {
		name = "memory.peak"
	}
	text, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// killed says how many processes wanted more than the limit.
func (g *group) killed() (int64, error) {
	name := "memory.oom_control"
	if g.v2 {
		name = "memory.events"
	}
	f, err := os.Open(filepath.Join(g.dir, name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if n, ok := strings.CutPrefix(s.Text(), "oom_kill "); ok {
			return strconv.ParseInt(n, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no oom_kill", f.Name())
}

// measureTo is an argument by which the tests' program is what an engine calls in the hook's place:
// it runs the hook, with its own standard input, and writes what that has used to a file.
const measureTo = "--measure-to="

// measured is the life of such a process, if this is one.
func measured(args []string) (status int, ok bool) {
	if len(args) < 3 {
		return 0, false
	}
	file, ok := strings.CutPrefix(args[1], measureTo)
	if !ok {
		return 0, false
	}
	child, err := os.StartProcess(args[2], args[2:], &os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	state, err := child.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	usage := state.SysUsage().(*syscall.Rusage)
	text := fmt.Sprintf("%d %d", (state.UserTime() + state.SystemTime()).Milliseconds(), usage.Maxrss)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	if !state.Exited() {
		fmt.Fprintln(os.Stderr, state)
		return 1, true
	}
	return state.ExitCode(), true
}
