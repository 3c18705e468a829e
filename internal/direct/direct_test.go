package direct

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/internal/fault"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCommand(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	runtime, host := dir+"/runtime", dir+"/host"
	put := func(name string, text []byte) {
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, text, 0o755))
	}
	program := func(interp string, machine elf.Machine) []byte {
		return elftest.Lib{Interp: interp, Machine: machine}.Bytes()
	}
	put(runtime+"/usr/bin/game", program("/lib64/ld-linux-x86-64.so.2", elf.EM_X86_64))
	put(runtime+"/usr/bin/sh", program("/lib64/ld-linux-x86-64.so.2", elf.EM_X86_64))
	put(runtime+"/usr/bin/static", program("", elf.EM_X86_64))
	put(runtime+"/usr/bin/arm", program("/lib/ld-linux-aarch64.so.1", elf.EM_AARCH64))
	put(runtime+"/usr/bin/script", []byte("#! /usr/bin/sh  -e x\n"))
	put(host+"/tool", program("/lib64/ld-linux-x86-64.so.2", elf.EM_X86_64))
	must(t, os.Symlink("/usr/bin", runtime+"/bin"))
	must(t, os.Chmod(runtime+"/usr/bin/static", 0o755))
	// Names of one program: it tells by argv[0] which is meant. An absolute link leads elsewhere from outside.
	must(t, os.Symlink("static", runtime+"/usr/bin/player"))
	must(t, os.Symlink("/usr/bin/static", runtime+"/usr/bin/alternative"))

	r := &Runtime{Dir: runtime, Loaders: map[string]Loader{"x86_64": {Path: "/r/ld.so", Argv0: true, Libraries: []string{"/r/a", "/r/b"}}}}
	env := []string{"PATH=relative:/bin:" + host, "LD_LIBRARY_PATH=/mine"}
	ld := "/r/ld.so --inhibit-cache --library-path /mine:/build/x86_64-linux-gnu/lib:/r/a:/r/b --argv0 "
	for _, c := range []struct {
		argv []string
		want string // or the error's exit status
		code int
	}{
		{argv: []string{"game", "-x"}, want: ld + "game " + runtime + "/usr/bin/game -x"},
		{argv: []string{"/bin/game"}, want: ld + "/bin/game " + runtime + "/usr/bin/game"},
		{argv: []string{"tool"}, want: ld + "tool " + host + "/tool"},
		{argv: []string{"./tool"}, want: "./tool"}, // not there: the kernel says so
		{argv: []string{"static", "a"}, want: runtime + "/usr/bin/static a"},
		{argv: []string{"player", "a"}, want: runtime + "/usr/bin/player a"},
		{argv: []string{"alternative"}, want: runtime + "/usr/bin/static"},
		{argv: []string{"script", "a"}, want: ld + "/usr/bin/sh " + runtime + "/usr/bin/sh -e x " + runtime + "/usr/bin/script a"},
		{argv: []string{"arm"}, code: fault.ExitNotExecutable},
		{argv: []string{"nothing"}, code: fault.ExitNotFound},
		{argv: []string{""}, code: fault.ExitNotFound},
		{argv: []string{"/usr/bin"}, code: fault.ExitNotFound},
	} {
		got, err := r.Command(slices.Clone(c.argv), env, "/build")
		if c.code != 0 {
			if err == nil || fault.ExitCode(err) != c.code {
				t.Errorf("%q: %v, want exit status %d", c.argv, err, c.code)
			}
			continue
		}
		// The option of a "#!" line is one word.
		if want := strings.ReplaceAll(c.want, "-e x", "-e\x00x"); err != nil || strings.Join(got, " ") != strings.ReplaceAll(want, "\x00", " ") {
			t.Errorf("%q: %v\ngot  %s\nwant %s", c.argv, err, strings.Join(got, " "), c.want)
		}
	}
	if got, _ := r.Command([]string{"script"}, env, "/build"); !slices.Contains(got, "-e x") {
		t.Errorf("%q", got)
	}
}

// What ld.so's command line cannot say is refused, and nothing is started another way; names count from here as natively.
func TestUnspeakable(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("--list", 0o755))
	program := elftest.Lib{Interp: "/lib64/ld-linux-x86-64.so.2", Machine: elf.EM_X86_64}.Bytes()
	for _, name := range []string{"--list/game", "game"} {
		must(t, os.WriteFile(name, program, 0o755))
	}
	runtime := func(libraries ...string) *Runtime {
		return &Runtime{Dir: "/", Loaders: map[string]Loader{"x86_64": {Path: "/r/ld.so", Libraries: libraries}}}
	}
	got, err := runtime("/r/a b").Command([]string{"--list/game"}, []string{"LD_LIBRARY_PATH=/mine::"}, "/build")
	want := []string{"/r/ld.so", "--inhibit-cache", "--library-path", "/mine:::/build/x86_64-linux-gnu/lib:/r/a b", "./--list/game"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	for dir, build := range map[string]string{"/r:1/lib": "/build", "/r;1/lib": "/build", "/$LIB": "/build", "/r/lib": "/a:b"} {
		got, err := runtime("/first", dir).Command([]string{"./game"}, nil, build)
		if err == nil || fault.Hint(err) == "" || !strings.Contains(err.Error(), "in its name") {
			t.Errorf("%s, %s: %v, %q", dir, build, err, got)
		}
	}
	for path, want := range map[string]string{"/none:": "./game", "/none:--list": "./--list/game", "": "./game"} {
		got, err := runtime().Command([]string{"game"}, []string{"PATH=" + path}, "/build")
		if err != nil || got[len(got)-1] != want {
			t.Errorf("PATH=%s: %q, want %s: %v", path, got, want, err)
		}
	}
	must(t, os.MkdirAll("runtime/bin", 0o755))
	must(t, os.WriteFile("runtime/bin/inner", program, 0o755))
	inner := runtime()
	inner.Dir, _ = filepath.Abs("runtime")
	if got, err := inner.Command([]string{"inner"}, nil, "/build"); err != nil || got[len(got)-1] != inner.Dir+"/bin/inner" {
		t.Errorf("without PATH: %v, %q", err, got)
	}
	must(t, unix.Mkfifo("pipe", 0o755)) // is not waited for
	if got, err := runtime().Command([]string{"./pipe"}, nil, "/build"); err != nil || !slices.Equal(got, []string{"./pipe"}) {
		t.Errorf("a pipe: %v, %q", err, got)
	}
}
