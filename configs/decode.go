package configs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// decode reads TOML into v. The error names the file and the line; a key that v does not have is an error.
func decode(name string, data []byte, v any) error {
	meta, err := toml.Decode(string(data), v)
	if err != nil {
		if p := (toml.ParseError{}); errors.As(err, &p) {
			return fmt.Errorf("%s:%d: %s", name, p.Position.Line, p.Message)
		}
		// A value of the wrong type comes as plain text, "toml: line 3 (last key …): …".
		n, text := 1, strings.TrimPrefix(err.Error(), "toml: ")
		fmt.Sscanf(text, "line %d", &n)
		return fmt.Errorf("%s:%d: %s", name, n, text)
	}
	if u := meta.Undecoded(); len(u) > 0 {
		return fmt.Errorf("%s:%d: unknown key %q", name, line(string(data), u[0]), u[0])
	}
	return nil
}

// line finds the line of a key: the first that sets it, or opens a table of its name, in a table of its parent's.
func line(text string, key toml.Key) int {
	parent, last := strings.Join(key[:len(key)-1], "."), key[len(key)-1]
	table, n := "", 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") && !strings.Contains(l, "=") {
			if table = strings.Trim(l, "[] "); table == key.String() {
				return n
			}
			continue
		}
		if k, _, ok := strings.Cut(l, "="); ok && table == parent && strings.Trim(k, "\"' ") == last {
			return n
		}
	}
	return 1
}
