package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A pattern finds as much as was asked for and no more, by however many ways a directory of many names can be reached.
func TestGlobIsBounded(t *testing.T) {
	dir := makeTree(t, "large/")
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, "large", fmt.Sprintf("%03d", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("large", filepath.Join(dir, fmt.Sprintf("way%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir)
	var found []string
	allocations := testing.AllocsPerRun(1, func() { found = r.Glob("/way*/*", 100) })
	if len(found) != 100 || found[0] != "/way000/000" || found[99] != "/way000/099" {
		t.Errorf("%q", found)
	}
	if allocations > 2000 { // there are 10,000 such paths
		t.Errorf("%v allocations", allocations)
	}
}
