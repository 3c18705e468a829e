package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/ask"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/hook/setup"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// Needs is what a bundle's configuration should have besides the hook: variables, which a hook cannot set, and devices,
// which the container may otherwise not open. A bundle whose root is not there yet needs no variable that could be told.
func Needs(o *Options, config string) (env []string, devices []setup.Device, err error) {
	if err := o.load(); err != nil {
		return nil, nil, err
	}
	if config, err = filepath.Abs(config); err != nil {
		return nil, nil, err
	}
	c, err := oci.ReadConfig(config)
	if err != nil {
		return nil, nil, err
	}
	if env, err = variables(o, c.Rootfs); err != nil {
		return nil, nil, err
	}
	if !o.system.Hook.BringsDevices() {
		return env, nil, nil
	}
	answer, err := ask.Decide(ask.Input{Entry: o.GPU, Annotations: c.Annotations, Getenv: c.Getenv, Policy: o.system.Hook,
		File: o.configFile()})
	if err != nil {
		return nil, nil, err
	}
	found, err := stages.Devices(o.host())
	if err != nil {
		return nil, nil, fmt.Errorf("look for GPUs: %w", err)
	}
	chosen, err := choose(found, answer.GPUs)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range nodesOf(found, chosen) {
		mode, err := strconv.ParseUint(n.Mode, 8, 32)
		if !n.Real() || err != nil {
			continue
		}
		devices = append(devices, setup.Device{Path: n.Path, Major: n.Major, Minor: n.Minor, Mode: uint32(mode),
			UID: n.UID, GID: n.GID, Group: n.NeedsGroup()})
	}
	return env, devices, nil
}

// variables plans for a bundle's root as it lies there.
func variables(o *Options, root string) ([]string, error) {
	dir, err := os.OpenFile(root, os.O_RDONLY|unix.O_DIRECTORY, 0) // a pipe would be waited for
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in := &inside{tree: rootfs.OpenAt(dir, root)}
	if names, err := in.tree.ReadDir("/"); err != nil || len(names) == 0 {
		return nil, errors.Join(err, in.tree.Close())
	}
	story, err := decide(o, in, o.wishes())
	if err != nil {
		in.tree.Close()
		return nil, err
	}
	defer story.Close()
	var env []string
	for _, name := range slices.Sorted(maps.Keys(story.Plan.Environment)) {
		env = append(env, name+"="+story.Plan.Environment[name])
	}
	if t := story.Plan.Tunable(); t != "" {
		env = append(env, "GLIBC_TUNABLES="+t)
	}
	return env, nil
}
