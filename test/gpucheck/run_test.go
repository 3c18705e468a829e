package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// launcher stands in for capsule-run: what follows "--" is run from the directory of the programs, with INSIDE set.
const launcher = `#!/bin/sh
here=$(dirname "$0")
while [ "$1" != -- ]; do shift; done
program=$here/$(basename "$2")
shift 2
INSIDE=1 exec "$program" "$@"
`

// forbidding begins a stand-in that only does without namespaces.
const forbidding = `#!/bin/sh
case "$*" in *"--isolation none"*) ;; *) echo 'capsule-run: error: no namespaces' >&2; exit 125;; esac
`

// What is not the same is found and told; what cannot be run at all is no difference.
func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name, cuda, launcher string
		isolation            string
		want, wantErr        string
	}{
		{"the same", "echo device; echo time launch 0.$$ ms", launcher, "userns", "capsule, frontend: the same", ""},
		{"text", "echo device ${INSIDE-0}", launcher, "userns", "DIFFERENT: another text:\ndevice 1", "1 of 1 programs do not do"},
		{"status", "[ -z \"$INSIDE\" ] || exit 3", launcher, "userns", "DIFFERENT: exit status 3 instead of 0", "1 of 1 programs"},
		{"changing", "echo $$", launcher, "userns", "DIFFERENT: its output changes from run to run", "1 of 1 programs"},
		{"no GPU", "echo cuInit: 100; exit 77", launcher, "userns", "not compared: CUDA: natively: cuInit: 100", "no GPU"},
		{"broken natively", "echo lost; exit 1", launcher, "userns", "CUDA: it fails natively (exit status 1): lost", "no GPU"},
		{"no namespaces", "echo device", "#!/bin/sh\necho 'capsule-run: error: no namespaces' >&2\nexit 125\n", "userns", "",
			"no capsule can be started here:\ncapsule-run: error: no namespaces"},
		{"no namespaces, and auto", "echo device", forbidding + launcher[len("#!/bin/sh\n"):], "auto",
			"isolation: none\nbecause: capsule-run: error: no namespaces", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("CAPSULE_MUST_WORK", "1")
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write(runtimeTar, emptyRuntime(t))
			write("capsule-run", test.launcher)
			write("cuda", "#!/bin/sh\n"+test.cuda+"\n")
			for _, other := range []string{"nvml", "nvidia-smi", sceneProgram} {
				write(other, "#!/bin/sh\nexit 77\n")
			}
			var out bytes.Buffer
			c := &comparison{out: &out, from: dir, rounds: 2, isolation: test.isolation}
			err := c.run(t.Context())
			if (err == nil) != (test.wantErr == "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("error %v, want %q", err, test.wantErr)
			}
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("nothing says %q:\n%s", test.want, &out)
			}
		})
	}
}

func emptyRuntime(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	z.Close()
	return b.String()
}

// A picture that differs in one byte is another, and one without content is none.
func TestPictures(t *testing.T) {
	picture := make([]byte, 4*1024)
	for i := range picture {
		picture[i] = byte(i / 7)
	}
	other := bytes.Clone(picture)
	other[100]++
	a := &sample{pictures: map[string][]byte{"x.pam": picture}}
	if d := a.differences(&sample{pictures: map[string][]byte{"x.pam": bytes.Clone(picture)}}); len(d) != 0 {
		t.Errorf("one picture is two: %q", d)
	}
	for _, b := range []map[string][]byte{{"x.pam": other}, {}} {
		if d := a.differences(&sample{pictures: b}); len(d) != 1 {
			t.Errorf("%d pictures: %q", len(b), d)
		}
	}
	if blank(a.pictures) != "" || blank(map[string][]byte{"x.pam": make([]byte, 4*1024)}) != "x.pam" {
		t.Error("what is blank is not told from what is not")
	}
}
