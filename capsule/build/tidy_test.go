package build

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/internal/inuse"
)

// Where it can never be told what is in use, because somebody has more mounts than are looked at, the newest stay and the
// oldest go. What is known to be in use stays.
func TestTidyWhatNobodyCanTell(t *testing.T) {
	const n = maxUnsure + 40
	s := NewStore(t.TempDir())
	asked := 0
	busy := fmt.Sprintf("/old%03d/g-1", n-1) // the oldest of all
	s.inUse = func(directories []string, _ bool) map[string]inuse.Process {
		asked++
		out := map[string]inuse.Process{}
		for _, d := range directories {
			out[d] = inuse.Process{}
		}
		out[busy] = inuse.Process{ID: 7}
		return out
	}
	for i := range n {
		dir := filepath.Join(s.dir, fmt.Sprintf("old%03d", i), "g-1")
		then := time.Now().Add(-2*MaxAge - time.Duration(i)*time.Hour)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, RecordFile), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{filepath.Join(dir, RecordFile), dir, filepath.Dir(dir)} {
			if err := os.Chtimes(name, then, then); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.tidy("key")
	for i := range n {
		_, err := os.Stat(filepath.Join(s.dir, fmt.Sprintf("old%03d", i)))
		if want := i < maxUnsure || i == n-1; (err == nil) != want {
			t.Errorf("the %d-th is there: %v, want %v", i, err == nil, want)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
