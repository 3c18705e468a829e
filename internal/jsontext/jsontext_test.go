package jsontext

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`[{"a":`, n/2) + `"[[[{{{\"[["` + strings.Repeat("}]", n/2) }
	if err := Check([]byte(nested(MaxDepth))); err != nil {
		t.Errorf("%d: %v", MaxDepth, err)
	}
	for _, text := range []string{nested(MaxDepth + 2), strings.Repeat("[", 9000), `"\\"` + strings.Repeat("{", MaxDepth+1)} {
		if err := Check([]byte(text)); !errors.Is(err, ErrDeep) {
			t.Errorf("%.40s: got %v, want %v", text, err, ErrDeep)
		}
		if v, err := Parse([]byte(text)); v != nil || !errors.Is(err, ErrDeep) {
			t.Errorf("%.40s: got %v, want %v", text, err, ErrDeep)
		}
	}
}

func TestEdit(t *testing.T) {
	v, err := Parse([]byte(` {"b": [ {"c": 1e20, "d": "<&>"}, null ], "a": {} , "e": []}`))
	if err != nil {
		t.Fatal(err)
	}
	o, err := v.Find([]string{"b", "0"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Object()["f"] = String("</x>"); !v.Object()["b"].Array()[1].IsNull() || !o.Object()["none"].IsNull() || o.Object()["c"].IsNull() {
		t.Error("what is null?")
	}
	v.Object()["a"] = List([]*Value{String("y")})
	const want = `{"a": ["y"],"b": [{"c": 1e20,"d": "<&>","f": "</x>"},null],"e": []}`
	if got := string(v.Text()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, keys := range [][]string{{"b"}, {"b", "2"}, {"b", "-1"}, {"b", "1"}, {"b", "0", "c"}, {"z"}, {"z", "z"}, {"a", "0"}} {
		if o, err := v.Find(keys); err == nil || o != nil {
			t.Errorf("%q is found", keys)
		}
	}
}

// FuzzText: what is read and written again is the same, however much of it was taken apart, and not
// much longer.
func FuzzText(f *testing.F) {
	for _, text := range []string{`{"a": [1, {"b": "c"}], "d": null}`, `[]`, ` "x" `, `{"\u0001<\u2028": {"": []}}`, `1e400`,
		strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "{\"\xff\": 1}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if (err == nil) != (v != nil) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		var apart func(v *Value)
		apart = func(v *Value) {
			for _, m := range v.Object() {
				apart(m)
			}
			for _, e := range v.Array() {
				apart(e)
			}
		}
		whole := string(v.Text())
		apart(v)
		var a, b, c any
		if json.Unmarshal(text, &a) != nil { // a number that is too large
			return
		}
		if err := errors.Join(json.Unmarshal([]byte(whole), &b), json.Unmarshal(v.Text(), &c)); err != nil {
			t.Fatalf("%q becomes %q: %v", text, v.Text(), err)
		}
		if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(a, c) {
			t.Fatalf("%q becomes %q", text, v.Text())
		}
		if n := len(v.Text()); len(whole) > len(text) || n > 6*len(text) {
			t.Fatalf("%d bytes become %d, and taken apart %d", len(text), len(whole), n)
		}
	})
}
