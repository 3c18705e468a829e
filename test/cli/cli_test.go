// Package cli runs the command line as a user does, script by script (testdata/*.txtar): what it prints, its exit
// status, and what is left behind. The trees are made of a few small ELF files without code; nothing of them runs, so
// the scripts are fast and need neither the network nor a GPU. The real trees are package integration's.
package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/arch"

	// What the command is made of: a change there must change this test, or `go test` would show an old result.
	_ "github.com/capsule-run/capsule-run/internal/config"
	_ "github.com/capsule-run/capsule-run/internal/doctor"
	_ "github.com/capsule-run/capsule-run/internal/doctor/page"
	_ "github.com/capsule-run/capsule-run/internal/run"
)

// binDir holds the launcher, built by TestMain: a command cannot be imported.
var binDir string

// coverDir is where the launcher tells which of its lines were run (go tool covdata), if that is asked for:
//
//	mkdir /tmp/covered && GOCOVERDIR=/tmp/covered go test -count=1 ./test/cli
//	go tool covdata textfmt -i=/tmp/covered -o=/tmp/covered/lines
var coverDir = os.Getenv("GOCOVERDIR")

// wrappers start a program in another situation.
var wrappers = map[string]string{
	// nobody is a user without rights, where we are root.
	"nobody": `#!/bin/sh
[ "$(id -u)" != 0 ] || exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
exec "$@"
`,
	// as UID is a user of that number, with a group of the same.
	"as": `#!/bin/sh
user=$1
shift
exec setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
`,
	// crowded UID is that user, for whom others have taken the places in /tmp and /var/tmp.
	"crowded": `#!/bin/sh
mkdir -p "/tmp/capsule-run-$1"
private sh -c 'mount -t tmpfs -o mode=755 none /var/tmp || exit 99; exec as "$@"' crowded "$@"
status=$?
rmdir "/tmp/capsule-run-$1"
exit $status
`,
	// private has mounts of its own.
	"private": `#!/bin/sh
[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null && exec unshare -m --propagation private -- "$@"
exec unshare -Urm --propagation private -- "$@"
`,
	// small DIR SIZE COMMAND… has an empty file system of so many bytes at DIR (size=1m,ro for one that is read-only); what
	// is left there when the command has ended is told on standard error, and it shall be empty but for directories.
	"small": `#!/bin/sh
dir=$1 size=$2
shift 2
exec private sh -c 'dir=$1 size=$2; shift 2; mount -t tmpfs -o size=$size small "$dir" || exit 99; "$@"; status=$?
find "$dir" -mindepth 1 ! -type d | sed "s,^,left: ," >&2; exit $status' small "$dir" "$size" "$@"
`,
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "capsule-cli-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		os.Chmod(dir, 0o755)
		files, err := filepath.Glob("../../cmd/*/*.go")
		if err != nil || len(files) == 0 {
			panic("no source files of the commands")
		}
		for _, f := range files {
			os.Stat(f) // `go test` remembers which files a test looked at, and runs it again when one has changed
		}
		binDir = dir
		for name, text := range wrappers {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
				panic(err)
			}
		}
		args := []string{"build", "-o", dir}
		if coverDir != "" {
			args = append(args, "-cover", "-coverpkg=./...")
		}
		cmd := exec.Command("go", append(args, "./cmd/capsule-run", "./cmd/capsule-hook")...)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			println("build the launcher: " + err.Error() + "\n" + string(out))
			return 1
		}
		os.Setenv("GOTMPDIR", dir) // testscript leaves its directory where not all scripts are run
		return m.Run()
	}())
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binDir+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			if coverDir != "" {
				e.Setenv("GOCOVERDIR", coverDir)
			}
			for _, d := range []string{"home", "cache"} {
				if err := os.Mkdir(filepath.Join(e.WorkDir, d), 0o755); err != nil {
					return err
				}
			}
			for _, d := range []string{filepath.Dir(e.WorkDir), e.WorkDir} { // `nobody` looks in, too
				if err := os.Chmod(d, 0o755); err != nil {
					return err
				}
			}
			return nil
		},
		// c-parts: libcapsule is compiled (make build), without which nothing can be planned.
		// launch: a mount namespace can be made here.
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "c-parts":
				_, err := cshim.Object(arch.X8664, cshim.Libcapsule)
				return have(t, err == nil), nil
			case "root":
				return os.Geteuid() == 0, nil
			case "launch":
				ok := exec.Command("unshare", "-m", "true").Run() == nil || exec.Command("unshare", "-Um", "true").Run() == nil
				return have(t, ok), nil
			}
			return false, os.ErrInvalid
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails":   cmdFails,
			"same":    cmdSame,
			"keys":    cmdKeys,
			"lines":   cmdLines,
			"wide":    cmdWide,
			"empty":   cmdEmpty,
			"elf":     cmdELF,
			"runtime": cmdRuntime,
			"host":    cmdHost,
			"machine": cmdMachine,
			"cut":     cmdCut,
			"tarball": cmdTarball,
			"image":   cmdImage,
		},
	})
}

// have lets a script skip what cannot be had here, unless CAPSULE_MUST_WORK=1 says that it must.
func have(t *testing.T, ok bool) bool {
	if !ok && os.Getenv("CAPSULE_MUST_WORK") == "1" {
		t.Error("an ability is missing that a script needs")
	}
	return ok
}

// mounts lists what is mounted, except where another test makes a tree, has one mounted or runs a container meanwhile.
func mounts() string {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		panic(err)
	}
	return regexp.MustCompile(`(?m)^\S+ \S*/(containers/|netns/|mmdebstrap\.|capsule-hook-|Test[A-Z]).*\n`).ReplaceAllString(string(b), "")
}
