package layout

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// What is mounted below the private home has its place there, and nothing is made behind a link that leads out of it.
func TestMakeHome(t *testing.T) {
	d := t.TempDir()
	must(t, os.MkdirAll(d+"/real/game/saves", 0o755))
	must(t, os.WriteFile(d+"/real/.Xauthority", nil, 0o600))
	in := &Input{Host: Host{Home: d + "/real", HomeReal: d + "/real"}, PrivateHome: d + "/deep/private"}
	bind := func(rel string) mount.Op {
		return mount.Op{Kind: mount.Bind, Source: d + "/real/" + rel, Target: d + "/real/" + rel}
	}
	ops := []mount.Op{bind("game/saves"), bind(".Xauthority"), bind("missing"), {Kind: mount.Bind, Source: d, Target: "/elsewhere"}}
	for range 2 { // again: all is there
		must(t, MakeHome(in, ops))
	}
	if st, err := os.Stat(d + "/deep/private/game/saves"); err != nil || !st.IsDir() {
		t.Errorf("%v", err)
	}
	if st, err := os.Stat(d + "/deep/private/.Xauthority"); err != nil || !st.Mode().IsRegular() {
		t.Errorf("%v", err)
	}
	if all, _ := filepath.Glob(d + "/deep/private/*"); len(all) != 2 {
		t.Errorf("in the private home: %q", all)
	}
	if st, err := os.Stat(d + "/deep/private"); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	must(t, os.RemoveAll(d+"/deep/private/game"))
	must(t, os.Mkdir(d+"/out", 0o755))
	must(t, os.Symlink(d+"/out", d+"/deep/private/game"))
	if MakeHome(in, ops) == nil {
		t.Error("a link that leads out is no error")
	}
	if all, _ := os.ReadDir(d + "/out"); len(all) != 0 {
		t.Errorf("made outside: %v", all)
	}
}
