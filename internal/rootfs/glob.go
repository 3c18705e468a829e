package rootfs

import (
	"path"
	"strings"
)

// Glob expands a path with wildcards (path.Match) in its components, to at most so many; the result is sorted. As for a
// shell, a wildcard does not stand for a leading dot. A path without wildcards stands for itself, be it there or not.
// What is longer than a path can be stands for nothing.
func (r *Root) Glob(pattern string, most int) []string {
	if len(pattern) >= maxPath {
		return nil
	}
	found := []string{"/"}
	for _, part := range strings.Split(path.Clean(pattern), "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range found {
			if len(next) >= most { // the next directories may all be links to a large one
				break
			}
			if !strings.ContainsAny(part, `*?[\`) {
				next = append(next, path.Join(dir, part))
				continue
			}
			names, err := r.ReadDir(dir)
			if err != nil {
				continue
			}
			for _, n := range names {
				if !r.spend(len(part) * len(n) / matchCost) { // path.Match tries every part at every place
					return nil
				}
				if ok, err := path.Match(part, n); err == nil && ok && (n[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, n))
				}
			}
		}
		found = next[:min(len(next), most)]
	}
	return found
}
