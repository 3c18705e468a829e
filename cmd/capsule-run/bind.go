package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/capsule-run/capsule-run/internal/layout"
)

// parseBind reads SRC[:DST[:ro|rw]]. A relative SRC counts from the working directory, DST must be absolute and is SRC
// if it is empty; rw is the default, as for a path that is not named at all.
func parseBind(text, cwd string) (layout.Bind, error) {
	parts := strings.Split(text, ":")
	if parts[0] == "" || len(parts) > 3 {
		return layout.Bind{}, fmt.Errorf("--bind %q is not SRC[:DST[:ro|rw]]", text)
	}
	b := layout.Bind{Src: parts[0]}
	if !filepath.IsAbs(b.Src) {
		b.Src = filepath.Join(cwd, b.Src)
	}
	if len(parts) > 1 {
		b.Dst = parts[1]
	}
	if b.Dst != "" && !filepath.IsAbs(b.Dst) {
		return layout.Bind{}, fmt.Errorf("--bind %q: %q is not an absolute path", text, b.Dst)
	}
	if len(parts) == 3 {
		switch parts[2] {
		case "ro":
			b.ReadOnly = true
		case "rw":
		default:
			return layout.Bind{}, fmt.Errorf("--bind %q: %q is neither ro nor rw", text, parts[2])
		}
	}
	return b, nil
}
