// Package jsontext changes a few values in a JSON text of unknown origin. It exists because
// encoding/json makes of a text that is nested deeply, decoded and written with indentation, one
// that is ten thousand times as long: what is not changed here stays the bytes that it was, without
// white space, and what is nested deeper than anything known is refused.
package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// MaxDepth is how deep arrays and objects may lie in each other. Manifests of Vulkan layers have
// eight, with the settings of the validation layer.
const MaxDepth = 32

// ErrDeep says that a text is nested deeper.
var ErrDeep = fmt.Errorf("JSON nested more than %d deep", MaxDepth)

// Check returns ErrDeep for a text that is nested too deeply. Whether it is JSON otherwise, who
// decodes it will say.
func Check(text []byte) error {
	depth, inside := 0, false // of a string
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			if depth++; depth > MaxDepth {
				return ErrDeep
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// Value is a value of a text. What was asked for of it is taken apart, the rest is as it was read.
type Value struct {
	raw    json.RawMessage
	object map[string]*Value // not nil: raw is no more
	array  []*Value          // likewise
}

// Parse reads a text that must be one value.
func Parse(text []byte) (*Value, error) {
	if err := Check(text); err != nil {
		return nil, err
	}
	v := &Value{}
	if err := json.Unmarshal(text, &v.raw); err != nil {
		return nil, err
	}
	return v, nil
}

// String is a value that holds a string.
func String(s string) *Value { return &Value{raw: quote(s)} }

// List is a value of others.
func List(of []*Value) *Value { return &Value{array: of} }

// Object returns the members of an object, which may be changed; nil if it is none.
func (v *Value) Object() map[string]*Value {
	if v == nil {
		return nil
	}
	if v.object == nil && v.array == nil && bytes.HasPrefix(v.raw, []byte("{")) {
		var members map[string]json.RawMessage
		if json.Unmarshal(v.raw, &members) != nil {
			return nil // Parse has seen that it is JSON
		}
		v.object = make(map[string]*Value, len(members))
		for k, raw := range members {
			v.object[k] = &Value{raw: raw}
		}
	}
	return v.object
}

// Array returns the elements of an array; nil if it is none, or empty.
func (v *Value) Array() []*Value {
	if v == nil {
		return nil
	}
	if v.object == nil && v.array == nil && bytes.HasPrefix(v.raw, []byte("[")) {
		var elements []json.RawMessage
		if json.Unmarshal(v.raw, &elements) != nil {
			return nil
		}
		for _, raw := range elements {
			v.array = append(v.array, &Value{raw: raw})
		}
	}
	return v.array
}

// IsNull says whether a value is null, or not there.
func (v *Value) IsNull() bool { return v == nil || string(v.raw) == "null" }

// Find follows keys, of which those into an array are numbers, to an object.
func (v *Value) Find(keys []string) (*Value, error) {
	at := v
	for _, k := range keys {
		if all := at.Array(); all != nil {
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(all) {
				return nil, fmt.Errorf("has no element %q", k)
			}
			at = all[i]
			continue
		}
		at = at.Object()[k]
	}
	if at.Object() == nil {
		return nil, fmt.Errorf("has no object %q", keys)
	}
	return at, nil
}

// Text returns a text of the value in one line.
func (v *Value) Text() []byte {
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes()
}

func (v *Value) write(b *bytes.Buffer) {
	switch {
	case v.object != nil:
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(v.object)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quote(k))
			b.WriteString(": ")
			v.object[k].write(b)
		}
		b.WriteByte('}')
	case v.array != nil:
		b.WriteByte('[')
		for i, e := range v.array {
			if i > 0 {
				b.WriteByte(',')
			}
			e.write(b)
		}
		b.WriteByte(']')
	default:
		_ = json.Compact(b, v.raw) // Parse has seen that it is JSON
	}
}

// quote does not escape for HTML, which would make six bytes of one.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
