// Package runtimetree looks at the tree that a program is to run in, the runtime: which architecture, loader and C
// library it has, and which of its libraries its own loader would find.
//
// It exists so that the plan can compare what host libraries want with what this runtime gives, and so that a
// directory that cannot be a runtime is refused with a reason before anything is built or mounted. It changes
// nothing in the tree and executes nothing of it.
package runtimetree

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"syscall"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/ldso"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// Reasons for refusing a directory; each comes wrapped with the path and a hint (fault.Hint). A directory that does
// not exist is fs.ErrNotExist, and a corrupt file one of the errors of dynelf or ldcache.
var (
	ErrNotDirectory = errors.New("not a directory")
	ErrNoLoader     = errors.New("no dynamic loader (ld.so)")
	ErrNoLibc       = errors.New("no C library (libc.so.6)")
	ErrMusl         = errors.New("built on musl, not on glibc")
	ErrArchitecture = errors.New("of another architecture")
)

// Layouts of a runtime.
const (
	// LayoutSysroot has directories /bin and /lib of its own, LayoutMergedUsr links to /usr in their place (or nothing:
	// a tree with /usr alone), LayoutFlatpak a directory files/ that is /usr.
	LayoutSysroot   = "sysroot"
	LayoutMergedUsr = "merged-usr"
	LayoutFlatpak   = "flatpak"
)

// Tree is a runtime.
type Tree struct {
	Dir    string // outside, canonical
	Layout string
	Root   *rootfs.Root
	Arch   *arch.Arch
	// Loader is the canonical path of ld.so inside.
	Loader string
	// LibcVersion is the release of glibc, "2.31": the highest version that its libraries define.
	LibcVersion string
	// Top are the new root's top-level names that come from the runtime.
	Top []TopEntry
	// Cache are the entries of the runtime's ld.so.cache, if HasCache.
	HasCache bool
	Cache    []ldcache.Entry

	searcher *ldso.Searcher
	mu       sync.Mutex
	found    map[string]*result
}

// TopEntry is a name at the top of the new root.
type TopEntry struct {
	Name string
	// Source is the outside path of a directory; or else Link is the text of a symbolic link.
	Source, Link string
}

// Library is a library of the runtime.
type Library struct {
	Name string // as asked for
	Path string // canonical, inside the runtime
	How  string // by which rule it is found (ldso.Searcher.Find)
	File *dynelf.File
	// Exports returns what it defines. The file is read at the first call.
	Exports func() ([]dynelf.Symbol, error)
}

type result struct {
	library *Library
	err     error
}

const (
	// maxExports is how many symbols of a library can be handed on: those of one object in package
	// capsule/dso. The largest that is asked for its exports is the C library, with 3,400.
	maxExports = 1 << 16
	// symbolCost is in bytes, of what may be read of a tree (rootfs.Root.Spend): what is made of
	// one symbol on its way to a proxy. A byte of its name, which may share it with others, is kept
	// twice.
	symbolCost = 512
)

// hwcapsSince is the first glibc 2.x that knows glibc-hwcaps subdirectories.
const hwcapsSince = 33

// Inspect looks at a runtime's directory.
func Inspect(dir string) (*Tree, error) {
	root, err := rootfs.Open(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.WithHint(fmt.Errorf("runtime %s: %w", dir, fs.ErrNotExist),
			"give --runtime the directory of an unpacked file tree with its own usr/ and lib/")
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fault.WithHint(fmt.Errorf("runtime %s: %w", dir, ErrNotDirectory),
			"--runtime takes a directory, an archive or an OCI image layout")
	case err != nil:
		return nil, fmt.Errorf("runtime %s: %w", dir, err)
	}
	t, err := InspectRoot(root)
	if err == nil {
		t.Top, err = top(root)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return t, nil
}

// InspectRoot looks at a tree that is open, and leaves Top empty: what is mounted already needs no new root.
func InspectRoot(root *rootfs.Root) (*Tree, error) {
	t := &Tree{Dir: root.Dir(), Root: root, found: map[string]*result{}}
	t.Layout = layout(root)
	if err := t.findLoader(); err != nil {
		return nil, err
	}
	if err := t.inspectLibc(); err != nil {
		return nil, err
	}
	return t, nil
}

// Others are the same runtime as its other loaders see it: a 64-bit runtime that runs 32-bit programs too. A loader
// without a C library does not count.
func (t *Tree) Others() ([]*Tree, error) {
	var others []*Tree
	for _, a := range arch.All {
		if a == t.Arch {
			continue
		}
		o := &Tree{Dir: t.Dir, Layout: t.Layout, Root: t.Root, Top: t.Top, found: map[string]*result{}}
		found, err := o.hasLoader(a)
		if err == nil && found {
			err = o.inspectLibc()
		}
		switch {
		case errors.Is(err, ErrNoLibc) || errors.Is(err, ErrArchitecture):
			continue
		case err != nil:
			return nil, err
		case found:
			others = append(others, o)
		}
	}
	return others, nil
}

// inspectLibc reads the loader cache and the C library of t.Arch.
func (t *Tree) inspectLibc() error {
	var err error
	if t.searcher, err = ldso.New(t.Root, t.Arch); err != nil {
		return fault.WithHint(fmt.Errorf("runtime %s: %w", t.Dir, err),
			"make the cache again with: ldconfig -r "+t.Dir)
	}
	t.Cache, t.HasCache = t.searcher.Cache()
	libc, err := t.Library("libc.so.6")
	switch {
	case errors.Is(err, ldso.ErrNotFound):
		if other := t.otherLibc(); other != "" {
			return t.architectureError(other)
		}
		return fault.WithHint(fmt.Errorf("runtime %s: %w", t.Dir, ErrNoLibc),
			"the runtime must bring the C library that its programs were built for")
	case err != nil:
		return err
	}
	version := dynelf.GlibcMinor(func(soname string) *dynelf.File {
		l, err := t.Library(soname)
		if err != nil {
			return nil
		}
		return l.File
	})
	if version == 0 {
		return fault.WithHint(fmt.Errorf("runtime %s: %s defines no GLIBC version: %w", t.Dir, libc.Path, ErrNoLibc),
			"the runtime's libc.so.6 must be that of glibc")
	}
	t.LibcVersion = fmt.Sprintf("2.%d", version)
	if version < hwcapsSince {
		t.searcher.IgnoreHWCaps()
	}
	return nil
}

// LibraryPath returns the directories that the runtime's loader searches, in its order, as outside paths.
func (t *Tree) LibraryPath() []string {
	var dirs []string
	for _, d := range t.searcher.Path() {
		if canonical, err := t.Root.Resolve(d); err == nil {
			dirs = append(dirs, t.Root.HostPath(canonical))
		}
	}
	return dirs
}

// Library returns what the runtime's own loader would load for a SONAME. The error wraps ldso.ErrNotFound if that is
// nothing, or names the file that cannot be read.
func (t *Tree) Library(soname string) (*Library, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.found[soname]
	if r == nil {
		l, err := t.library(soname)
		r = &result{l, err}
		t.found[soname] = r
	}
	return r.library, r.err
}

func (t *Tree) library(soname string) (*Library, error) {
	p, how, err := t.searcher.Find(soname)
	if err != nil {
		return nil, fmt.Errorf("runtime %s: %w", t.Dir, err)
	}
	canonical, err := t.Root.Resolve(p)
	if err != nil {
		return nil, err
	}
	l := &Library{Name: soname, Path: canonical, How: how}
	if l.File, err = t.read(canonical); err != nil {
		return nil, err
	}
	l.Exports = sync.OnceValues(func() ([]dynelf.Symbol, error) {
		f, err := t.Root.OpenFile(canonical)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return nil, err
		}
		defined, _, err := dynelf.SymbolsUpTo(f, st.Size(), maxExports)
		if err == nil {
			cost := 0
			for i := range defined {
				cost += symbolCost + 2*len(defined[i].Name)
			}
			if err := t.Root.Spend(cost); err != nil {
				return nil, err
			}
		}
		return defined, t.corrupt(canonical, err)
	})
	return l, nil
}

// read reads what an ELF file of the runtime says of itself.
func (t *Tree) read(p string) (*dynelf.File, error) {
	f, err := t.Root.OpenFile(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := dynelf.Read(f, st.Size())
	return file, t.corrupt(p, err)
}

func (t *Tree) corrupt(p string, err error) error {
	if err == nil {
		return nil
	}
	hint := "the file is damaged: install the package that it belongs to again"
	if errors.Is(err, dynelf.ErrExcessive) {
		hint = "the file is made to cost time or memory, or is no ordinary library: use a runtime from another source"
	}
	return fault.WithHint(fmt.Errorf("runtime library %s: %w", t.Root.HostPath(p), err), hint)
}

func layout(root *rootfs.Root) string {
	if root.Flatpak() {
		return LayoutFlatpak
	}
	for _, name := range []string{"/lib", "/bin", "/lib64"} {
		i, err := root.Lstat(name)
		if err == nil && i.Mode.IsDir() {
			return LayoutSysroot
		}
	}
	return LayoutMergedUsr
}

// hostNames are the top-level names that a program finds from the host, not from the runtime.
var hostNames = map[string]bool{"boot": true, "dev": true, "home": true, "lost+found": true, "media": true, "mnt": true,
	"proc": true, "root": true, "run": true, "sys": true, "tmp": true}

// top lists the directories and links at the top of the tree, sorted by name.
func top(root *rootfs.Root) ([]TopEntry, error) {
	names, err := root.ReadDir("/")
	if err != nil {
		return nil, err
	}
	var entries []TopEntry
	for _, n := range names {
		if hostNames[n] {
			continue
		}
		i, err := root.Lstat("/" + n)
		if err != nil {
			return nil, err
		}
		switch {
		case i.Mode.IsDir():
			entries = append(entries, TopEntry{Name: n, Source: root.HostPath(i.Path)})
		case n == "etc" && root.Flatpak():
			entries = append(entries, TopEntry{Name: n, Source: root.HostPath("/usr/etc")})
		case i.Mode&fs.ModeSymlink != 0:
			text, err := root.Readlink("/" + n)
			if err != nil {
				return nil, err
			}
			entries = append(entries, TopEntry{Name: n, Link: text})
		}
	}
	return entries, nil
}

// under joins a directory inside and a name.
func under(dir, name string) string { return path.Join("/", dir, name) }
