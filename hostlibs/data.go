package hostlibs

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
)

// dataFiles lists what drivers open by an absolute path: the data of the rules, and the manifests themselves, which
// the host's own loaders read again in the process. A path at which the host has nothing is listed too, without files:
// drivers must not find the runtime's there.
func (d *discovery) dataFiles() error {
	for _, rule := range d.rules.Data {
		if !d.wants(rule.Libraries) {
			continue
		}
		var paths []string
		for _, p := range d.dataPaths(rule) {
			paths = append(paths, d.root.Glob(p, maxGlob)...)
		}
		// Not "/", below which everything is.
		if p := path.Clean(d.getenv(rule.Environment)); path.IsAbs(p) && p != "/" {
			paths = []string{p}
		}
		for _, p := range paths {
			if !slices.ContainsFunc(d.data, func(o DataFile) bool { return o.Path == p }) {
				d.data = append(d.data, d.dataAt(p, rule))
			}
		}
	}
	byDir := d.emptyManifestDirs()
	for _, m := range d.found {
		// Those of both sides are the plan's, who joins them with the runtime's.
		if m.Library == nil || m.Path == "" || m.Rule.BothSides {
			continue
		}
		dir := path.Dir(m.Path)
		if byDir[dir] == nil {
			byDir[dir] = &DataFile{Path: dir, Why: m.Kind + " manifests"}
		}
		d.addFile(byDir[dir], m.Path)
	}
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		d.data = append(d.data, *byDir[dir])
	}
	for _, out := range d.data {
		slices.SortStableFunc(out.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	// Of two for a path the plan takes the first: a rule's.
	slices.SortStableFunc(d.data, func(a, b DataFile) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// wants says whether the stack has a library of one of the patterns: one that reads the data, say. No pattern, no condition.
func (d *discovery) wants(patterns []string) bool {
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(d.all, func(l *Library) bool { return matchesAny(patterns, l.Name) })
}

// dataPaths are a rule's path, or one for each place in which libraries that read the data are installed.
func (d *discovery) dataPaths(rule configs.Data) []string {
	below, ok := strings.CutPrefix(rule.Path, configs.Prefix)
	if !ok {
		return []string{rule.Path}
	}
	var out []string
	for _, l := range d.all {
		if p := prefix(l.Path); p != "" && matchesAny(rule.Libraries, l.Name) && !slices.Contains(out, p+below) && len(out) < maxGlob {
			out = append(out, p+below)
		}
	}
	return out
}

// prefix is the directory above a library's lib/; empty if there is none but the root.
func prefix(library string) string {
	for dir := path.Dir(library); dir != "/"; dir = path.Dir(dir) {
		switch path.Base(dir) {
		case "lib", "lib32", "lib64", "libx32":
			return strings.TrimSuffix(path.Dir(dir), "/")
		}
	}
	return ""
}

// dataAt lists what there is at one path.
func (d *discovery) dataAt(p string, rule configs.Data) DataFile {
	out := DataFile{Path: p, Why: rule.Why}
	st, err := d.root.Stat(p)
	switch {
	case err != nil:
	case !st.Mode.IsDir():
		d.addFile(&out, p)
	case rule.Tree:
		out.Tree = true
		out.Files = []File{{Path: p, Source: d.root.HostPath(st.Path)}}
	default:
		for _, n := range d.matching(p, rule.Match) {
			d.addFile(&out, path.Join(p, n))
		}
	}
	return out
}

// maxGlob bounds what one pattern stands for.
const maxGlob = 64

// emptyManifestDirs are the directories in which loaders look for manifests, but for those of the user, which are the
// same on both sides.
func (d *discovery) emptyManifestDirs() map[string]*DataFile {
	dirs := map[string]*DataFile{}
	home := path.Clean("/" + d.getenv("HOME"))
	for _, f := range d.rules.Families {
		for _, rule := range f.Manifests {
			if rule.BothSides {
				continue // the plan says what is there
			}
			for _, dir := range d.manifestDirs(&rule) {
				if path.IsAbs(dir) && (home == "/" || !strings.HasPrefix(dir, home+"/")) {
					dirs[dir] = &DataFile{Path: dir, Why: rule.Kind + " manifests"}
				}
			}
		}
	}
	return dirs
}

// addFile enters a regular file; anything else is no data.
func (d *discovery) addFile(out *DataFile, p string) {
	if st, err := d.root.Stat(p); err == nil && st.Mode.IsRegular() {
		out.Files = append(out.Files, File{Path: p, Source: d.root.HostPath(st.Path)})
	}
}
