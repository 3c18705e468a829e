package main

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
)

// A mapping of /proc/PID/smaps begins with a line of /proc/PID/maps, then come lines "Field: N kB" (proc_pid_smaps(5)).
var mapsLine = regexp.MustCompile(`^[0-9a-f]+-[0-9a-f]+ [rwxsp-]{4} [0-9a-f]+ \S+ \d+ *(.*)$`)

// privateByName sums private memory in KiB: "all", "dirty all", "clean all", and dirty and clean of each name.
func privateByName(smaps string) (sample, error) {
	sums := sample{}
	name := ""
	for line := range strings.Lines(smaps) {
		line = strings.TrimSuffix(line, "\n")
		if m := mapsLine.FindStringSubmatch(line); m != nil {
			name = nameOf(m[1])
			continue
		}
		field, rest, _ := strings.Cut(line, ":")
		if field != "Private_Clean" && field != "Private_Dirty" {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, " kB")), 64)
		if err != nil || name == "" {
			return nil, fmt.Errorf("smaps has the line %q", line)
		}
		key, total := dirtyKey(name), "dirty all"
		if field == "Private_Clean" {
			key, total = cleanKey(name), "clean all"
		}
		sums[key] += kib
		sums[total] += kib
		sums["all"] += kib
	}
	if sums["all"] == 0 {
		return nil, fmt.Errorf("smaps has no private memory")
	}
	return sums, nil
}

func dirtyKey(name string) string { return "dirty: " + name }
func cleanKey(name string) string { return "clean: " + name }

// mapping returns the mapping's name from a key of privateByName.
func mapping(key string) (string, bool) {
	if name, ok := strings.CutPrefix(key, "dirty: "); ok {
		return name, true
	}
	return strings.CutPrefix(key, "clean: ")
}

// nameOf groups mappings: a library has the same name on both sides, though its directory differs.
func nameOf(file string) string {
	base := path.Base(file)
	switch {
	case file == "":
		return "[anonymous]"
	case !strings.HasPrefix(file, "/"):
		return file // [heap], [stack], …
	case strings.HasPrefix(file, capsule.Dir+"/") && path.Base(path.Dir(file)) == "proxy":
		return "proxy " + base
	case strings.HasPrefix(file, capsule.Dir+"/") && path.Base(path.Dir(file)) == "lib" && !strings.Contains(file, "/host/"):
		return "capsule " + base
	}
	return base
}
