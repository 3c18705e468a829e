package build

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// What is generated is bounded as a whole, and a plan of that much is not written at all.
func TestWriteIsBounded(t *testing.T) {
	o := &output{files: map[string][]byte{}}
	if err := o.add("a", make([]byte, maxGenerated)); err != nil {
		t.Error(err)
	}
	if err := o.add("b", []byte("x")); !errors.Is(err, ErrTooLarge) || o.files["b"] != nil {
		t.Errorf("got %v, want %v", err, ErrTooLarge)
	}
	plan := &capsule.Plan{}
	for i := range maxGenerated/4000 + 1 {
		plan.Cache = append(plan.Cache, ldcache.Entry{Name: "libx.so", Path: fmt.Sprintf("/%04000d", i)})
	}
	dir := t.TempDir()
	err := Write(plan, dir, "")
	if left, _ := os.ReadDir(dir); !errors.Is(err, ErrTooLarge) || len(left) > 0 {
		t.Errorf("got %v, want %v; left behind: %v", err, ErrTooLarge, left)
	}
}
