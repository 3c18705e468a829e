package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// A sample is what the runs of one program in one place gave.
type sample struct {
	place          place
	stdout, stderr string
	text           string // stdout without times
	status         int
	pictures       map[string][]byte
	names          []string             // of times, in the program's order
	times          map[string][]float64 // ms
	different      []string             // from the reference
}

const wholeProcess = "whole process"

// take notes a run's times and returns the rest of what it printed. The first of several runs is no sample of time: it
// reads from the disk, and in a capsule it makes the build.
func (s *sample) take(r result, first bool) (text string) {
	note := func(name string, ms float64) {
		if s.times[name] == nil {
			s.names = append(s.names, name)
		}
		s.times[name] = append(s.times[name], ms)
	}
	var rest strings.Builder
	for line := range strings.Lines(r.stdout) {
		name, found := strings.CutPrefix(line, "time ")
		if !found {
			rest.WriteString(line)
			continue
		}
		f := strings.Fields(name)
		ms, err := strconv.ParseFloat(f[len(f)-2], 64)
		if err == nil && !first {
			note(strings.Join(f[:len(f)-2], " "), ms)
		}
	}
	ms := float64(r.wall) / float64(time.Millisecond)
	if first {
		note("first run", ms)
	} else {
		note(wholeProcess, ms)
	}
	return rest.String()
}

func (s *sample) median(name string) string {
	v := slices.Sorted(slices.Values(s.times[name]))
	if len(v) == 0 {
		return "-"
	}
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (m + v[len(v)/2-1]) / 2
	}
	return fmt.Sprintf("%.3f ms", m)
}

// report prints what a program printed natively, how the capsule's runs differ, and the times of all.
func report(w io.Writer, k check, all []*sample) {
	fmt.Fprintf(w, "## %s\n\n%s", k.name, indent(all[0].text))
	for _, name := range slices.Sorted(maps.Keys(all[0].pictures)) {
		fmt.Fprintf(w, "    picture %s, %d bytes\n", name, len(all[0].pictures[name]))
	}
	fmt.Fprintln(w)
	for _, s := range all[1:] {
		if len(s.different) == 0 {
			fmt.Fprintf(w, "%s: the same\n", s.place.name)
		}
		for _, d := range s.different {
			fmt.Fprintf(w, "%s: DIFFERENT: %s\n", s.place.name, d)
		}
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| median\t")
	for _, s := range all {
		fmt.Fprintf(t, "| %s\t", s.place.name)
	}
	fmt.Fprint(t, "|\n| ---\t"+strings.Repeat("| ---:\t", len(all))+"|\n")
	for _, name := range all[0].names {
		fmt.Fprintf(t, "| %s\t", name)
		for _, s := range all {
			fmt.Fprintf(t, "| %s\t", s.median(name))
		}
		fmt.Fprintln(t, "|")
	}
	t.Flush()
	fmt.Fprintln(w)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// describeMachine prints what a record of the comparison has to say of it.
func describeMachine(w io.Writer) {
	var u unix.Utsname
	unix.Uname(&u)
	fmt.Fprintf(w, "date: %s\nkernel: %s\n", time.Now().UTC().Format(time.DateOnly), unix.ByteSliceToString(u.Release[:]))
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				fmt.Fprintf(w, "distribution: %s\n", strings.Trim(strings.TrimSpace(name), `"`))
			}
		}
	}
	for _, file := range []string{"/proc/driver/nvidia/version", "/sys/module/amdgpu/version", "/sys/module/nvidia/version"} {
		if text, err := os.ReadFile(file); err == nil {
			line, _, _ := strings.Cut(string(text), "\n")
			fmt.Fprintf(w, "%s: %s\n", file, line)
		}
	}
	fmt.Fprintf(w, "user: %d\n", os.Geteuid())
}
