// Package tomlfile decodes what people write in TOML: a key that nobody knows is an error, and each error names the file and
// the line. It exists so that configuration files and rules are refused in the same words. It opens no file and judges no
// value.
package tomlfile

import (
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"

	"github.com/capsule-run/capsule-run/internal/pattern"
)

// wrongType is how the decoder words a value that is not of its key's type, which is no ParseError.
var wrongType = pattern.Lazy(`^toml: line (\d+) \(last key "(.*)"\): (.*)$`)

// Decode reads the text of the file of that name into v, a pointer to a struct with "toml" tags.
func Decode(name, text string, v any) (toml.MetaData, error) {
	meta, err := toml.Decode(text, v)
	if parse := (toml.ParseError{}); errors.As(err, &parse) {
		return meta, fmt.Errorf("%s:%d: %s", name, parse.Position.Line, parse.Message)
	}
	if err != nil {
		if m := wrongType().FindStringSubmatch(err.Error()); m != nil {
			return meta, fmt.Errorf("%s:%s: %s: %s", name, m[1], m[2], m[3])
		}
		return meta, fmt.Errorf("%s:1: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return meta, &unknownKey{fmt.Errorf("%s:%d: unknown key %q", name, Line(text, unknown[0]), unknown[0]), unknown[0]}
	}
	return meta, nil
}

type unknownKey struct {
	error
	key toml.Key
}

// UnknownKey is the key that an error of Decode's is about, if nobody knows it.
func UnknownKey(err error) toml.Key {
	var u *unknownKey
	if errors.As(err, &u) {
		return u.key
	}
	return nil
}
