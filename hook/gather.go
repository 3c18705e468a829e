package hook

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/hook/place"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// gather opens and reads all that is to be placed.
//
// Generated directories are copied, not bound: they are small, and a container that runs for months must not depend on a
// cache that is pruned. Whatever else is bound stays, being a file, even when its name is removed.
func gather(o *Options, b *built, gpus []string) (*place.What, error) {
	w := &place.What{Stamp: o.stamp().text()}
	for _, op := range b.record.Mounts {
		if err := gatherMount(w, b.Dir, op); err != nil {
			return nil, err
		}
	}
	var err error
	if w.Cache, err = os.ReadFile(filepath.Join(b.Dir, build.LdSoCache)); err != nil {
		return nil, fmt.Errorf("read the generated ld.so.cache: %w", err)
	}
	if o.system.Hook.BringsDevices() {
		w.Devices, err = openDevices(o, gpus)
	}
	return w, err
}

func gatherMount(w *place.What, dir string, op mount.Op) error {
	below, ok := strings.CutPrefix(op.Target, capsule.ContainerDir+"/")
	if op.Kind != mount.Bind || !ok {
		return fault.WithHint(fmt.Errorf("%s: a hook changes nothing in a container but below %s", op, capsule.ContainerDir),
			"set boundary = \"frontend\" below [hook] in the configuration")
	}
	source := op.Source
	if !filepath.IsAbs(source) {
		source = filepath.Join(dir, source)
		if st, err := os.Lstat(source); err == nil && st.IsDir() {
			return gatherDir(w, source, below)
		}
	}
	tree, err := place.OpenBind(source)
	if err != nil {
		return fmt.Errorf("%s: %w", op.Why, err)
	}
	w.Binds = append(w.Binds, place.Bind{Path: below, Tree: tree})
	return nil
}

func gatherDir(w *place.What, dir, below string) error {
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read a generated file: %w", err)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		w.Files = append(w.Files, place.File{Path: below + strings.TrimPrefix(name, dir), Text: text,
			Mode: uint32(info.Mode().Perm())})
		return nil
	})
}
