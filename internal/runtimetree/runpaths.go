package runtimetree

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// RunPaths returns the directories, by their outside paths, that libraries name for themselves by absolute DT_RUNPATH or
// DT_RPATH, and that LibraryPath has not: PulseAudio's, for one. Where nothing is mounted, such a path is the host's, and
// ld.so would not find in it what the library was built with. $ORIGIN needs no help.
func (t *Tree) RunPaths() []string {
	known := t.LibraryPath()
	var out []string
	for _, dir := range t.searcher.Path() {
		names, err := t.Root.ReadDir(dir)
		if err != nil {
			continue // there need not be such a directory
		}
		for _, n := range names {
			if !strings.Contains(n, ".so") {
				continue
			}
			for _, host := range t.namedBy(under(dir, n)) {
				if !slices.Contains(known, host) {
					known, out = append(known, host), append(out, host)
				}
			}
		}
	}
	return out
}

// namedBy returns the directories that a library's file names, by their outside paths. A link names none, for its file has a
// turn of its own; nor does what is no library: a linker script, a directory.
func (t *Tree) namedBy(file string) []string {
	if i, err := t.Root.Lstat(file); err != nil || i.Mode&fs.ModeSymlink != 0 {
		return nil
	}
	f, err := t.read(file)
	if err != nil {
		return nil
	}
	var out []string
	for _, d := range slices.Concat(f.RPath, f.RunPath) {
		if !path.IsAbs(d) || strings.Contains(d, "$") {
			continue
		}
		if i, err := t.Root.Stat(d); err == nil && i.Mode.IsDir() {
			out = append(out, t.Root.HostPath(i.Path))
		}
	}
	return out
}
