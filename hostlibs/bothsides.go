package hostlibs

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// What is read of a runtime's manifests, which a hostile image may have by the thousand: their
// number, and their text in bytes. Distributions have some twenty, of a kilobyte each, the Vulkan
// SDK a few of 50. The text is read several times, and kept: manifestCost is what a byte of it
// costs (rootfs.Root.Spend).
const (
	maxBothSides     = 512
	maxBothSidesText = 4 << 20
	manifestCost     = 8
)

// BothSides reads, in the runtime's tree, the manifests of which programs see the host's and the runtime's together. They
// come with their libraries' names alone. What is damaged, or names nothing that the runtime has, is Skipped: the
// runtime's own loader would pass over it. What is beyond the bounds is an error.
func BothSides(runtime *rootfs.Root, a *arch.Arch, o Options) ([]*Manifest, error) {
	d, err := newDiscovery(runtime, a, o)
	if err != nil {
		return nil, err
	}
	text := 0
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
				if err := runtime.Spend(manifestCost * len(data)); err != nil {
					return nil, err
				}
				if text += len(data); len(d.found) >= maxBothSides || text > maxBothSidesText {
					return nil, fmt.Errorf("%s: more than %d manifests, or %d bytes of them", d.outside(file), maxBothSides, maxBothSidesText)
				}
				d.found = append(d.found, d.bothSides(f.Name, rule, file, data, err)...)
			}
		}
	}
	return d.found, nil
}

// bothSides makes of a file, or of the error of reading it, manifests.
func (d *discovery) bothSides(api string, rule *configs.Manifests, file string, data []byte, err error) []*Manifest {
	var several []*Manifest
	if err == nil {
		several, err = d.understand(api, rule, file, data)
	}
	for _, m := range several {
		if err == nil && m.Skipped == "" {
			_, _, err = d.library(m)
		}
	}
	if err != nil {
		return []*Manifest{{Kind: rule.Kind, Path: file, API: api, Rule: rule, Skipped: err.Error()}}
	}
	return several
}
