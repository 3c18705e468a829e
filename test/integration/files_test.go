//go:build integration

package integration

import (
	"os"
	"regexp"
	"testing"
)

// versionIn finds "Mesa 22.3.6" in a driver's strings.
func versionIn(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`Mesa (\d+\.\d+\.\d+)`).FindSubmatch(b); m != nil {
		return string(m[1])
	}
	return ""
}
