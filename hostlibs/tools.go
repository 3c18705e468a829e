package hostlibs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldso"
)

// Tool is a program of the host that drivers start.
type Tool struct {
	Path   string // inside the root, as drivers name it
	File   File   // what it is, by its canonical path
	Loader File   // the ld.so that it names
	// Libraries are those that ld.so will load for it, the C library's included.
	Libraries []File
	Files     []File // what it reads besides
	Rule      *configs.Tool
}

// findTools looks for the tools of the rules. One that the host does not have, or has for another architecture, is left
// out: the driver fails as it would natively. So is one that is damaged, with a word.
func (d *discovery) findTools() {
	for i := range d.rules.Tools {
		rule := &d.rules.Tools[i]
		if !d.wants(rule.Libraries) {
			continue
		}
		for _, name := range d.root.Glob(rule.Path, maxGlob) {
			t, err := d.tool(rule, name)
			if err != nil {
				d.problems = append(d.problems, fmt.Sprintf("%s: %v: left out", name, err))
			} else if t != nil {
				d.tools = append(d.tools, t)
			}
		}
	}
}

func (d *discovery) tool(rule *configs.Tool, name string) (*Tool, error) {
	t := &Tool{Path: name, Rule: rule}
	file, err := d.toolFile(name, &t.File)
	if file == nil || file.Machine != d.arch.Machine || file.Class != d.arch.Class || file.Interp == "" {
		return nil, err
	}
	if loader, err := d.toolFile(file.Interp, &t.Loader); loader == nil {
		return nil, err
	}
	if err := d.toolLibraries(t, file); err != nil {
		return nil, err
	}
	for _, pattern := range rule.Files {
		for _, name := range d.root.Glob(pattern, maxGlob) {
			if st, err := d.root.Stat(name); err == nil && st.Mode.IsRegular() {
				t.Files = append(t.Files, File{Path: name, Source: d.root.HostPath(st.Path)})
			}
		}
	}
	return t, nil
}

// toolFile reads an ELF file; nil if there is none.
func (d *discovery) toolFile(name string, to *File) (*dynelf.File, error) {
	st, err := d.root.Stat(name)
	if err != nil || !st.Mode.IsRegular() {
		return nil, nil
	}
	f, err := d.root.OpenFile(st.Path)
	if err != nil {
		return nil, fmt.Errorf("host tool: %w", err)
	}
	defer f.Close()
	*to = File{Path: st.Path, Source: d.root.HostPath(st.Path)}
	file, err := dynelf.Read(f, st.Size)
	if errors.Is(err, dynelf.ErrNotELF) {
		return nil, nil
	}
	if err != nil {
		return nil, d.damaged(st.Path, err)
	}
	return file, nil
}

// toolLibraries follows DT_NEEDED as ld.so does in a process of its own.
func (d *discovery) toolLibraries(p *Tool, file *dynelf.File) error {
	from := []ldso.Loader{{Path: p.File.Path, File: file}}
	var seen []string
	for i := 0; i < len(from); i++ { // from grows meanwhile
		for _, name := range from[i].File.Needed {
			if slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
			at, _, err := d.find(name, from[i])
			if errors.Is(err, ldso.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			var lib File
			l, err := d.toolFile(at, &lib)
			if err != nil {
				return err
			}
			if l == nil || lib == p.Loader {
				continue
			}
			if path.Base(lib.Path) != name && !strings.Contains(name, "/") { // ld.so looks for the name
				lib.Path = path.Join(path.Dir(lib.Path), name)
			}
			p.Libraries = append(p.Libraries, lib)
			from = append(from, ldso.Loader{Path: lib.Path, File: l})
		}
	}
	return nil
}
