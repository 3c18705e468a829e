// Package ldso answers, for one file tree, which file the tree's dynamic loader would load for a name. The rules are
// those of glibc (2.41, elf/dl-load.c, _dl_map_new_object; ld.so(8)): DT_RPATH, DT_RUNPATH, ld.so.cache, the default
// directories, and glibc-hwcaps subdirectories in each directory.
//
// It exists because a host below another root has a loader that cannot simply be run: no program of a tree is ever
// executed here, and all links resolve inside the tree.
//
// Left out, on purpose: LD_LIBRARY_PATH and LD_PRELOAD (of a process, not of a tree), and the subdirectories tls/,
// haswell/ and the like of glibc before 2.37, which distributions no longer fill.
package ldso

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

const (
	cachePath = "/etc/ld.so.cache"
	confPath  = "/etc/ld.so.conf"
	// maxCache is far above any cache seen (some 200 KB for 5,000 libraries).
	maxCache = 8 << 20
	// What is made of a library in the cache, of a byte of its name and path, which may share theirs
	// with others', and of a byte of ld.so.conf, in bytes of what may be read (rootfs.Root.Spend).
	entryCost, stringCost, confCost = 512, 2, 8
	// maxPath is PATH_MAX.
	maxPath = 4096
)

// ErrNotFound says that the loader would not find the library. It is an fs.ErrNotExist too.
var ErrNotFound = fmt.Errorf("library not found: %w", fs.ErrNotExist)

// Loader is an object that asks for a library, by DT_NEEDED or dlopen.
type Loader struct {
	// Path is the absolute path inside the root by which it was found; its directory is $ORIGIN.
	Path string
	File *dynelf.File
}

// Searcher finds libraries in one tree for one architecture. Its methods may be called concurrently.
type Searcher struct {
	root     *rootfs.Root
	arch     *arch.Arch
	entries  []ldcache.Entry
	cache    map[string][]ldcache.Entry
	hasCache bool
	conf     []string // directories of ld.so.conf, if there is no cache
	defaults []string
	hwcaps   []string // subdirectories below glibc-hwcaps, best first

	mu     sync.Mutex
	denied map[string]bool
}

// New reads the tree's ld.so.cache. Where there is none, as in NixOS or an unfinished tree, the directories that
// /etc/ld.so.conf names are searched in its place: ldconfig would have taken them. An empty one is none, to the loader too
// (glibc 2.41, elf/dl-cache.c): engines leave such a file where something was mounted. A cache that cannot be read is an
// error that names it, and wraps ldcache.ErrTruncated or ldcache.ErrCorrupt.
func New(root *rootfs.Root, a *arch.Arch) (*Searcher, error) {
	s := &Searcher{root: root, arch: a, cache: map[string][]ldcache.Entry{}, hwcaps: hwcapsOf(a), denied: map[string]bool{}}
	for _, d := range a.LibDirs {
		s.defaults = append(s.defaults, "/"+d, "/usr/"+d)
	}
	data, err := root.ReadFile(cachePath, maxCache)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0:
		s.conf, err = readConf(root, confPath, s.deny)
		return s, err
	case err != nil:
		return nil, fmt.Errorf("read the loader's cache: %w", err)
	}
	s.hasCache = true
	if s.entries, err = ldcache.Parse(data); err != nil {
		p, _ := root.Resolve(cachePath)
		return nil, fmt.Errorf("read %s: %w", root.HostPath(p), err)
	}
	cost := entryCost * len(s.entries)
	for i := range s.entries {
		cost += stringCost * (len(s.entries[i].Name) + len(s.entries[i].Path))
	}
	if err := root.Spend(cost); err != nil {
		return nil, fmt.Errorf("read the loader's cache: %w", err)
	}
	for _, e := range s.entries {
		if e.Flags == a.CacheFlags && path.IsAbs(e.Path) {
			s.cache[e.Name] = append(s.cache[e.Name], e)
		}
	}
	return s, nil
}

// Cache returns the entries of the tree's ld.so.cache, and whether there is one.
func (s *Searcher) Cache() ([]ldcache.Entry, bool) { return s.entries, s.hasCache }

// IgnoreHWCaps makes the searcher behave as a loader that knows no glibc-hwcaps subdirectories (glibc before 2.33).
func (s *Searcher) IgnoreHWCaps() { s.hwcaps = nil }

// Find returns the path of a library, absolute and as the loader would compose it (links are not resolved), and by
// which rule it is found: "RPATH of NAME", "RUNPATH of NAME", "ld.so.cache", "ld.so.conf", "default directory" or
// "path". from is the object that asks and then, in turn, what loaded each. A file of another architecture is
// passed over; one that is no ELF file at all is returned, as the loader would stop there. The error is ErrNotFound.
func (s *Searcher) Find(name string, from ...Loader) (file, how string, err error) {
	if strings.Contains(name, "/") {
		for _, p := range s.expand(name, from) {
			if path.IsAbs(p) && s.usable(p) {
				return p, "path", nil
			}
		}
		return "", "", fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if len(from) > 0 && len(from[0].File.RunPath) == 0 {
		for i, l := range from {
			if len(l.File.RunPath) > 0 { // it makes ld.so ignore the same object's RPATH
				continue
			}
			if p := s.inPath(name, l.File.RPath, from[i:]); p != "" {
				return p, "RPATH of " + path.Base(l.Path), nil
			}
		}
	}
	if len(from) > 0 {
		if p := s.inPath(name, from[0].File.RunPath, from); p != "" {
			return p, "RUNPATH of " + path.Base(from[0].Path), nil
		}
	}
	if p := s.inCache(name); p != "" {
		s.root.Watch(path.Dir(p))
		return p, "ld.so.cache", nil
	}
	for _, d := range s.conf {
		if p := s.inDir(name, d); p != "" {
			return p, "ld.so.conf", nil
		}
	}
	for _, d := range s.defaults {
		if p := s.inDir(name, d); p != "" {
			return p, "default directory", nil
		}
	}
	return "", "", fmt.Errorf("%s: %w", name, ErrNotFound)
}

func (s *Searcher) inPath(name string, dirs []string, from []Loader) string {
	for _, d := range dirs {
		for _, d := range s.expand(d, from) {
			if !path.IsAbs(d) { // counts from the working directory, which is no part of the tree
				continue
			}
			if p := s.inDir(name, d); p != "" {
				return p
			}
		}
	}
	return ""
}

// inCache takes the entry that ld.so would: the best glibc-hwcaps one, else the first plain one.
func (s *Searcher) inCache(name string) string {
	best, rank := "", len(s.hwcaps)+1
	for _, e := range s.cache[name] {
		r := len(s.hwcaps)
		if e.HWCaps != "" {
			if r = slices.Index(s.hwcaps, e.HWCaps); r < 0 {
				continue
			}
		} else if e.LegacyHWCap != 0 {
			continue
		}
		if r < rank {
			best, rank = e.Path, r
		}
	}
	if best != "" && s.usable(best) {
		return best
	}
	return ""
}

func (s *Searcher) inDir(name, dir string) string {
	s.root.Watch(dir)
	if len(s.hwcaps) > 0 {
		sub := dir + "/glibc-hwcaps"
		if _, err := s.root.Stat(sub); err == nil {
			for _, h := range s.hwcaps {
				if p := sub + "/" + h + "/" + name; s.usable(p) {
					return p
				}
			}
		}
	}
	if p := strings.TrimSuffix(dir, "/") + "/" + name; s.usable(p) {
		return p
	}
	return ""
}

// usable says whether the loader would take this file: one of another class or machine it passes over.
func (s *Searcher) usable(p string) bool {
	st, err := s.root.Stat(p)
	s.deny(err)
	if err != nil || !st.Mode.IsRegular() {
		return false
	}
	f, err := s.root.OpenFile(p)
	s.deny(err)
	if err != nil {
		return false
	}
	defer f.Close()
	var h [20]byte
	if n, _ := f.ReadAt(h[:], 0); n < len(h) || string(h[:4]) != elf.ELFMAG {
		return true // whoever reads it reports what is wrong with it
	}
	machine := elf.Machine(uint16(h[18]) | uint16(h[19])<<8)
	if h[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		machine = elf.Machine(uint16(h[19]) | uint16(h[18])<<8)
	}
	return elf.Class(h[elf.EI_CLASS]) == s.arch.Class && machine == s.arch.Machine
}

// deny notes what an error says may not be read.
func (s *Searcher) deny(err error) {
	p := rootfs.Denied(err)
	if p == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[p] = true
}

// Denied returns the outside paths, sorted, of files and directories that a search has passed over because this process may
// not read them. The loader would pass over them too, which whoever misses a library wants to know.
func (s *Searcher) Denied() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.denied))
}

// expand replaces the dynamic string tokens. $LIB depends on how the tree's glibc was configured, so that each of
// the architecture's directories is tried; $PLATFORM is the architecture's name.
func (s *Searcher) expand(p string, from []Loader) []string {
	if !strings.Contains(p, "$") {
		return []string{p}
	}
	if len(p) >= maxPath { // each token may stand for as much
		return nil
	}
	if len(from) > 0 {
		p = replaceToken(p, "ORIGIN", path.Dir(from[0].Path))
	}
	p = replaceToken(p, "PLATFORM", s.arch.Name)
	var out []string
	for _, d := range s.arch.LibDirs {
		if e := replaceToken(p, "LIB", d); !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// replaceToken replaces $NAME and ${NAME}; a longer name that starts the same is another one.
func replaceToken(p, name, value string) string {
	p = strings.ReplaceAll(p, "${"+name+"}", value)
	var b strings.Builder
	for {
		i := strings.Index(p, "$"+name)
		if i < 0 {
			return b.String() + p
		}
		end := i + 1 + len(name)
		b.WriteString(p[:i])
		if end < len(p) && (p[end] == '_' || p[end] >= 'A' && p[end] <= 'Z' || p[end] >= 'a' && p[end] <= 'z') {
			b.WriteString(p[i:end])
		} else {
			b.WriteString(value)
		}
		p = p[end:]
	}
}

// Dirs returns the directories in which the loader looks without being told by an object: the default ones, and
// those of the cache or of ld.so.conf, sorted, without those that do not exist.
func (s *Searcher) Dirs() []string {
	return s.existing(slices.Concat(s.defaults, s.conf, s.cacheDirs()))
}

// Path returns the same directories in the order of a search, as for ld.so's option --library-path: those of ld.so.conf
// and of the cache before the default ones.
func (s *Searcher) Path() []string {
	return s.existing(slices.Concat(s.conf, s.cacheDirs(), s.defaults))
}

func (s *Searcher) cacheDirs() []string {
	dirs := map[string]bool{}
	for _, entries := range s.cache {
		for _, e := range entries {
			if e.HWCaps == "" && e.LegacyHWCap == 0 {
				dirs[path.Dir(e.Path)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(dirs))
}

// existing leaves out what is not there, and what is there under another name already.
func (s *Searcher) existing(dirs []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, d := range dirs {
		if c, err := s.root.Resolve(d); err == nil && !seen[c] {
			seen[c] = true
			out = append(out, d)
		}
	}
	return out
}

// Match returns the names that the loader would find and that match a pattern of path.Match, sorted.
func (s *Searcher) Match(pattern string) ([]string, error) {
	seen := map[string]bool{}
	add := func(name string) error {
		ok, err := path.Match(pattern, name)
		if ok {
			seen[name] = true
		}
		return err
	}
	for name := range s.cache {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	for _, d := range slices.Concat(s.conf, s.defaults) {
		names, err := s.root.ReadDir(d)
		if err != nil {
			continue // no directory, no names
		}
		for _, n := range names {
			if err := add(n); err != nil {
				return nil, err
			}
		}
	}
	var out []string
	for n := range seen {
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}
