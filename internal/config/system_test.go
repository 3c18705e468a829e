package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadSystem(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "config.toml")
	if s, err := LoadSystem(name, false); err != nil || !s.Hook.HonoursAnnotation() || !s.Hook.BringsDevices() {
		t.Errorf("without a file: %+v, %v", s, err)
	}
	if _, err := LoadSystem(name, true); err == nil {
		t.Error("a named file that is missing is no error")
	}
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("[hook]\nhost = \"tree\"\nannotation = false\nenvironment = [\"NVIDIA_VISIBLE_DEVICES\"]\nmode = \"optional\"\n", 0o644)
	s, err := LoadSystem(name, true)
	if err != nil || s.Hook.Host != filepath.Join(dir, "tree") || s.Hook.HonoursAnnotation() || s.Hook.Mode != ModeOptional ||
		len(s.Hook.Environment) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	write("runtime = \"x\"\n[game.\"y\"]\nhost = \"/\"\n[hook]\nmode = \"optional\"\n", 0o644) // the launcher's part is nothing to the hook
	if s, err := LoadSystem(name, true); err != nil || s.Hook.Mode != ModeOptional {
		t.Errorf("with the launcher's keys: %+v, %v", s, err)
	}
	for _, c := range []struct {
		text    string
		mode    os.FileMode
		message string
	}{
		{"[hook]\n\nhots = \"/\"\n", 0o644, ":3: unknown key"},
		{"[hook]\nmode = 7\n", 0o644, ":2: "},
		{"[hook]\nmode = \"perhaps\"\n", 0o644, "mode"},
		{"[hook]\nboundary = \"x\"\n", 0o644, "boundary"},
		{"[hook", 0o644, ":1: "},
		{"mode = \"optional\"\n[hook]\n", 0o644, ":1: unknown key"},
		{"[game.x]\nmode = \"y\"\n[hook]\nmode = \"optional\"\n", 0o644, ":2: unknown key"},
	} {
		write(c.text, c.mode)
		if _, err := LoadSystem(name, true); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if os.Geteuid() == 0 {
		write("", 0o666)
		if _, err := LoadSystem(name, true); err == nil || !strings.Contains(err.Error(), "written by others") {
			t.Errorf("a file that anybody can write: %v", err)
		}
		write("", 0o644)
		if err := os.Chown(name, 1234, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSystem(name, true); err == nil || !strings.Contains(err.Error(), "user 1234") {
			t.Errorf("somebody else's file: %v", err)
		}
	}
}
