package build_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// A build in place has links where namespaces have mounts, and leads nothing of ours to the host through one of them.
func TestBuildInPlace(t *testing.T) {
	s, host := store(t), t.TempDir()
	bind := func(target, source string) mount.Op {
		return mount.Op{Kind: mount.Bind, Target: capsule.Dir + "/" + target, Source: source}
	}
	p := plan(t)
	p.Mounts = []mount.Op{bind("share/drirc.d", host), bind("copy/x", "x86_64-linux-gnu/lib"),
		{Kind: mount.Symlink, Target: "/etc/elsewhere", Text: "x"}}
	b, err := s.BuildInPlace("key", p, build.Record{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, want := range map[string]string{"share/drirc.d": host, "copy/x": "../x86_64-linux-gnu/lib"} {
		if got, err := os.Readlink(filepath.Join(b.Dir, name)); err != nil || got != want {
			t.Errorf("%s leads to %q, want %q: %v", name, got, want, err)
		}
	}
	if _, err := os.Lstat(b.Dir + "/etc"); err == nil {
		t.Error("something of /etc is in the build")
	}

	p.Mounts = []mount.Op{bind("share", host), bind("share/sub/file", "/etc/passwd")}
	if b, err := s.BuildInPlace("other", p, build.Record{}); err == nil {
		b.Close()
		t.Error("a mount below one of the host's directories: no error")
	}
	if entries, _ := os.ReadDir(host); len(entries) != 0 {
		t.Errorf("written to the host: %v", entries)
	}
}

// A build's own path is written as the file has paths: in JSON some characters are escaped, in a manifest of one line none are.
func TestGeneratedInPlace(t *testing.T) {
	s, p := build.NewStore(filepath.Join(t.TempDir(), `R&D "1"`)), plan(t)
	const library = capsule.Dir + "/lib/libdriver.so"
	a := p.Architectures[0].Artefacts()
	a.Generated = append(a.Generated, capsule.GeneratedFile{File: "manifests/one.icd", Text: []byte(library + "\n")},
		capsule.GeneratedFile{File: "manifests/one.json", Text: []byte(`{"library_path": "` + library + `"}`)})
	b, err := s.BuildInPlace("key", p, build.Record{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	want := b.Dir + "/lib/libdriver.so"
	if line, err := os.ReadFile(b.Dir + "/manifests/one.icd"); err != nil || string(line) != want+"\n" {
		t.Errorf("the line is %q, want %q: %v", line, want, err)
	}
	var manifest struct {
		Library string `json:"library_path"`
	}
	text, err := os.ReadFile(b.Dir + "/manifests/one.json")
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil || manifest.Library != want {
		t.Errorf("%s names %q, want %q: %v", text, manifest.Library, want, err)
	}
}

// Only what begins below /usr/lib/capsule is moved.
func TestMoved(t *testing.T) {
	for text, want := range map[string]string{
		"/usr/lib/capsule/lib/a.so":                                     "/b/lib/a.so",
		"/usr/lib/capsule/lib:/usr/lib/capsule/x:/usr":                  "/b/lib:/b/x:/usr",
		"{\"library_path\": \"/usr/lib/capsule/lib/a.so\"}":             "{\"library_path\": \"/b/lib/a.so\"}",
		"exec '/usr/lib/capsule/ld' --sysroot=/usr/lib/capsule/r \\":    "exec '/b/ld' --sysroot=/b/r \\",
		"-L/usr/lib/capsule/x -L=/usr/lib/capsule/y\n/usr/lib/capsule/": "-L/b/x -L=/b/y\n/b/",
		"/usr/lib/capsule/host/usr/lib/capsule/x":                       "/b/host/usr/lib/capsule/x",
		"/var/usr/lib/capsule/x":                                        "/var/usr/lib/capsule/x",
		"/home/me/usr/lib/capsule/x:/usr/lib/capsule/x":                 "/home/me/usr/lib/capsule/x:/b/x",
		"/usr/lib/capsules/x":                                           "/usr/lib/capsules/x", "/usr/lib/capsule": "/usr/lib/capsule", "": "",
	} {
		if got := build.Moved(text, "/b"); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}
