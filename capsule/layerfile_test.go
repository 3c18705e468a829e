package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/jsontext"
)

// A manifest that says much in few bytes stays as long as it is, or is refused.
func TestEditLayersIsBounded(t *testing.T) {
	const text = `{"file_format_version":"1.0.0","layer":{"name":"VK_LAYER_x","library_path":"libx.so"},"x":%s}`
	edits := []layerEdit{{key: []string{"layer", "library_path"}, library: "/run/capsule/x/base/libx.so"}}
	for name, x := range map[string]string{
		"nested":  strings.Repeat("[", jsontext.MaxDepth-1) + strings.Repeat("0,", 2000) + "0" + strings.Repeat("]", jsontext.MaxDepth-1),
		"numbers": "[" + strings.Repeat("1e20,", 2000) + "0]",
		"angles":  `"` + strings.Repeat("<&>", 2000) + `"`,
	} {
		in := fmt.Sprintf(text, x)
		if out, err := editLayers([]byte(in), edits); err != nil || len(out) > len(in)+100 {
			t.Errorf("%s: %d bytes become %d, %v", name, len(in), len(out), err)
		}
	}
	deep := fmt.Sprintf(text, strings.Repeat("[", 9000)+strings.Repeat("]", 9000))
	if out, err := editLayers([]byte(deep), edits); out != nil || !errors.Is(err, jsontext.ErrDeep) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// FuzzEditLayers: whatever an image has in the place of a manifest, there is an error, or JSON in which the layers that stay
// open what they were told to, and a second edit finds them.
func FuzzEditLayers(f *testing.F) {
	for _, text := range []string{`{"layer": {"name": "A", "library_path": "a", "override_paths": ["/x"]}}`, `{"layer": []}`, `null`,
		`{"layers": [{"name": "A", "library_path": "a"}, {"name": "B", "library_path": "b", "library_arch": "32"}]}`,
		`{"layers": [null, 1, {}], "layer": {"library_path": {}}}`, `{"layers": {"1": {}}, "": [1]}`} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, several bool) {
		edit := layerEdit{key: []string{"layer", "library_path"}, library: "/new", arch: "64", directories: "override_paths"}
		if several {
			edit.key = []string{"layers", "1", "library_path"}
		}
		out, err := editLayers(text, []layerEdit{edit})
		if (err == nil) != (out != nil) {
			t.Fatalf("%q, %v", out, err)
		}
		if err != nil {
			return
		}
		var whole map[string]any
		if err := json.Unmarshal(out, &whole); err != nil {
			t.Fatal(err)
		}
		if all, ok := whole["layers"].([]any); ok && several {
			if len(all) != 1 { // the others are taken out
				t.Fatalf("%s", out)
			}
			edit.key[1] = "0"
		}
		value, err := jsontext.Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		if value, err = value.Find(edit.key[:len(edit.key)-1]); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		var object map[string]any
		if err := json.Unmarshal(value.Text(), &object); err != nil || object["library_path"] != "/new" || object["library_arch"] == nil {
			t.Fatalf("%s: %v", out, err)
		}
		if most := 3*len(text) + 200; len(out) > most { // a byte of a name that is no text becomes three
			t.Fatalf("%d bytes become %d", len(text), len(out))
		}
		if listed, _ := object["override_paths"].([]any); len(listed) > 0 {
			t.Fatalf("%s", out)
		}
	})
}

// A plan is made of no library with more symbols than its proxy may have.
func TestTooManySymbols(t *testing.T) {
	libc := &RuntimeLibrary{Name: "libc.so.6", Path: "/lib/libc.so.6", File: &dynelf.File{}, Exports: make([]dynelf.Symbol, dso.MaxSymbols+1)}
	in := &Input{Rules: Rules{Libc: []string{"libc.so.6"}}, Architectures: []*ArchInput{{Arch: arch.X8664,
		Runtime: Runtime{Libraries: map[string]*RuntimeLibrary{"libc.so.6": libc}}}}}
	if p, err := Make(in); !errors.Is(err, dso.ErrTooLarge) || p != nil {
		t.Errorf("got %v, want %v", err, dso.ErrTooLarge)
	}
	libc.Exports = libc.Exports[1:]
	if _, err := Make(in); err != nil {
		t.Error(err)
	}
}
