//go:build integration

package integration

import (
	"os"
	"strings"
	"testing"
)

// A runtime's programs see the runtime's fonts, unless it has none: then they see the machine's.
func TestFonts(t *testing.T) {
	fonts, err := os.ReadDir("/usr/share/fonts")
	if err != nil || len(fonts) == 0 {
		t.Fatalf("the machine has no fonts (test/setup.sh installs some): %v", err)
	}
	l := quick(t, "sh", "-c", "fc-list : file; ls /run/host/fonts | wc -l; echo FONTCONFIG_FILE=$FONTCONFIG_FILE")
	r := l.ok(t)
	if !strings.Contains(r.stdout, "/usr/share/fonts/truetype/dejavu/") || strings.Contains(r.stdout, "/run/host") || !strings.HasSuffix(r.stdout, "\nFONTCONFIG_FILE=\n") {
		t.Errorf("the runtime's: %s", r.both())
	}
	l.runtime = copyOf(t, "runtime11")
	must(t, os.RemoveAll(l.runtime+"/usr/share/fonts"))
	r = l.ok(t)
	if !strings.Contains(r.stdout, "/run/host/fonts/") || strings.Contains(r.stdout, "/usr/share/fonts/") {
		t.Errorf("the machine's: %s", r.both())
	}
}
