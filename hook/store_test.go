package hook

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// A cache in whose place others could put another one is refused, with what mends just that; so is one that is not ours.
func TestStoreIn(t *testing.T) {
	loose := filepath.Join(t.TempDir(), "loose")
	if err := os.MkdirAll(loose+"/other/builds", 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // who may read builds may lock them
		if _, err := storeIn(loose + "/cache"); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(loose + "/cache/builds"); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", st, err)
		}
		if err := os.Chmod(loose+"/cache/builds", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(loose, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := storeIn(loose + "/cache"); err == nil || !strings.HasPrefix(fault.Hint(err), "chmod ") || !strings.HasSuffix(fault.Hint(err), "-w "+loose) {
		t.Errorf("%v; hint: %s", err, fault.Hint(err))
	}
	if err := errors.Join(os.Chmod(loose, 0o755), os.Chmod(loose+"/other/builds", 0o775)); err != nil {
		t.Fatal(err)
	}
	if _, err := storeIn(loose + "/other"); err == nil || !strings.Contains(err.Error(), "builds can be written by others") ||
		!strings.HasPrefix(fault.Hint(err), "make "+loose+"/other usable") {
		t.Errorf("%v; hint: %s", err, fault.Hint(err))
	}
}
