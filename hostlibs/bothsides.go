package hostlibs

import (
	"errors"
	"io/fs"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// BothSides reads, in the runtime's tree, the manifests of which programs see the host's and the runtime's together. They
// come with their libraries' names alone. What is damaged, or names nothing that the runtime has, is Skipped: the
// runtime's own loader would pass over it.
func BothSides(runtime *rootfs.Root, a *arch.Arch, o Options) ([]*Manifest, error) {
	d, err := newDiscovery(runtime, a, o)
	if err != nil {
		return nil, err
	}
	var found []*Manifest
	for _, f := range d.rules.Families {
		for i := range f.Manifests {
			rule := &f.Manifests[i]
			if !rule.BothSides {
				continue
			}
			for _, file := range d.manifestFiles(rule) {
				data, err := runtime.ReadFile(file, maxManifest)
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return nil, err
				}
				m, err := d.understand(f.Name, rule, file, data)
				if err != nil {
					m = &Manifest{Kind: rule.Kind, Path: file, API: f.Name, Rule: rule, Skipped: err.Error()}
				}
				if m.Skipped == "" {
					if _, _, err := d.library(m); err != nil {
						m.Skipped = err.Error()
					}
				}
				found = append(found, m)
			}
		}
	}
	return found, nil
}
