package trees

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// What fails is named by its own words, not by those of the tar that it leaves without an archive.
func TestUnpackFrom(t *testing.T) {
	dir := t.TempDir()
	err := unpackFrom(t.Context(), dir, "sh", "-c", "echo half; echo reason >&2; exit 25")
	if err == nil || err.Error() != "exit status 25\nreason" {
		t.Errorf("%v", err)
	}
	if errors.Is(err, errFetch) {
		t.Error("a tool's own error would be tried again")
	}
	err = unpackFrom(t.Context(), dir, "sh", "-c", "echo 'E: Failed to fetch http://mirror.example/x  503  Busy' >&2; seq 20 >&2; exit 25")
	if !errors.Is(err, errFetch) {
		t.Errorf("got %v, want what is tried again", err)
	}
	if err := unpackFrom(t.Context(), dir, "echo", "no archive"); err == nil || !strings.Contains(err.Error(), "unpack tree") {
		t.Errorf("%v", err)
	}
	if err := unpackFrom(t.Context(), dir, "tar", "-c", "doc.go"); err != nil {
		t.Error(err)
	}
	if err := empty(dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}
