package hostlibs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/jsontext"
)

// What a file may hold: layers, and directories that a layer names. Seen were ten, and two.
const (
	maxLayers      = 128
	maxDirectories = 64
	// maxLayerName is that of an API's structures (VK_MAX_EXTENSION_NAME_SIZE,
	// XR_MAX_API_LAYER_NAME_SIZE), without the NUL.
	maxLayerName = 255
)

// part is what a manifest says of one library.
type part struct {
	key           []string // leads to the library
	library, name string
	arch          string // "library_arch": "32" or "64" (Vulkan-Loader, LoaderDriverInterface.md)
	directories   []string
}

// jsonValue is what of a file's text loaders read: their parser (cJSON, in libglvnd and the Vulkan loader) passes over a byte
// order mark, and over what follows the value. Text without a value is returned as it is.
func jsonValue(data []byte) []byte {
	var value json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))).Decode(&value); err != nil {
		return data
	}
	return value
}

// parseManifest reads JSON: an object at the rule's key, or where the rule has a list-key an array of such objects in its
// place (Vulkan-Loader, LoaderLayerInterface.md, "Layer Manifest File Format": the array goes before the object). A file
// without either names no library.
func parseManifest(data []byte, rule *configs.Manifests) ([]part, error) {
	if err := jsontext.Check(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrManifest, err)
	}
	if err := checkRequired(top, rule); err != nil {
		return nil, err
	}
	raw, many := top[rule.ListKey]
	if rule.ListKey == "" || !many {
		p, err := parsePart(top, rule, rule.Key, rule.NameKey)
		if err != nil {
			return nil, err
		}
		p.key = rule.Key
		return []part{p}, nil
	}
	var elements []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrManifest, rule.ListKey, err)
	}
	if len(elements) > maxLayers {
		return nil, fmt.Errorf("%w: %s: more than %d", ErrManifest, rule.ListKey, maxLayers)
	}
	var out []part
	for i, e := range elements {
		p, err := parsePart(e, rule, rule.Key[1:], rule.NameKey[1:])
		if err != nil {
			return nil, err
		}
		p.key = append([]string{rule.ListKey, strconv.Itoa(i)}, rule.Key[1:]...)
		out = append(out, p)
	}
	return out, nil
}

// checkRequired refuses what the loader would pass over.
func checkRequired(top map[string]json.RawMessage, rule *configs.Manifests) error {
	if rule.FormatVersion != "" {
		const key = "file_format_version"
		var version string
		if err := stringAt(top, key, &version); err != nil {
			return err
		}
		known, err := regexp.MatchString(rule.FormatVersion, version)
		if err != nil {
			return fmt.Errorf("format-version: %w", err)
		}
		if _, has := top[key]; !has {
			return fmt.Errorf("%w: it has no %s", ErrManifest, key)
		}
		if !known {
			return fmt.Errorf("%w: its loader does not know %s %q", ErrManifest, key, version)
		}
	}
	for _, key := range rule.Required {
		object, err := objectAt(top, key)
		if err != nil {
			return err
		}
		if _, has := object[key[len(key)-1]]; !has {
			return fmt.Errorf("%w: it has no %s", ErrManifest, strings.Join(key, "."))
		}
	}
	return nil
}

// parsePart reads what stands at the keys.
func parsePart(top map[string]json.RawMessage, rule *configs.Manifests, key, nameKey []string) (p part, err error) {
	object, err := objectAt(top, key)
	if err != nil || object == nil {
		return p, err
	}
	if err = stringAt(object, key[len(key)-1], &p.library); err == nil {
		err = stringAt(object, "library_arch", &p.arch)
	}
	if err == nil && len(nameKey) > 0 {
		var named map[string]json.RawMessage
		if named, err = objectAt(top, nameKey); err == nil {
			err = stringAt(named, nameKey[len(nameKey)-1], &p.name)
		}
	}
	if err == nil && (len(p.name) > maxLayerName || len(p.library) >= maxLine) {
		return part{}, fmt.Errorf("%w: a name of %d bytes, a path of %d", ErrManifest, len(p.name), len(p.library))
	}
	if raw, ok := object[rule.DirectoriesKey]; ok && err == nil && rule.DirectoriesKey != "" {
		if json.Unmarshal(raw, &p.directories) != nil || len(p.directories) > maxDirectories {
			p.directories = nil // the loader goes on without them, too
		}
	}
	return p, err
}

// objectAt follows all keys but the last; nil if there is no such object.
func objectAt(top map[string]json.RawMessage, key []string) (map[string]json.RawMessage, error) {
	for _, k := range key[:len(key)-1] {
		raw, ok := top[k]
		if !ok {
			return nil, nil
		}
		top = nil
		if err := json.Unmarshal(raw, &top); err != nil {
			return nil, fmt.Errorf("%w: %s: %v", ErrManifest, k, err)
		}
	}
	return top, nil
}

// stringAt reads a string, if there is one, that may be a path.
func stringAt(object map[string]json.RawMessage, key string, to *string) error {
	raw, ok := object[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil || strings.IndexByte(*to, 0) >= 0 {
		*to = ""
		return fmt.Errorf("%w: %s is no proper string", ErrManifest, key)
	}
	return nil
}
