package cdi

import (
	"fmt"
	"slices"
	"strings"

	cdiapi "tags.cncf.io/container-device-interface/pkg/cdi"
)

// Listed is a device that engines would find.
type Listed struct {
	Name  string   `json:"name"` // capsule.dev/gpu=0
	File  string   `json:"file"`
	Nodes []string `json:"nodes"` // device nodes in the container
}

// List reads the directories as an engine does, a device of the last of them winning. Problems name what is wrong with
// which file. kind limits it to one; empty means all.
func List(dirs []string, kind string) (devices []Listed, problems []string, err error) {
	cache, err := cdiapi.NewCache(cdiapi.WithAutoRefresh(false), cdiapi.WithSpecDirs(dirs...))
	if err != nil {
		return nil, nil, fmt.Errorf("read CDI specifications: %w", err)
	}
	devices = []Listed{}
	for _, name := range cache.ListDevices() {
		d := cache.GetDevice(name)
		if d == nil || kind != "" && !strings.HasPrefix(name, kind+"=") {
			continue
		}
		l := Listed{Name: name, File: d.GetSpec().GetPath(), Nodes: []string{}}
		for _, n := range d.ContainerEdits.DeviceNodes {
			l.Nodes = append(l.Nodes, n.Path)
		}
		devices = append(devices, l)
	}
	for file, errs := range cache.GetErrors() {
		for _, e := range errs {
			problems = append(problems, fmt.Sprintf("%s: %v", file, e))
		}
	}
	slices.Sort(problems)
	return devices, problems, nil
}
