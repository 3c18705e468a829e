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
//   - The files/ of one of these, or of an installed Flatpak runtime, is what is /usr inside: the directory above it is
//     the tree.
//   - An archive with one directory at its top, as most are packed.
func locate(dir string) string {
	if isFiles(dir) {
		return filepath.Dir(filepath.Clean(dir))
	}
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

// isFiles knows the /usr of a Flatpak runtime by its name and by what it has instead of an usr/ of its own.
func isFiles(dir string) bool {
	if filepath.Base(dir) != "files" { // "." has no name that could be cut off
		return false
	}
	for name, want := range map[string]bool{"usr": false, "files": false, "bin": true, "lib": true} {
		if info, err := os.Stat(filepath.Join(dir, name)); (err == nil && info.IsDir()) != want {
			return false
		}
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(filepath.Clean(dir)), "usr"))
	return err != nil
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
