package runtimes

import (
	"os"
	"path/filepath"
	"strings"
)

// locate returns the file tree in a directory: the directory itself, or what is meant in it.
//
//   - Steam's runtimes, as the client installs them: SteamLinuxRuntime_sniper/sniper_platform_VERSION/files, of which
//     VERSIONS.txt names one; an older version may lie beside it for a while, so the latest name counts.
//   - An archive with one directory at its top, as most are packed.
func locate(dir string) string {
	if isTree(dir) {
		return dir
	}
	var trees []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dir
	}
	steam := ""
	for _, e := range entries { // sorted; a version begins with a date or a number of as many digits
		sub := filepath.Join(dir, e.Name())
		if !e.IsDir() || !isTree(sub) {
			continue
		}
		trees = append(trees, sub)
		if strings.Contains(e.Name(), "_platform_") {
			steam = sub
		}
	}
	switch {
	case steam != "":
		return steam
	case len(trees) == 1:
		return trees[0]
	case len(trees) == 0 && len(entries) == 1 && entries[0].IsDir():
		return locate(filepath.Join(dir, entries[0].Name()))
	}
	return dir
}

// isTree knows a file tree by what runtimetree looks for: usr/, lib/, or the files/ of a Flatpak runtime.
func isTree(dir string) bool {
	for _, name := range []string{"usr", "lib", "files"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			return true
		}
	}
	return false
}
