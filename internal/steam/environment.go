package steam

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/regular"
)

// single and plural are variables with a path, or with several between colons, that a tool is to show to the game. The older
// names are of clients before 2021.
var (
	single = []string{"STEAM_COMPAT_INSTALL_PATH", "STEAM_COMPAT_DATA_PATH", "STEAM_COMPAT_SHADER_PATH",
		"STEAM_COMPAT_CLIENT_INSTALL_PATH", "STEAM_COMPAT_APP_LIBRARY_PATH", "STEAM_COMPAT_TOOL_PATH"}
	plural = []string{"STEAM_COMPAT_LIBRARY_PATHS", "STEAM_COMPAT_MOUNTS", "STEAM_COMPAT_TOOL_PATHS",
		"STEAM_COMPAT_APP_LIBRARY_PATHS", "STEAM_COMPAT_MOUNT_PATHS", "STEAM_EXTRA_COMPAT_TOOLS_PATHS"}
)

// never are directories of which nothing is shown: the runtime's, the kernel's, and what is the host's anyway.
var never = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/app", "/proc", "/sys", "/dev"}

// Shares are the paths that the client wants the game to see, each at its own place: sorted, absolute, existing, none
// below another one. What cannot be shown is left out.
func Shares(getenv func(string) string) []string {
	var all []string
	shown := func(p string) bool {
		return p != "/" && p != "/run" && !slices.ContainsFunc(never, func(dir string) bool { return within(p, dir) })
	}
	add := func(p string) {
		if p = filepath.Clean(p); filepath.IsAbs(p) && shown(p) {
			if real, err := filepath.EvalSymlinks(p); err == nil && shown(real) {
				all = append(all, p)
			}
		}
	}
	for _, name := range single {
		add(getenv(name))
	}
	for _, name := range plural {
		for _, p := range filepath.SplitList(getenv(name)) {
			add(p)
		}
	}
	slices.Sort(all)
	var out []string
	for _, p := range slices.Compact(all) {
		if !slices.ContainsFunc(out, func(dir string) bool { return within(p, dir) }) {
			out = append(out, p)
		}
	}
	return out
}

func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// Environ is the environment without the client's own runtime, for which the client sets it up: LD_LIBRARY_PATH and PATH
// lose what lies in that runtime, in the client's directories of libraries, and, the first, in the host's. What the user's
// launch options add stays, and so does LD_PRELOAD, which has the overlay.
func Environ(environ []string) []string {
	env := map[string]string{}
	for _, e := range slices.Backward(environ) { // the first counts, as for getenv
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	client, host := []string{}, []string{"/usr", "/lib", "/lib32", "/lib64", "/libx32"}
	if dir := env["STEAM_RUNTIME"]; filepath.IsAbs(dir) {
		client = append(client, filepath.Clean(dir))
	}
	if dir := env["STEAM_COMPAT_CLIENT_INSTALL_PATH"]; filepath.IsAbs(dir) {
		for _, sub := range []string{"ubuntu12_32", "ubuntu12_64", "linux32", "linux64"} {
			client = append(client, filepath.Join(dir, sub))
		}
	}
	var out []string
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "STEAM_RUNTIME", "STEAM_RUNTIME_LIBRARY_PATH":
			continue
		case "LD_LIBRARY_PATH":
			if value = without(value, slices.Concat(client, host)); value == "" {
				continue
			}
		case "PATH":
			value = without(value, client)
		}
		out = append(out, name+"="+value)
	}
	return out
}

// without drops what is empty, or below one of the directories, from a list between colons.
func without(list string, dirs []string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(list, ":"), func(p string) bool {
		return p == "" || slices.ContainsFunc(dirs, func(dir string) bool { return within(filepath.Clean(p), dir) })
	}), ":")
}

// Runtimes that the client installs, by the names of their directories; the first is what games are built for today.
var Runtimes = []string{"SteamLinuxRuntime_sniper", "SteamLinuxRuntime_4", "SteamLinuxRuntime_soldier"}

// Find returns the directory of one of Steam's runtimes in the user's library folders; empty if there is none.
func Find(getenv func(string) string, names ...string) string {
	var libraries []string
	for _, name := range []string{"STEAM_COMPAT_LIBRARY_PATHS", "STEAM_COMPAT_APP_LIBRARY_PATHS"} {
		libraries = append(libraries, filepath.SplitList(getenv(name))...)
	}
	for _, tool := range filepath.SplitList(getenv("STEAM_COMPAT_TOOL_PATHS")) {
		libraries = append(libraries, filepath.Dir(filepath.Dir(tool))) // a tool from the store lies in common/
	}
	client := getenv("STEAM_COMPAT_CLIENT_INSTALL_PATH")
	if client == "" && getenv("HOME") != "" {
		client = filepath.Join(getenv("HOME"), ".steam", "root")
	}
	if client != "" {
		libraries = append(libraries, client)
		libraries = append(libraries, folders(filepath.Join(client, "steamapps", "libraryfolders.vdf"))...)
	}
	for _, name := range names {
		for _, l := range libraries {
			// The client gives both a library folder and its steamapps.
			for _, common := range []string{"common", "steamapps/common"} {
				dir := filepath.Join(l, common, name)
				if info, err := os.Stat(dir); filepath.IsAbs(dir) && err == nil && info.IsDir() {
					return dir
				}
			}
		}
	}
	return ""
}

// folders are the library folders that the client's list names. One that cannot be read has none: it is the client's.
func folders(name string) []string {
	text, err := regular.Read(name, maxFile)
	if err != nil {
		return nil
	}
	top, err := decode(string(text))
	if err != nil {
		return nil
	}
	list, _ := node{table: top}.get("libraryfolders")
	var out []string
	for _, l := range list.table {
		if p, ok := l.get("path"); ok && filepath.IsAbs(p.value) {
			out = append(out, p.value)
		}
	}
	return out
}

// maxFile bounds what is read of a file, in bytes.
const maxFile = 1 << 20
