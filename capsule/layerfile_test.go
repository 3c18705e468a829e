package capsule

import (
	"encoding/json"
	"testing"
)

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
		object, err := layerObject(whole, edit.key[:len(edit.key)-1])
		if err != nil || object["library_path"] != "/new" || object["library_arch"] == nil {
			t.Fatalf("%s: %v", out, err)
		}
		if listed, _ := object["override_paths"].([]any); len(listed) > 0 {
			t.Fatalf("%s", out)
		}
	})
}
