package setup

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var capsule = Entry{Binary: "/usr/bin/capsule-run", Stage: "createRuntime", GPU: "all"}

func TestFile(t *testing.T) {
	e := capsule
	e.Mode, e.Cache = "optional", "/c"
	text, err := e.File(WhenAnnotation)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "version": "1.0.0",
  "hook": {
    "path": "/usr/bin/capsule-run",
    "args": [
      "capsule-hook",
      "createRuntime",
      "--gpu=all",
      "--mode=optional",
      "--cache=/c"
    ],
    "env": [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    ],
    "timeout": 60
  },
  "when": {
    "annotations": {
      "^dev\\.capsule\\.gpu$": "."
    }
  },
  "stages": [
    "createRuntime"
  ]
}
`
	if string(text) != want {
		t.Errorf("%s", text)
	}
	if text, _ := e.File(WhenAlways); !bytes.Contains(text, []byte(`"always": true`)) {
		t.Errorf("%s", text)
	}
	if _, err := e.File("sometimes"); err == nil {
		t.Error("an unknown condition is accepted")
	}
	e.Binary = "capsule-run"
	if _, err := e.File(WhenAlways); err == nil {
		t.Error("a relative path is accepted")
	}
}

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "oci/hooks.d")
	text, err := Entry{Binary: "/usr/bin/capsule-hook", Stage: "createRuntime"}.File(WhenAlways)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Install(dir, text); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := os.ReadDir(dir)
	if st, err := os.Stat(filepath.Join(dir, FileName)); err != nil || st.Mode() != 0o644 || len(names) != 1 {
		t.Errorf("%v, %v, %v", st.Mode(), err, names)
	}
	for _, want := range []bool{true, false} {
		if removed, err := Uninstall(dir); removed != want || err != nil {
			t.Errorf("%v, %v", removed, err)
		}
	}
}

// As somebody may have written it: odd spacing, unknown keys, numbers that a float cannot hold.
const bundle = `{
   "ociVersion" : "1.0.2-dev",   "x-unknown": {"big": 12345678901234567890, "html": "<&>"},
  "process": {"args": ["true"], "env": ["A=1"], "user": {"uid": 1000, "gid": 1000}},
	"root": { "path": "rootfs" },
  "hooks": {"poststop": [{"path": "/bin/other"}], "createRuntime": [{"path": "/bin/first"}]},
  "linux": {"resources": {"devices": [{"allow": false, "access": "rwm"}]}, "namespaces": []}
}
`

func TestInject(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(name, []byte(bundle), 0o640); err != nil {
		t.Fatal(err)
	}
	edits := Edits{Entry: capsule, Env: []string{"GLIBC_TUNABLES=a.b=1", "A=2"},
		Devices: []Device{{Path: "/dev/dri/renderD128", Major: 226, Minor: 128, Mode: 0o660, GID: 105, Group: true}}}
	for i, want := range []bool{true, false} {
		if changed, err := Inject(name, edits); changed != want || err != nil {
			t.Fatalf("time %d: %v, %v", i, changed, err)
		}
	}
	text, _ := os.ReadFile(name)
	for _, part := range []string{`"ociVersion" : "1.0.2-dev",   "x-unknown": {"big": 12345678901234567890, "html": "<&>"},`,
		`	"root": { "path": "rootfs" },`} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("not as it was: %s\n%s", part, text)
		}
	}
	if st, _ := os.Stat(name); st.Mode() != 0o640 {
		t.Errorf("mode %v", st.Mode())
	}
	var spec specs.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	h := spec.Hooks.CreateRuntime
	if len(h) != 2 || h[0].Path != "/bin/first" || h[1].Args[0] != Name || len(h[1].Env) != 1 || len(spec.Hooks.Poststop) != 1 {
		t.Errorf("hooks: %+v", spec.Hooks)
	}
	if got := strings.Join(spec.Process.Env, " "); got != "A=1 GLIBC_TUNABLES=a.b=1" {
		t.Errorf("environment: %s", got)
	}
	r, d := spec.Linux.Resources.Devices, spec.Linux.Devices
	if len(r) != 2 || !r[1].Allow || *r[1].Major != 226 || len(d) != 1 || d[0].Path != "/dev/dri/renderD128" || *d[0].FileMode != 0o660 {
		t.Errorf("devices: %+v, %+v", r, d)
	}
	if gids := spec.Process.User.AdditionalGids; len(gids) != 1 || gids[0] != 105 {
		t.Errorf("groups: %v", gids)
	}
	// Another stage takes the place of the first, and a tunable joins what is there.
	edits.Entry.Stage, edits.Env = "createContainer", []string{"GLIBC_TUNABLES=c.d=2"}
	if _, err := Inject(name, edits); err != nil {
		t.Fatal(err)
	}
	text, _ = os.ReadFile(name)
	spec = specs.Spec{}
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Hooks.CreateRuntime) != 1 || len(spec.Hooks.CreateContainer) != 1 {
		t.Errorf("hooks: %+v", spec.Hooks)
	}
	if got := strings.Join(spec.Process.Env, " "); got != "A=1 GLIBC_TUNABLES=c.d=2:a.b=1" {
		t.Errorf("environment: %s", got)
	}
}

func TestInjectRefuses(t *testing.T) {
	for text, message := range map[string]string{"": "unexpected end", "[]": "array", "{}": "ociVersion", `{"ociVersion":7}`: "ociVersion",
		`{"ociVersion":"1","hooks":{"createRuntime":7}}`: "no array", `{"ociVersion":"1","process":{"env":{}}}`: "no array"} {
		name := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Inject(name, Edits{Entry: capsule, Env: []string{"A=1"}}); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", text, err)
		}
		names, _ := os.ReadDir(filepath.Dir(name))
		if got, _ := os.ReadFile(name); string(got) != text || len(names) != 1 {
			t.Errorf("%s became %s, %v", text, got, names)
		}
	}
}

// Whatever is edited is JSON again, and a second time changes nothing.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(bundle))
	f.Add([]byte(`{"ociVersion":"1","hooks":null,"process":{"env":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e := Edits{Entry: capsule, Env: []string{"A=1"}, Devices: []Device{{Path: "/dev/x", Major: 1, Minor: 2, GID: 3, Group: true}}}
		once, err := edit(text, e)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("%q became %q", text, once)
		}
		twice, err := edit(once, e)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q, then %q, %v", once, twice, err)
		}
	})
}
