package runtimetree

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// findLoader sets Arch and Loader by the first supported architecture whose ld.so is there.
func (t *Tree) findLoader() error {
	for _, a := range arch.All {
		if found, err := t.hasLoader(a); found || err != nil {
			return err
		}
	}
	return t.noLoader()
}

// hasLoader sets Arch and Loader if the architecture's ld.so is there.
func (t *Tree) hasLoader(a *arch.Arch) (bool, error) {
	p, err := t.Root.Resolve(a.Loader)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fault.WithHint(fmt.Errorf("runtime's dynamic loader: %w", err), "the runtime's directory must be readable")
	}
	f, err := t.read(p)
	if err != nil {
		return false, err
	}
	if f.Machine != a.Machine || f.Class != a.Class {
		return false, t.architectureError(fmt.Sprintf("%s is for %v", p, f.Machine))
	}
	t.Arch, t.Loader = a, p
	return true, nil
}

// noLoader says what the tree is instead.
func (t *Tree) noLoader() error {
	for _, dir := range loaderDirs {
		names, err := t.Root.ReadDir(dir)
		if err != nil {
			continue // there need not be such a directory
		}
		for _, n := range names {
			if ok, _ := path.Match("ld-musl-*.so.1", n); ok {
				return fault.WithHint(fmt.Errorf("runtime %s: %w (%s)", t.Dir, ErrMusl, under(dir, n)),
					"use a runtime with glibc, such as Debian or the Steam Runtime: host drivers need its symbols")
			}
		}
		for _, n := range names {
			if machine, ok := t.foreign(dir, n); ok {
				return t.architectureError(fmt.Sprintf("%s is for %v", under(dir, n), machine))
			}
		}
	}
	if other := t.otherLibc(); other != "" {
		return t.architectureError(other)
	}
	return fault.WithHint(fmt.Errorf("runtime %s: %w at %s", t.Dir, ErrNoLoader, arch.All[0].Loader),
		"the runtime must be a whole file tree with its own glibc, such as mmdebstrap makes")
}

// loaderDirs are where the loaders of glibc's and musl's ports are.
var loaderDirs = []string{"/lib", "/lib64", "/lib32", "/usr/lib", "/usr/lib64"}

// foreign says whether a name is a glibc loader for a machine that we do not support, and which.
func (t *Tree) foreign(dir, name string) (elf.Machine, bool) {
	for _, pattern := range []string{"ld-linux*.so.[0-9]", "ld64.so.[0-9]", "ld.so.1"} {
		if ok, _ := path.Match(pattern, name); !ok {
			continue
		}
		f, err := t.read(under(dir, name))
		if err != nil {
			return 0, false
		}
		return f.Machine, arch.ByELF(f.Machine, f.Class) == nil
	}
	return 0, false
}

// otherLibc describes a libc.so.6 for another architecture, in the directories that distributions use.
func (t *Tree) otherLibc() string {
	dirs := append([]string{"/lib32", "/usr/lib32"}, loaderDirs...)
	for _, up := range []string{"/lib", "/usr/lib"} {
		names, err := t.Root.ReadDir(up)
		if err != nil {
			continue
		}
		for _, n := range names {
			if ok, _ := path.Match("*-linux-gnu*", n); ok {
				dirs = append(dirs, under(up, n))
			}
		}
	}
	for _, d := range dirs {
		p := under(d, "libc.so.6")
		f, err := t.read(p)
		if err == nil && arch.ByELF(f.Machine, f.Class) == nil {
			return fmt.Sprintf("%s is for %v", p, f.Machine)
		}
	}
	return ""
}

func (t *Tree) architectureError(what string) error {
	names := ""
	for i, a := range arch.All {
		if i > 0 {
			names += ", "
		}
		names += a.Name
	}
	return fault.WithHint(fmt.Errorf("runtime %s: %w: %s", t.Dir, ErrArchitecture, what),
		"this capsule-run supports runtimes for "+names)
}
