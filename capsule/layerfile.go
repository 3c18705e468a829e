package capsule

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// layerEdit is what becomes of a layer in the file that a loader is shown. Of a file with several layers those without an
// edit are taken out.
type layerEdit struct {
	key     []string
	library string // empty: as it is
	arch    string // "library_arch", if not empty
	// directories is the key of a list beside the library, to which further ones are added; without any it is taken out.
	directories string
	further     []string
}

// layerFiles puts the layers of one file together, in the order of the files.
func layerFiles(layers []LayerManifest) [][]LayerManifest {
	var out [][]LayerManifest
	at := map[string]int{}
	for _, l := range layers {
		i, ok := at[l.Path]
		if !ok {
			i = len(out)
			at[l.Path], out = i, append(out, nil)
		}
		out[i] = append(out[i], l)
	}
	return out
}

// layerDirs are the directories of the layers for which that of a name may list directories.
func layerDirs(layers []LayerManifest, name string) []string {
	var out []string
	for _, l := range layers {
		if dir := path.Dir(l.Path); l.DirectoriesLayer == name && name != "" && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// editLayers returns a file's text after some edits; the same bytes if these change nothing.
func editLayers(text []byte, edits []layerEdit) ([]byte, error) {
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	changed := false
	var kept []any
	for _, e := range edits {
		object, err := layerObject(whole, e.key[:len(e.key)-1])
		if err != nil {
			return nil, err
		}
		kept = append(kept, object)
		if e.library != "" {
			object[e.key[len(e.key)-1]], changed = e.library, true
		}
		if e.arch != "" && object["library_arch"] == nil {
			object["library_arch"], changed = e.arch, true
		}
		if listed, ok := object[e.directories].([]any); ok && len(listed) > 0 {
			changed = true
			if len(e.further) == 0 {
				delete(object, e.directories)
			} else {
				for _, dir := range e.further {
					listed = append(listed, dir)
				}
				object[e.directories] = listed
			}
		}
	}
	if key := edits[0].key[0]; key != "" {
		if all, ok := whole[key].([]any); ok && len(all) != len(kept) {
			whole[key], changed = kept, true
		}
	}
	if !changed {
		return text, nil
	}
	return json.MarshalIndent(whole, "", "  ")
}

// layerObject follows keys, of which those into an array are numbers.
func layerObject(at any, key []string) (map[string]any, error) {
	for _, k := range key {
		switch a := at.(type) {
		case map[string]any:
			at = a[k]
		case []any:
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(a) {
				return nil, fmt.Errorf("has no element %q", k)
			}
			at = a[i]
		}
	}
	object, ok := at.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("has no object %q", key)
	}
	return object, nil
}

// libraryArch is what a manifest calls an architecture (Vulkan-Loader, LoaderLayerInterface.md, "library_arch").
func libraryArch(a *arch.Arch) string {
	if a.Class == elf.ELFCLASS32 {
		return "32"
	}
	return "64"
}
