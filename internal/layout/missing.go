package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// openable are directories besides etc and var in which the user can have something for which the
// runtime has no place.
var openable = []string{"app", "opt"}

// MarkMissing looks which of the binds the runtime has no place for below /opt and /app, and marks
// those. What is behind a link of the runtime is left alone, and so are targets that exist.
func MarkMissing(tops []Top, binds []Bind) error {
	for i := range binds {
		b := &binds[i]
		first, rest, below := strings.Cut(strings.TrimPrefix(path.Clean(b.dst()), "/"), "/")
		t := slices.IndexFunc(tops, func(t Top) bool { return t.Name == first && t.Link == "" && t.Source != "" })
		if t < 0 || !below || !slices.Contains(openable, first) {
			continue
		}
		dir := tops[t].Source
		for name := range strings.SplitSeq(rest, "/") {
			dir = filepath.Join(dir, name)
			st, err := os.Lstat(dir)
			if errors.Is(err, fs.ErrNotExist) {
				b.Missing = true
				break
			}
			if err != nil {
				return fmt.Errorf("read the runtime: %w", err)
			}
			if !st.IsDir() {
				break
			}
		}
	}
	return nil
}

// Open makes ready what the user has below directories that are the runtime's: his binds, the working directory, and the
// files that the environment names. The last two only where the runtime has no such path; they come before the binds.
func (in *Input) Open() error {
	var more []Bind
	for _, p := range append([]string{in.Host.Cwd}, in.Host.Files...) {
		b := []Bind{{Src: p, Flag: "the host's"}}
		first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
		if !slices.Contains(openable, first) {
			continue
		}
		if err := MarkMissing(in.Top, b); err != nil {
			return err
		}
		inside := func(o Bind) bool { return within(p, o.Src) }
		if b[0].Missing && !slices.ContainsFunc(more, inside) {
			more = append(more, b[0])
		}
	}
	in.Binds = append(more, in.Binds...)
	return MarkMissing(in.Top, in.Binds)
}
