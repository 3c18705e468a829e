package layout

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// openable are directories besides etc and var that may be put together from links: what lies in them is reached by
// names, and nothing there says where it is itself, as libraries and their loader do.
var openable = []string{"app", "opt"}

// MarkMissing looks which of the binds the runtime has no place for below /etc, /var, /opt and /app. It marks those, and
// lists the runtime's directories on the way to each in tops, which it changes. Directories behind a link of the runtime
// are left alone, and so are targets that exist.
func MarkMissing(tops []Top, binds []Bind) error {
	for i := range binds {
		b := &binds[i]
		words := strings.Split(strings.TrimPrefix(path.Clean(b.dst()), "/"), "/")
		t := slices.IndexFunc(tops, func(t Top) bool { return t.Name == words[0] && t.Link == "" && t.Source != "" })
		if t < 0 || len(words) < 2 || !slices.Contains(openable, words[0]) && words[0] != "etc" && words[0] != "var" {
			continue
		}
		if tops[t].Entries == nil {
			all, err := ReadEntries(tops[t].Source)
			if err != nil {
				return err
			}
			tops[t].Entries = all
		}
		entries, dir := tops[t].Entries, tops[t].Source
		for n, word := range words[1:] {
			dir = filepath.Join(dir, word)
			at := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == word })
			if at < 0 {
				b.Missing = true
				break
			}
			if entries[at].Link != "" || n == len(words)-2 {
				break
			}
			if entries[at].Entries == nil {
				st, err := os.Lstat(dir)
				if err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && !st.IsDir() {
					break
				}
				if entries[at].Entries, err = ReadEntries(dir); err != nil {
					return err
				}
			}
			entries = entries[at].Entries
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
