package configs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/trust"
)

// MachineDir has the machine's files.
const MachineDir = "/etc/capsule/rules.d"

// maxFile bounds one file of rules, in bytes; maxFiles their number in a directory.
const (
	maxFile  = 1 << 20
	maxFiles = 256
)

// Source is a file of rules.
type Source struct {
	Name string
	Text []byte
}

// UserDir is where a user's files are, empty if there is no such place.
func UserDir(getenv func(string) string) string {
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "capsule-run", "rules.d")
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "capsule-run", "rules.d")
	}
	return ""
}

// Sources reads the files *.toml of the machine's directory and of the user's, in this order and by name. A directory that does
// not exist has none. They say which files of the host a program or container gets: one that others can write to is an
// error (package trust).
func Sources(machine string, user ...string) ([]Source, error) {
	var out []Source
	for i, dir := range append([]string{machine}, user...) {
		whose := trust.Machine
		if i > 0 {
			whose = trust.User
		}
		found, err := sources(dir, whose)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

func sources(dir string, whose trust.Whose) ([]Source, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir) // sorted
	if errors.Is(err, fs.ErrPermission) {
		err = cmp.Or(trust.Check(dir, whose), err) // which tells a directory that we cannot read from one that we cannot get at
	}
	if trust.Missing(err, whose) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Source
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".toml" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if len(out) == maxFiles {
			return nil, fmt.Errorf("%s: more than %d files", dir, maxFiles)
		}
		name := filepath.Join(dir, e.Name())
		text, err := trust.Read(name, whose, maxFile)
		if err != nil {
			return nil, err
		}
		out = append(out, Source{Name: name, Text: text})
	}
	return out, nil
}

// Merge reads the embedded files and then the given ones, of which each may change what came before it.
func Merge(more []Source) (*Rules, error) {
	sources, err := Embedded()
	if err != nil {
		return nil, err
	}
	return merge[Rules](append(sources, more...))
}

// apply changes r by what a later file says.
func (r *Rules) apply(o *Rules, c *checker) error {
	r.Libc, r.Interop = union(r.Libc, o.Libc), union(r.Interop, o.Interop)
	r.Directories = union(r.Directories, o.Directories)
	r.applyOpens(o)
	for n, f := range o.Families {
		i := slices.IndexFunc(r.Families, func(x Family) bool { return x.Name == f.Name })
		switch {
		case i < 0 && (f.Extend || f.Remove):
			return c.wrong(c.lineOf("", 0, "family", n), "there is no family %s to change (there are %s)", f.Name, r.names())
		case f.Remove:
			r.Families = slices.Delete(r.Families, i, i+1)
		case f.Extend:
			r.Families[i].extend(f)
		case i >= 0:
			r.Families[i] = f
		default:
			r.Families = append(r.Families, f)
		}
	}
	var err error
	if r.Data, err = changed(c, "data", r.Data, o.Data, func(d *Data) (string, bool) { return d.Path, d.Remove }); err != nil {
		return err
	}
	if r.Tools, err = changed(c, "tool", r.Tools, o.Tools, func(t *Tool) (string, bool) { return t.Path, t.Remove }); err != nil {
		return err
	}
	r.Programs, err = changed(c, "program", r.Programs, o.Programs, func(p *Program) (string, bool) { return p.Name, p.Remove })
	return err
}

// extend adds to a family's lists; what is one value is replaced where it is given.
func (f *Family) extend(o Family) {
	f.FrontEnds, f.Loaders = union(f.FrontEnds, o.FrontEnds), union(f.Loaders, o.Loaders)
	if o.Group != "" {
		f.Group = o.Group
	}
	f.BundledLoader, f.Optional = f.BundledLoader || o.BundledLoader, f.Optional || o.Optional
	f.Criteria = slices.Concat(f.Criteria, o.Criteria)
	f.Libraries = slices.Concat(f.Libraries, o.Libraries)
	f.Modules = slices.Concat(f.Modules, o.Modules)
	f.Manifests = slices.Concat(f.Manifests, o.Manifests)
}

func (r *Rules) names() string {
	var out []string
	for _, f := range r.Families {
		out = append(out, f.Name)
	}
	return strings.Join(out, ", ")
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
