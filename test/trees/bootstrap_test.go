package trees

import (
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
