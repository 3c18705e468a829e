package steam

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func environment(list ...string) func(string) string {
	return func(name string) string {
		for _, e := range list {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

func mkdir(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVDF(t *testing.T) {
	for _, text := range []string{declaration(), manifest(), encode(table("a\"b", value(`c\`, "d\ne\tf{}"), table("e"), value("", "")))} {
		nodes, err := decode(text)
		if err != nil || len(nodes) != 1 || encode(nodes[0]) != text {
			t.Errorf("%s\nis read as %+v, %v", text, nodes, err)
		}
	}
	nodes, err := decode("// of a game\n\"A\" { b c // d\n e \"f // g\" [$LINUX] h { } }\n#base x")
	want := []node{{key: "A", isTable: true, table: []node{{key: "b", value: "c"}, {key: "e", value: "f // g"}, {key: "h", isTable: true}}}, {key: "#base", value: "x"}}
	if err != nil || !reflect.DeepEqual(nodes, want) {
		t.Errorf("%+v, %v", nodes, err)
	}
	for text, line := range map[string]string{"a\n{\nb c\n": "line 4", "a": "line 1", "}": "line 1", "a\n\"b": "line 2", "{": "line 1", strings.Repeat("a{", 100): "line 1"} {
		if _, err := decode(text); !errors.Is(err, errVDF) || !strings.HasPrefix(err.Error(), line+":") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzVDF: entries or an error; what is written again is read as the same.
func FuzzVDF(f *testing.F) {
	for _, text := range []string{declaration(), "a b", "a { b \"c\\\" \\n\" [x] // y\n }", "\"", "{}", "[", "a{b{c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nodes, err := decode(text)
		if err != nil {
			if nodes != nil {
				t.Fatal("entries and an error")
			}
			return
		}
		again, err := decode(encode(table("top", nodes...)))
		if err != nil || len(again) != 1 || encode(again[0]) != encode(table("top", nodes...)) {
			t.Fatalf("%+v is written as what is read as %+v, %v", nodes, again, err)
		}
	})
}

func TestShares(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mkdir(t, dir+"/lib/common/game", dir+"/client", dir+"/a", dir+"/b")
	if err := os.Symlink("client", dir+"/root"); err != nil {
		t.Fatal(err)
	}
	got := Shares(environment("STEAM_COMPAT_INSTALL_PATH="+dir+"/lib/common/game", "STEAM_COMPAT_LIBRARY_PATHS="+dir+"/lib/::relative",
		"STEAM_COMPAT_CLIENT_INSTALL_PATH="+dir+"/root", "STEAM_COMPAT_MOUNTS="+dir+"/a:"+dir+"/none:/usr/share:/etc:/", "STEAM_COMPAT_TOOL_PATHS="+dir+"/b"))
	if want := []string{dir + "/a", dir + "/b", dir + "/lib", dir + "/root"}; !slices.Equal(got, want) {
		t.Errorf("%q\nnot %q", got, want)
	}
	if got := Shares(environment()); got != nil {
		t.Errorf("%q of nothing", got)
	}
}

func TestEnviron(t *testing.T) {
	got := Environ([]string{"A=b=c", "STEAM_RUNTIME=/s/ubuntu12_32/steam-runtime", "STEAM_COMPAT_CLIENT_INSTALL_PATH=/s", "STEAM_RUNTIME_LIBRARY_PATH=x",
		"LD_PRELOAD=:/s/ubuntu12_32/o.so:/s/ubuntu12_64/o.so", "PATH=/s/ubuntu12_32/steam-runtime/amd64/bin:/usr/bin",
		"LD_LIBRARY_PATH=/game/lib:/s/ubuntu12_32/steam-runtime/lib/x86_64-linux-gnu:/usr/lib:/lib/x86_64-linux-gnu::/s/ubuntu12_64"})
	want := []string{"A=b=c", "STEAM_COMPAT_CLIENT_INSTALL_PATH=/s", "LD_PRELOAD=:/s/ubuntu12_32/o.so:/s/ubuntu12_64/o.so", "PATH=/usr/bin", "LD_LIBRARY_PATH=/game/lib"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nnot %q", got, want)
	}
	if got := Environ([]string{"LD_LIBRARY_PATH=/usr/lib"}); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, dir+"/client/steamapps", dir+"/other disk/steamapps/common/SteamLinuxRuntime_soldier", dir+"/lib/common")
	env := environment("STEAM_COMPAT_CLIENT_INSTALL_PATH="+dir+"/client", "STEAM_COMPAT_LIBRARY_PATHS="+dir+"/lib")
	list := encode(table("libraryfolders", table("0", value("path", dir+"/client")), table("1", value("path", dir+"/other disk"))))
	if err := os.WriteFile(dir+"/client/steamapps/libraryfolders.vdf", []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Find(env, Runtimes...); got != dir+"/other disk/steamapps/common/SteamLinuxRuntime_soldier" {
		t.Errorf("%q", got)
	}
	mkdir(t, dir+"/lib/common/SteamLinuxRuntime_sniper")
	if got := Find(env, Runtimes...); got != dir+"/lib/common/SteamLinuxRuntime_sniper" {
		t.Errorf("%q", got)
	}
	if got := Find(env, "SteamLinuxRuntime_7"); got != "" {
		t.Errorf("%q", got)
	}
}
