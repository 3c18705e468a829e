package ldso

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/capsule-run/capsule-run/internal/rootfs"
)

const (
	maxConf      = 1 << 20
	maxConfFiles = 512
	maxConfDirs  = 4096
)

// errConf says that the files of ld.so.conf exceed what can be meant seriously.
var errConf = errors.New("too many files or directories in ld.so.conf")

// conf is the state of reading ld.so.conf and what it includes.
type conf struct {
	root *rootfs.Root
	seen map[string]bool // canonical paths: a file that includes itself is read once
	dirs []string
	has  map[string]bool // of dirs
	// denied is told of a file that may not be read: ldconfig, which may, would have gone on after it.
	denied func(error)
}

// readConf returns the directories of an ld.so.conf in their order (glibc 2.41, elf/ldconfig.c, parse_conf). A file
// that does not exist names none.
func readConf(root *rootfs.Root, file string, denied func(error)) ([]string, error) {
	c := conf{root: root, seen: map[string]bool{}, has: map[string]bool{}, denied: denied}
	if err := c.read(file); err != nil {
		return nil, err
	}
	return c.dirs, nil
}

func (c *conf) read(file string) error {
	canonical, err := c.root.Resolve(file)
	if err != nil || c.seen[canonical] {
		return nil // an include that names nothing is no error to ldconfig
	}
	if c.seen[canonical] = true; len(c.seen) > maxConfFiles {
		return fmt.Errorf("read %s: %w", c.root.HostPath(canonical), errConf)
	}
	data, err := c.root.ReadFile(file, maxConf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		c.denied(err)
		return nil
	}
	if err == nil {
		err = c.root.Spend(confCost * len(data))
	}
	if err != nil {
		return fmt.Errorf("read ld.so.conf: %w", err)
	}
	dirs, includes := parseConf(string(data))
	for i, d := range dirs {
		for _, pattern := range includes[i] {
			if !path.IsAbs(pattern) {
				pattern = path.Join(path.Dir(file), pattern)
			}
			for _, f := range c.root.Glob(pattern, maxConfFiles) {
				if err := c.read(f); err != nil {
					return err
				}
			}
		}
		if d != "" && !c.has[d] {
			c.has[d] = true
			if c.dirs = append(c.dirs, d); len(c.dirs) > maxConfDirs {
				return fmt.Errorf("read %s: %w", c.root.HostPath(canonical), errConf)
			}
		}
	}
	return nil
}

// parseConf returns for each line that says something a directory, or (with an empty directory) the patterns that it
// includes.
func parseConf(text string) (dirs []string, includes [][]string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		switch {
		case word == "include":
			dirs, includes = append(dirs, ""), append(includes, strings.Fields(rest))
		case word == "hwcap": // of glibc before 2.38, obsolete
		default:
			d, _, _ := strings.Cut(line, "=") // DIRECTORY=TYPE is an old way to say which libc
			if d = strings.TrimSpace(d); path.IsAbs(d) && strings.IndexByte(d, 0) < 0 {
				dirs, includes = append(dirs, path.Clean(d)), append(includes, nil)
			}
		}
	}
	return dirs, includes
}
