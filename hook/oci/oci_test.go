package oci

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func bundle(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ConfigName), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const config = `{"ociVersion":"1.0.2","root":{"path":"rootfs","readonly":true},"annotations":{"a":"config","b":"config"},
	"process":{"env":["X=1","NVIDIA_VISIBLE_DEVICES=all","X=2"]},"linux":{"mountLabel":"label"}}`

func TestRead(t *testing.T) {
	dir := bundle(t, config)
	for _, state := range []string{
		`{"ociVersion":"1.0.2","id":"c","status":"creating","pid":7,"bundle":"` + dir + `","annotations":{"a":"state"}}`,
		`{"ociVersion":"1.0","id":"c","status":"created","pid":7,"root":"rootfs","bundle":"` + dir + `/","annotations":{"a":"state"}}`,
	} {
		c, err := Read(strings.NewReader(state))
		if err != nil {
			t.Fatal(err)
		}
		want := &Container{ID: "c", Pid: 7, Bundle: dir, Rootfs: dir + "/rootfs", Annotations: map[string]string{"a": "state", "b": "config"},
			Env: []string{"X=1", "NVIDIA_VISIBLE_DEVICES=all", "X=2"}, MountLabel: "label", Readonly: true}
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%+v, want %+v", c, want)
		}
		if v, ok := c.Getenv("X"); v != "2" || !ok {
			t.Errorf("X is %q", v)
		}
		if v, ok := c.Getenv("NVIDIA"); ok {
			t.Errorf("NVIDIA is %q", v)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := bundle(t, config)
	pipe := filepath.Join(t.TempDir(), "config.json")
	if err := os.Symlink(filepath.Join(good, ConfigName), pipe); err != nil {
		t.Fatal(err)
	}
	state := func(bundle string) string { return `{"id":"c","pid":1,"bundle":"` + bundle + `"}` }
	for _, c := range []struct{ name, state, message string }{
		{"nothing", "", "state"},
		{"no JSON", "{", "state"},
		{"too much", strings.Repeat(" ", maxState+1), "too large"},
		{"relative bundle", state("b"), "absolute"},
		{"negative process", `{"pid":-1,"bundle":"/"}`, "process"},
		{"no bundle", state("/nonexistent"), "no such file"},
		{"a link for config.json", state(filepath.Dir(pipe)), "config.json"},
		{"no root", state(bundle(t, `{}`)), "root.path"},
		{"variables without an end", state(bundle(t, `{"root":{"path":"r"},"process":{"env":[""`+strings.Repeat(`,""`, maxEntries)+`]}}`)), "variables"},
		{"broken config", state(bundle(t, `{"root":7}`)), "config.json"},
	} {
		if _, err := Read(strings.NewReader(c.state)); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Either there is a container with absolute paths, or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"pid":1,"bundle":"/b","root":"r"}`), []byte(config))
	f.Add([]byte(`{"bundle":"/b/../.."}`), []byte(`{"root":{"path":"../../../x"}}`))
	f.Fuzz(func(t *testing.T, state, config []byte) {
		c, root, err := parseState(state)
		if err != nil {
			if c != nil {
				t.Error("both")
			}
			return
		}
		if err := c.parseConfig(config, root); err != nil {
			return
		}
		if !filepath.IsAbs(c.Rootfs) || filepath.Clean(c.Rootfs) != c.Rootfs || !filepath.IsAbs(c.Bundle) || c.Pid < 0 {
			t.Errorf("%+v", c)
		}
	})
}
