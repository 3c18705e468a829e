package tomlfile

import (
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Line finds the line of a key, which the library does not keep; of several that of the first. Where no line has the whole
// key, as in an inline table, it is the line of the longest part. Only for messages: a string of several lines may
// look like keys.
func Line(text string, key toml.Key) int {
	line, longest := 1, 0
	var table toml.Key
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		here := table
		if strings.HasPrefix(l, "[") {
			// A header is a document of its own.
			if k := lastKey(l); k != nil {
				table, here = k, k
			}
		} else if k := assigned(l); k != nil {
			here = append(slices.Clone(table), k...)
		}
		if n := len(here); n <= len(key) && n > longest && slices.Equal(here, key[:n]) {
			line, longest = i+1, n
		}
	}
	return line
}

// assigned is the key in front of the first "=" that is no part of it.
func assigned(line string) toml.Key {
	for i := range len(line) {
		if line[i] == '=' {
			if k := lastKey(line[:i] + "= 0"); k != nil {
				return k
			}
		}
	}
	return nil
}

func lastKey(document string) toml.Key {
	var v map[string]any
	meta, err := toml.Decode(document, &v)
	if keys := meta.Keys(); err == nil && len(keys) > 0 {
		return keys[len(keys)-1]
	}
	return nil
}
