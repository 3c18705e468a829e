package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/fault"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, command, app string
		want                  bool
	}{
		{"game", "/a/game", "", true}, {"game", "game", "", true}, {"game", "/game/a", "", false}, {"*.x86*", "/a/b.x86_64", "", true},
		{"/a/*/game", "/a/b/game", "", true}, {"/a/*/game", "/a/b/c/game", "", false}, {"/a/**/game", "/a/b/c/game", "", true},
		{"/a/**", "/a/b/c/game", "", true}, {"/a/game", "game", "", false}, {"~/g/*", "/h[/g/x", "", true}, {"~/g/*", "/other/g/x", "", false},
		{"440", "/a/game", "440", true}, {"440", "440", "", false}, {"44", "/a/game", "440", false}, {"*", "", "440", false}, {"*", "x", "", true},
	} {
		if got := (Game{c.command, c.app}).matches(c.pattern, "/h["); got != c.want {
			t.Errorf("%q on %q, %q: %v", c.pattern, c.command, c.app, got)
		}
	}
}

func TestLoadOrder(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"HOME": dir + "/home", "XDG_CONFIG_DIRS": dir + "/a:" + dir + "/b"}
	s := Sources{System: dir + "/system.toml", Getenv: func(k string) string { return env[k] }, Game: Game{Command: "g"}}
	for name, text := range map[string]string{
		"system.toml":                          `host = "system"`,
		"b/capsule-run/config.toml":            `host = "b"`,
		"a/capsule-run/config.toml":            "host = \"a\"\n[game.g]\nlibraries = [\"of a\"]",
		"home/.config/capsule-run/config.toml": "libraries = [\"home\"]\nbind = [\"~/x:/y:ro\", \"z\"]",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(append(append(c.Libraries, c.Host), c.Bind...), " ")
	want := "home of a " + dir + "/a/capsule-run/a " + dir + "/home/x:/y:ro " + dir + "/home/.config/capsule-run/z"
	if got != want || c.From("host") != dir+"/a/capsule-run/config.toml" || c.From("isolation") != "" {
		t.Errorf("%s\nnot %s; %+v", got, want, c.Origins)
	}
	s.Explicit = dir + "/none.toml"
	if _, err := Load(s); err == nil || fault.ExitCode(err) != fault.ExitUsage {
		t.Errorf("a named file that is missing: %v", err)
	}
}

// FuzzConfig: a file or an error, never both; the error is about the file, and what was read can be merged.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{"", "runtime = \"x\"\n[game.\"*\"]\nbind = [\"a:/b\"]", "[hook]\nmode = 1", "[game]\nx = 1", "setenv = { a = \"b\" }", "a.b = [{c=1}]"} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, system bool) {
		parsed, err := parse("/dir/file.toml", text, system)
		if (err == nil) != (parsed != nil) {
			t.Fatalf("%v, %v", parsed, err)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "/dir/file.toml:") || fault.ExitCode(err) != fault.ExitUsage {
				t.Errorf("%v", err)
			}
			return
		}
		c := &Config{}
		c.add(parsed, &parsed.Options, "/home", parsed.name)
		c.games(parsed, Game{Command: "/x/y", AppID: "1"}, "/home")
	})
}
