package hostlibs

import (
	"path"
	"slices"
	"strings"
)

// dataFiles lists what drivers open by an absolute path: the data of the rules, and the manifests themselves, which
// the host's own loaders read again in the process.
func (d *discovery) dataFiles() error {
	for _, rule := range d.rules.Data {
		st, err := d.root.Stat(rule.Path)
		if err != nil {
			continue
		}
		out := DataFile{Path: rule.Path, Why: rule.Why}
		if st.Mode.IsDir() {
			for _, n := range d.matching(rule.Path, rule.Match) {
				d.addFile(&out, path.Join(rule.Path, n))
			}
		} else {
			d.addFile(&out, rule.Path)
		}
		if len(out.Files) > 0 {
			d.data = append(d.data, out)
		}
	}
	byDir := map[string]*DataFile{}
	for _, m := range d.found {
		if m.Library == nil || m.Rule.BothSides { // the latter are the plan's, who joins them with the runtime's
			continue
		}
		dir := path.Dir(m.Path)
		if byDir[dir] == nil {
			byDir[dir] = &DataFile{Path: dir, Why: m.Kind + " manifests"}
		}
		d.addFile(byDir[dir], m.Path)
	}
	for _, out := range byDir {
		d.data = append(d.data, *out)
	}
	for _, out := range d.data {
		slices.SortFunc(out.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	slices.SortFunc(d.data, func(a, b DataFile) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// addFile enters a regular file; anything else is no data.
func (d *discovery) addFile(out *DataFile, p string) {
	if st, err := d.root.Stat(p); err == nil && st.Mode.IsRegular() {
		out.Files = append(out.Files, File{Path: p, Source: d.root.HostPath(st.Path)})
	}
}
