package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// A process without a mount namespace has no capsule.Dir. A build in place is that directory
// itself: what the plan mounts is linked there, and what names a path below capsule.Dir names one
// below the build.

// inPlaceFile marks such a build: processes use it that no mount tells of.
const inPlaceFile = "in-place"

func isInPlace(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, inPlaceFile))
	return err == nil
}

// beforePath are the characters at which a path may begin in a list, in JSON or in a script.
const beforePath = "\"' \t\n:;,=("

// Moved returns a text in which each path below capsule.Dir is below root instead. A path that only
// has that name in its middle (…/host/usr/lib/capsule/x) is another one.
func Moved(text, root string) string {
	var b strings.Builder
	last := 0 // where the text begins that is not written yet
	for at := 0; ; {
		i := strings.Index(text[at:], capsule.Dir+"/")
		if i < 0 {
			return b.String() + text[last:]
		}
		at += i
		if !strings.Contains(text[strings.LastIndexAny(text[:at], beforePath)+1:at], "/") { // -L may stand before it
			b.WriteString(text[last:at] + root)
			last = at + len(capsule.Dir)
		}
		at += len(capsule.Dir)
	}
}

// moveArtefacts rewrites what holds paths, the manifest and the generated JSON, for a build that will be called root.
func moveArtefacts(a *capsule.Artefacts, root string) *capsule.Artefacts {
	moved := *a
	moved.Manifest = manifest.Manifest{RootPath: Moved(a.Manifest.RootPath, root), HostDir: Moved(a.Manifest.HostDir+"/", root)}
	moved.Manifest.HostDir = strings.TrimSuffix(moved.Manifest.HostDir, "/")
	for _, o := range a.Manifest.Objects {
		o.Path = Moved(o.Path, root)
		moved.Manifest.Objects = append(moved.Manifest.Objects, o)
	}
	for _, alias := range a.Manifest.Aliases {
		alias.Path = Moved(alias.Path, root)
		moved.Manifest.Aliases = append(moved.Manifest.Aliases, alias)
	}
	for _, m := range a.Manifest.Maps {
		m.From, m.To = Moved(m.From+"/", root), Moved(m.To, root) // From may be a directory of the container
		m.From = strings.TrimSuffix(m.From, "/")
		moved.Manifest.Maps = append(moved.Manifest.Maps, m)
	}
	quoted, _ := json.Marshal(root) // a string always can be
	moved.Generated = nil
	for _, g := range a.Generated {
		written := root
		if json.Valid(g.Text) { // else it is a manifest of one line, or a script
			written = string(quoted[1 : len(quoted)-1])
		}
		g.Text = []byte(Moved(string(g.Text), written))
		moved.Generated = append(moved.Generated, g)
	}
	return &moved
}

// linkMounts links in dir what the plan mounts below capsule.Dir. Sources that are part of the build lie where they are
// mounted, but for rewritten libraries. What the plan places elsewhere, in /etc, has no place here. Nothing is placed below a
// link: there it would be written to the host.
func linkMounts(ops []mount.Op, dir string) error {
	linked := map[string]bool{}
	for _, op := range ops {
		rel, ours := strings.CutPrefix(op.Target, capsule.Dir+"/")
		if !ours || rel == op.Source {
			continue
		}
		for parent := filepath.Dir(rel); parent != "."; parent = filepath.Dir(parent) {
			if linked[parent] {
				return fmt.Errorf("link %s: %s/%s is a link", op.Target, capsule.Dir, parent)
			}
		}
		var text string
		switch {
		case op.Kind == mount.Symlink:
			text = op.Text
		case op.Kind != mount.Bind:
			continue
		case filepath.IsAbs(op.Source):
			text = op.Source
		default: // relative, for the directory has another name until it is complete
			var err error
			if text, err = filepath.Rel(filepath.Dir(rel), op.Source); err != nil {
				return fmt.Errorf("link %s: %w", op.Target, err)
			}
		}
		linked[rel] = true
		name := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("link %s: %w", op.Target, err)
		}
		if err := os.Symlink(text, name); err != nil {
			return fmt.Errorf("link %s: %w", op.Target, err)
		}
	}
	return nil
}
