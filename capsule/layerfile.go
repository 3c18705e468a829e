package capsule

import (
	"debug/elf"
	"path"
	"slices"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/jsontext"
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

// editLayers returns a file's text after some edits; the same bytes if these change nothing. What
// comes of it is at most a few times as long, whatever the text.
func editLayers(text []byte, edits []layerEdit) ([]byte, error) {
	whole, err := jsontext.Parse(text)
	if err != nil {
		return nil, err
	}
	changed := false
	var kept []*jsontext.Value
	for _, e := range edits {
		last := len(e.key) - 1
		layer, err := whole.Find(e.key[:last])
		if err != nil {
			return nil, err
		}
		kept = append(kept, layer)
		object := layer.Object()
		if e.library != "" {
			object[e.key[last]], changed = jsontext.String(e.library), true
		}
		if e.arch != "" && object["library_arch"].IsNull() {
			object["library_arch"], changed = jsontext.String(e.arch), true
		}
		if listed := object[e.directories].Array(); listed != nil {
			changed = true
			if len(e.further) == 0 {
				delete(object, e.directories)
			} else {
				for _, dir := range e.further {
					listed = append(listed, jsontext.String(dir))
				}
				object[e.directories] = jsontext.List(listed)
			}
		}
	}
	key := edits[0].key[0]
	if all := whole.Object()[key].Array(); all != nil && len(all) != len(kept) {
		whole.Object()[key], changed = jsontext.List(kept), true
	}
	if !changed {
		return text, nil
	}
	return whole.Text(), nil
}

// libraryArch is what a manifest calls an architecture (Vulkan-Loader, LoaderLayerInterface.md, "library_arch").
func libraryArch(a *arch.Arch) string {
	if a.Class == elf.ELFCLASS32 {
		return "32"
	}
	return "64"
}
