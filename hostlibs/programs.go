package hostlibs

import (
	"debug/elf"

	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// Program is a program of a driver.
type Program struct {
	Name string
	Path string // canonical, inside the root
	Why  string
	File *dynelf.File
}

// programs finds the programs of the rules: of each the first file that is a program of this architecture. A script, or a
// file that is damaged, is passed over: nothing depends on it.
func (d *discovery) programs() []Program {
	var out []Program
	for _, rule := range d.rules.Programs {
		if !d.wants(rule.Libraries) {
			continue
		}
		for _, p := range rule.Paths {
			if found := d.program(p); found != nil {
				found.Name, found.Why = rule.Name, rule.Why
				out = append(out, *found)
				break
			}
		}
	}
	return out
}

func (d *discovery) program(p string) *Program {
	st, err := d.root.Stat(p)
	if err != nil || !st.Mode.IsRegular() {
		return nil
	}
	f, err := d.root.OpenFile(st.Path)
	if err != nil {
		return nil
	}
	defer f.Close()
	file, err := dynelf.Read(f, st.Size)
	if err != nil || file.Machine != d.arch.Machine || file.Class != d.arch.Class || file.Type != elf.ET_EXEC && file.Type != elf.ET_DYN {
		return nil
	}
	return &Program{Path: st.Path, File: file}
}
