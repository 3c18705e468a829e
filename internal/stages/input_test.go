package stages

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// A tool's script needs the runtime's shell, which an image made of nothing but a program has not.
func TestWithoutShell(t *testing.T) {
	dir := t.TempDir()
	tools := []*hostlibs.Tool{{Path: "/usr/bin/ld", Rule: &configs.Tool{Why: "links"}}}
	for _, c := range []struct {
		tools []*hostlibs.Tool
		want  []string
	}{{nil, nil}, {tools, []string{"drivers cannot start /usr/bin/ld (links): the runtime has no /bin/sh"}}} {
		if got := withoutShell(open(t, dir), c.tools); !slices.Equal(got, c.want) {
			t.Errorf("%q", got)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"bin": "usr/bin", "usr/bin/sh": "/usr/bin/dash"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if got := withoutShell(open(t, dir), tools); len(got) != 1 {
		t.Errorf("a link to nothing: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/bin/dash"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := withoutShell(open(t, dir), tools); len(got) != 0 {
		t.Errorf("with a shell: %q", got)
	}
}

func open(t *testing.T, dir string) *rootfs.Root {
	t.Helper()
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}
