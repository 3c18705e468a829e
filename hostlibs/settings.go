package hostlibs

import (
	"encoding/json"
	"path"

	"github.com/capsule-run/capsule-run/configs"
)

// Settings is a file that tells a loader of layers, by the paths of their manifests on the host.
type Settings struct {
	API, Path string
	Manifests []string
}

// findSettings lists the files that count.
func (d *discovery) findSettings() []Settings {
	var out []Settings
	for _, f := range d.rules.Families {
		for i := range f.Manifests {
			if s := d.settingsOf(&f.Manifests[i]); s != nil {
				s.API = f.Name
				out = append(out, *s)
			}
		}
	}
	return out
}

// settingsOf reads a rule's file. One that cannot be read or understood tells a loader nothing.
func (d *discovery) settingsOf(rule *configs.Manifests) *Settings {
	if rule.Settings == "" {
		return nil
	}
	where := configs.Manifests{Directory: path.Dir(rule.Settings), Below: rule.SettingsBelow}
	for _, dir := range d.manifestDirs(&where) {
		if !path.IsAbs(dir) {
			continue
		}
		file := path.Join(dir, path.Base(rule.Settings))
		data, err := d.root.ReadFile(file, maxManifest)
		if err != nil {
			continue
		}
		if manifests := settingsManifests(data); len(manifests) > 0 {
			return &Settings{Path: file, Manifests: manifests}
		}
		return nil
	}
	return nil
}

// settingsManifests are the manifests that a settings file names, for all programs or for some (Vulkan-Loader,
// loader/settings.c: "settings", or "settings_array" with what each is for).
func settingsManifests(data []byte) []string {
	type settings struct {
		Layers []struct{ Path, Control string }
	}
	var file struct {
		Settings settings
		Several  []settings `json:"settings_array"`
	}
	if json.Unmarshal(jsonValue(data), &file) != nil {
		return nil
	}
	var out []string
	for _, s := range append(file.Several, file.Settings) {
		for _, l := range s.Layers {
			if path.IsAbs(l.Path) && l.Control != "off" && len(out) < maxLayers {
				out = append(out, path.Clean(l.Path))
			}
		}
	}
	return out
}
