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
			p := under(dir, n)
			if i, err := t.Root.Lstat(p); err != nil || i.Mode&fs.ModeSymlink != 0 { // its file has its own turn
				continue
			}
			f, err := t.read(p)
			if err != nil {
				continue // no library: a linker script, a directory
			}
			for _, d := range slices.Concat(f.RPath, f.RunPath) {
				if !path.IsAbs(d) || strings.Contains(d, "$") {
					continue
				}
				canonical, err := t.Root.Resolve(d)
				if err != nil {
					continue
				}
				if i, err := t.Root.Stat(canonical); err != nil || !i.Mode.IsDir() {
					continue
				}
				if host := t.Root.HostPath(canonical); !slices.Contains(known, host) {
					known, out = append(known, host), append(out, host)
				}
			}
		}
	}
	return out
}
