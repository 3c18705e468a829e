package layout

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// Top is a top-level entry of the runtime.
type Top struct {
	Name string // "usr"
	// Source is the directory outside; unused if Link is set.
	Source string
	// Link is the link's text if the entry is a symbolic link.
	Link string
}

// Bind is a file or directory that the user wants to have inside.
type Bind struct {
	Src, Dst string // Dst empty means the same path as Src
	ReadOnly bool
	// Flag is how the user asked for it; empty means --bind.
	Flag string
	// Link is another name of the same path: a symbolic link leads from it to Src. Where that link is not inside, Src
	// appears there too.
	Link string
	// Missing says that the runtime has nothing at the target: see MarkMissing.
	Missing bool
}

func (b Bind) flag() string {
	if b.Flag == "" {
		return "--bind"
	}
	return b.Flag
}

// Input is all that Compose needs to know.
type Input struct {
	Top  []Top
	Host Host
	// Binds are the user's, in his order.
	Binds []Bind
	// PrivateHome is the outside path of a directory that stands where the home is, empty for the home itself.
	PrivateHome string
	// OwnProc says that the program has a PID namespace, and /proc is of it.
	OwnProc bool
	// OwnFonts says that the runtime has fonts; else programs get a configuration that leads to the host's.
	OwnFonts bool
	// Capsule is what the plan puts below /usr/lib/capsule and in /etc; nothing: there is no
	// capsule.
	Capsule []mount.Op
	// LdSoCache is the outside path of the generated loader cache; empty leaves the runtime's.
	LdSoCache string
}

// Host is what the game's surroundings are on the host. Paths are absolute and clean, and exist; a field is empty where
// there is nothing to share.
type Host struct {
	// Home is HOME, HomeReal the same directory without symbolic links.
	Home, HomeReal string
	// HomeFiles are files of the home that programs of a desktop open to get at the user's session; with a private home
	// they are there too.
	HomeFiles []string
	// Cwd is the physical working directory, as getcwd(2) says it.
	Cwd string
	UID int
	// RuntimeDir is XDG_RUNTIME_DIR.
	RuntimeDir string
	// Files are files and sockets that environment variables name (see namedFiles).
	Files []string
	// Exists are those of the fixed paths that the host has, sorted.
	Exists []string
}

// has says whether the host has one of the fixed paths.
func (h *Host) has(path string) bool { return slices.Contains(h.Exists, path) }

// hostEtc are the files of /etc that describe the machine and its users, not the distribution. nsswitch.conf is not
// among them: it names plug-ins of the runtime's C library.
var hostEtc = []string{"group", "host.conf", "hosts", "localtime", "machine-id", "passwd", "resolv.conf", "timezone"}

// hostDirs are directories of the host that are shared whole.
var hostDirs = []string{"/dev", "/media", "/mnt", "/proc", "/srv", "/sys", "/tmp", "/var/tmp"}

const systemBus = "/run/dbus/system_bus_socket"

// hostRun are things in /run that programs and drivers look for; all other things there are the host's own business. The last
// two have the sockets of NVIDIA's daemons.
var hostRun = []string{systemBus, "/run/udev", "/run/nvidia-persistenced", "/run/nvidia-fabricmanager"}

// Gather looks at the host as it is for this process. cwd is the physical working directory.
func Gather(environ []string, cwd string) Host {
	h := Host{UID: os.Geteuid(), Cwd: cwd}
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if _, twice := env[name]; !twice { // the first counts, as for getenv
			env[name] = value
		}
	}
	if home := env["HOME"]; isDir(home) {
		h.Home = filepath.Clean(home)
		h.HomeReal = h.Home
		if real, err := filepath.EvalSymlinks(home); err == nil {
			h.HomeReal = real
		}
	}
	if dir := env["XDG_RUNTIME_DIR"]; isDir(dir) {
		h.RuntimeDir = filepath.Clean(dir)
	}
	for _, f := range namedFiles(env) {
		if isFile(f) {
			h.Files = append(h.Files, filepath.Clean(f))
		}
	}
	if h.Home != "" {
		for _, name := range homeFiles {
			if f := h.Home + name; isFile(f) {
				h.HomeFiles = append(h.HomeFiles, f)
			}
		}
	}
	slices.Sort(h.Files)
	h.Files = slices.Compact(h.Files)
	fixed := slices.Concat(hostDirs, hostRun)
	for _, s := range hostLooks {
		fixed = append(fixed, s.source)
	}
	for _, name := range hostEtc {
		fixed = append(fixed, "/etc/"+name)
	}
	for _, p := range fixed {
		if _, err := os.Stat(p); err == nil { // follows links: one that leads nowhere is not there
			h.Exists = append(h.Exists, p)
		}
	}
	slices.Sort(h.Exists)
	return h
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && filepath.IsAbs(p) && st.IsDir()
}

// ReadTree lists the top-level entries of a runtime that is a whole root directory, sorted by name. Files there are left
// out.
func ReadTree(root string) ([]Top, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("read the runtime: %w", err)
	}
	var tops []Top
	for _, e := range entries {
		t := Top{Name: e.Name(), Source: filepath.Join(root, e.Name())}
		switch {
		case e.Type() == fs.ModeSymlink:
			if t.Link, err = os.Readlink(t.Source); err != nil {
				return nil, fmt.Errorf("read the runtime: %w", err)
			}
			t.Source = ""
		case !e.IsDir():
			continue
		}
		tops = append(tops, t)
	}
	return tops, nil
}
