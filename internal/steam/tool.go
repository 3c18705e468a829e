// Package steam is what makes capsule-run a compatibility tool of the Steam client: the files by which the client knows it,
// and what the client's environment says about a launch. It exists so that nothing else of the project knows Steam. It
// starts nothing, and changes nothing of Steam's but its own directory below compatibilitytools.d.
//
// The interface is described by docs/steam-compat-tool-interface.md of steam-runtime-tools.
package steam

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/regular"
)

// Name of the tool: its directory's, and what the client knows it by.
const Name = "capsule-run"

// The client reads the first two, and starts the third.
const (
	declarationFile = "compatibilitytool.vdf"
	manifestFile    = "toolmanifest.vdf"
	wrapperFile     = "capsule-run"
)

// mark is in the wrapper, by which a directory is known to be ours.
const mark = "# Written by capsule-run steam install; capsule-run steam uninstall removes it.\n"

var (
	// ErrNoClient says that there is no Steam client where it is looked for.
	ErrNoClient = errors.New("no Steam client found")
	// ErrForeign says that a directory has the tool's name and is not ours.
	ErrForeign = errors.New("not written by capsule-run steam install")
)

// declaration says that the tool runs programs of Linux on Linux.
func declaration() string {
	return encode(table("compatibilitytools", table("compat tools", table(Name,
		value("install_path", "."), value("display_name", "capsule-run"), value("from_oslist", "linux"), value("to_oslist", "linux")))))
}

// manifest is one of version 2, in which the client puts its verb. What used to be a session needs nothing: each launch
// has namespaces of its own, and ends with them. The client ends a tool that has a reaper by SIGINT first, which a launch
// passes on.
func manifest() string {
	return encode(table("manifest", value("version", "2"), value("commandline", "/"+wrapperFile+" %verb%"),
		value("compatmanager_layer_name", Name), value("use_sessions", "1"), value("use_tool_subprocess_reaper", "1")))
}

// wrapper is a script that finds the program where it was, or by PATH if it has moved. The client's LD_LIBRARY_PATH is no
// matter: the program is static.
func wrapper(program string) string {
	quoted := "'" + strings.ReplaceAll(program, "'", `'\''`) + "'"
	return "#!/bin/sh\n" + mark + `for program in ` + quoted + ` "$(command -v capsule-run)"; do
	[ -x "$program" ] && exec "$program" steam "$@"
done
echo 'capsule-run: error: the program is neither in its place nor on PATH' >&2
echo 'capsule-run: hint: install it, and run: capsule-run steam install' >&2
exit 125
`
}

// Directory is where the user's Steam client looks for tools, below HOME or XDG_DATA_HOME.
func Directory(getenv func(string) string) (string, error) {
	var roots []string
	data := getenv("XDG_DATA_HOME")
	if home := getenv("HOME"); filepath.IsAbs(home) {
		roots = append(roots, filepath.Join(home, ".steam", "root"))
		if !filepath.IsAbs(data) {
			data = filepath.Join(home, ".local", "share")
		}
	}
	if filepath.IsAbs(data) {
		roots = append(roots, filepath.Join(data, "Steam"))
	}
	for _, root := range roots {
		if info, err := os.Stat(root); err == nil && info.IsDir() {
			return filepath.Join(root, "compatibilitytools.d"), nil
		}
	}
	return "", fault.WithHint(fmt.Errorf("%w: none of %s is a directory", ErrNoClient, strings.Join(roots, ", ")),
		"start Steam once, or give the directory compatibilitytools.d of the client with --dir")
}

// Install writes the tool into a directory compatibilitytools.d, which is made if it is missing, and returns the tool's.
// An older one of ours is replaced, all files at once.
func Install(dir, program string) (tool string, err error) {
	tool = filepath.Join(dir, Name)
	_, err = ours(tool)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("install the tool: %w", err)
	}
	// The client takes any directory with a declaration for a tool; so it comes last, below a name that is not kept.
	scratch, err := private.ScratchIn(dir, "."+Name+"-")
	if err != nil {
		return "", fmt.Errorf("install the tool: %w", err)
	}
	defer scratch.Close()
	temporary := scratch.Dir
	err = os.Chmod(temporary, 0o755)
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{{wrapperFile, wrapper(program), 0o755}, {manifestFile, manifest(), 0o644}, {declarationFile, declaration(), 0o644}} {
		if err == nil {
			err = os.WriteFile(filepath.Join(temporary, f.name), []byte(f.text), f.mode)
		}
	}
	if err == nil && there {
		err = unix.Renameat2(unix.AT_FDCWD, temporary, unix.AT_FDCWD, tool, unix.RENAME_EXCHANGE)
	} else if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, temporary, unix.AT_FDCWD, tool, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) { // somebody else has just come; if it is another install, that is as good
			if _, foreign := ours(tool); foreign != nil {
				return "", foreign
			}
			err = nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("install the tool %s: %w", tool, err)
	}
	return tool, nil
}

// Uninstall removes the tool's directory, if it is ours and has nothing else in it.
func Uninstall(dir string) (tool string, err error) {
	tool = filepath.Join(dir, Name)
	files, err := ours(tool)
	if err != nil {
		return "", err
	}
	slices.Sort(files) // the wrapper, by which it is known, first of all would leave an unknown directory: it goes last
	slices.SortStableFunc(files, func(a, b string) int { return order(a) - order(b) })
	for _, name := range files {
		if err := os.Remove(filepath.Join(tool, name)); err != nil {
			return "", fmt.Errorf("remove the tool: %w", err)
		}
	}
	if err := os.Remove(tool); err != nil {
		return "", fmt.Errorf("remove the tool: %w", err)
	}
	return tool, nil
}

func order(name string) int {
	return slices.Index([]string{declarationFile, manifestFile, wrapperFile}, name)
}

// ours lists a directory that holds our files and no others.
func ours(tool string) ([]string, error) {
	info, err := os.Lstat(tool)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("the tool: %w", err), "capsule-run steam install writes it; --dir says where")
	}
	foreign := fault.WithHint(fmt.Errorf("%s: %w", tool, ErrForeign), "move it away, or choose another directory with --dir")
	if !info.IsDir() {
		return nil, foreign
	}
	entries, err := os.ReadDir(tool)
	if err != nil {
		return nil, fmt.Errorf("the tool: %w", err)
	}
	var names []string
	for _, e := range entries {
		if order(e.Name()) < 0 || !e.Type().IsRegular() {
			return nil, foreign
		}
		names = append(names, e.Name())
	}
	text, err := regular.Read(filepath.Join(tool, wrapperFile), maxFile)
	if err != nil || !bytes.Contains(text, []byte(mark)) {
		return nil, foreign
	}
	return names, nil
}
