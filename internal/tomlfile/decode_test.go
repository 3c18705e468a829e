package tomlfile

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\nb = {c = 2}\n":           "",
		"a = 1\nx = 2\n":                 `f.toml:2: unknown key "x"`,
		"[b]\nc = 1\n[b.d]\ne = 1\n":     `f.toml:3: unknown key "b.d"`,
		"\nb = {c = 1, x = 2}\n":         `f.toml:2: unknown key "b.x"`,
		"a = 1\n\na = 2\n":               `f.toml:3: Key 'a' has already been defined.`,
		"[b]\n\nc = \"text\"\n":          `f.toml:3: b.c: incompatible types: TOML value has type string; destination has type integer`,
		"# a\n\"a\" = 1\n['b'] # b\nx=2": `f.toml:4: unknown key "b.x"`,
	} {
		var v struct {
			A int
			B struct{ C int }
		}
		_, err := Decode("f.toml", text, &v)
		if got := ""; err == nil && want != got || err != nil && err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestLine(t *testing.T) {
	const text = "# x.y\na = 1\n[t]\n\nb=2\n  [ t . \"u v\" ]\nb = { c = { d = 1 } }\n'x=y' = 1\n"
	for _, c := range []struct {
		key  string
		line int
	}{{"a", 2}, {"t", 3}, {"t b", 5}, {"t u_v", 6}, {"t u_v b", 7}, {"t u_v b c d", 7}, {"t u_v x=y", 8}, {"nowhere", 1}} {
		key := toml.Key(strings.Fields(c.key))
		for i := range key {
			key[i] = strings.ReplaceAll(key[i], "_", " ")
		}
		if got := Line(text, key); got != c.line {
			t.Errorf("%q: line %d, not %d", key, got, c.line)
		}
	}
}
