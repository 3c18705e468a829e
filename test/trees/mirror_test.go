package trees

import (
	"os"
	"path/filepath"
	"testing"
)

// The archive is found in either format, and never a security archive, a disabled entry or a third party's.
func TestMirrorFrom(t *testing.T) {
	const thirdParty = "Types: deb\nURIs: https://other.invalid/node\nSuites: nodistro\nComponents: main\n"
	tests := []struct {
		name, file, text, want string
	}{
		{"one line", "sources.list", "# deb http://no.invalid/debian bookworm main\n" +
			"deb http://a.invalid/debian-security bookworm-security main\n" +
			"deb-src http://b.invalid/debian bookworm main\ndeb http://c.invalid/debian bookworm main contrib\n",
			"http://c.invalid/debian"},
		{"options", "sources.list.d/x.list", "deb [arch=amd64 signed-by=/k.gpg] http://c.invalid/debian/ trixie main\n",
			"http://c.invalid/debian/"},
		{"deb822", "sources.list.d/debian.sources", "Types: deb deb-src\n# comment\nURIs: http://c.invalid/debian\n" +
			"Suites: trixie trixie-updates\nComponents: main\nSigned-By: /k.gpg\n\n" +
			"Types: deb\nURIs: http://c.invalid/debian-security\nSuites: trixie-security\nComponents: main\n",
			"http://c.invalid/debian"},
		{"disabled", "sources.list.d/debian.sources",
			"Types: deb\nURIs: http://c.invalid/debian\nSuites: trixie\nComponents: main\nEnabled: no\n", ""},
		{"Debian beats one that uses its names", "sources.list",
			"deb http://x.invalid/repo bookworm main\ndeb http://c.invalid/debian bookworm main\n", "http://c.invalid/debian"},
		{"nothing", "sources.list", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{test.file: test.text, "sources.list.d/other.sources": thirdParty} {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := mirrorFrom(dir)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("mirrorFrom = %q, %v; want %q", got, err, test.want)
			}
		})
	}
}
