package main

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// carriedLoaders is the environment in which native programs use prepare's libEGL and libvulkan on a host that has drivers but
// no such loaders. Such a host need not have the drivers where loaders look: what discovery finds of them is named.
func (c *comparison) carriedLoaders() ([]string, error) {
	dirs := []string{filepath.Join(c.from, loaderDir)}
	files := map[string][]string{}
	root, err := rootfs.Open("/")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// A host without any stack is no error: its programs will say so.
	stack, err := hostlibs.Discover(root, arch.X8664, hostlibs.Options{Getenv: os.Getenv})
	if err != nil {
		stack = &hostlibs.Stack{}
	}
	for _, m := range stack.Manifests {
		if m.Library == nil || m.Path == "" || !m.Rule.Driver {
			continue
		}
		if len(m.Rule.Variables) > 0 {
			// The last is the oldest: Debian 11's libvulkan knows VK_ICD_FILENAMES alone.
			name := m.Rule.Variables[len(m.Rule.Variables)-1]
			files[name] = append(files[name], m.Path)
		}
		if dir := path.Dir(m.Library.Path); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if own := os.Getenv("LD_LIBRARY_PATH"); own != "" {
		dirs = append(dirs, own)
	}
	env := []string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")}
	for name, list := range files {
		if os.Getenv(name) == "" {
			env = append(env, name+"="+strings.Join(list, ":"))
		}
	}
	return env, nil
}
