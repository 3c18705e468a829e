// Package direct puts together the command line that runs a program of a runtime without any namespace: the runtime's own ld.so,
// told where the stubs and the runtime's libraries are. It exists for machines and containers that forbid user namespaces.
// It starts nothing, and it changes nothing about what the program sees: every path is the host's.
package direct

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// Runtime is what running a program needs of a runtime. It is part of a build's record.
type Runtime struct {
	Dir string `json:"dir"`
	// Loaders are by the architecture's name.
	Loaders map[string]Loader `json:"loaders"`
}

// Loader is an ld.so of the runtime.
type Loader struct {
	Path string `json:"path"` // outside
	// Argv0 says that it knows --argv0 (glibc 2.33, elf/rtld.c).
	Argv0 bool `json:"argv0,omitempty"`
	// Libraries are the directories that it would search inside, by their outside paths.
	Libraries []string `json:"libraries"`
}

// maxScripts is how deep interpreters of interpreters go: BINPRM_MAX_RECURSION of the kernel (fs/exec.c).
const maxScripts = 5

// Command returns what to execute for argv, with stubs searched in <capsule>/<triplet>/lib first.
func (r *Runtime) Command(argv, env []string, capsule string) ([]string, error) {
	root, err := rootfs.Open(r.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := argv[0]
	program, err := find(root, name, env)
	if err != nil {
		return nil, err
	}
	args := argv[1:]
	for range maxScripts {
		script, interpreter, option := shebang(program)
		if !script {
			return r.wrap(program, name, args, env, capsule)
		}
		words := []string{program}
		if option != "" {
			words = []string{option, program}
		}
		args, name = append(words, args...), interpreter
		if program, err = find(root, interpreter, env); err != nil {
			return nil, err
		}
	}
	return nil, fault.WithExit(fmt.Errorf("%s: interpreters are nested too deeply", argv[0]), fault.ExitNotExecutable)
}

// wrap puts ld.so before a program that needs one. A static program, and whatever the kernel may know that we do not, is
// executed as it is.
func (r *Runtime) wrap(program, name string, args, env []string, capsule string) ([]string, error) {
	// Of no pipe is the writer waited for.
	f, err := regular.Open(program, 0)
	switch {
	case errors.Is(err, fs.ErrPermission) && unix.Access(program, unix.X_OK) == nil:
		// The kernel would start it, by the host's ld.so; the runtime's must read it.
		return nil, fault.WithExit(fault.WithHint(fmt.Errorf("%s: cannot be read", program),
			"without isolation a program must be readable, not only executable"), fault.ExitNotExecutable)
	case err != nil:
		return append([]string{program}, args...), nil // the kernel words it
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	elf, err := dynelf.Read(f, st.Size())
	if err != nil || elf.Interp == "" {
		return append([]string{program}, args...), nil
	}
	a := arch.ByELF(elf.Machine, elf.Class)
	if a == nil || r.Loaders[a.Name].Path == "" {
		return nil, fault.WithExit(fault.WithHint(fmt.Errorf("%s: the runtime has no dynamic loader for %v", program, elf.Machine),
			"it takes a runtime with programs of that architecture"), fault.ExitNotExecutable)
	}
	l := r.Loaders[a.Name]
	ours := append([]string{filepath.Join(capsule, a.Triplet, "lib")}, l.Libraries...)
	for _, dir := range ours {
		if err := listable(dir); err != nil {
			return nil, err
		}
	}
	// What the user sets comes first, as it does for ld.so. The cache would be the host's.
	search := append(filepath.SplitList(getenv(env, "LD_LIBRARY_PATH")), ours...)
	out := []string{l.Path, "--inhibit-cache", "--library-path", strings.Join(search, ":")}
	if l.Argv0 {
		out = append(out, "--argv0", name)
	}
	if strings.HasPrefix(program, "-") { // a path from here, which ld.so would take for one of its options
		program = "./" + program
	}
	return append(append(out, program), args...), nil
}

// Has says whether the runtime itself has a program at an absolute path.
func (r *Runtime) Has(name string) bool {
	root, err := rootfs.Open(r.Dir)
	if err != nil {
		return false
	}
	defer root.Close()
	st, err := root.Stat(name)
	return err == nil && st.Mode.IsRegular() && st.Mode&0o111 != 0
}

// listable says whether --library-path can name a directory: it knows no quoting (elf/dl-load.c, fillin_rpath and
// _dl_dst_count).
func listable(dir string) error {
	if i := strings.IndexAny(dir, ":;$"); i >= 0 {
		return fault.WithHint(fmt.Errorf("%s: the runtime's dynamic loader takes no directory with %q in its name", dir, dir[i]),
			"rename or move it (XDG_CACHE_HOME is where builds and unpacked runtimes are), or use --isolation=userns")
	}
	return nil
}

// find resolves a program's name: an absolute path, or a bare name by PATH, in the runtime first and then on the host; any
// other path, and what PATH names in relative directories, on the host, for it counts from the working directory.
func find(root *rootfs.Root, name string, env []string) (string, error) {
	var names []string
	switch {
	case filepath.IsAbs(name):
		names = []string{name}
	case strings.Contains(name, "/"):
		return name, nil
	case name != "":
		for _, dir := range strings.Split(pathOf(env), ":") {
			if dir == "" { // an empty element is the working directory (POSIX, 8.3)
				dir = "."
			}
			names = append(names, dir+"/"+name)
		}
	}
	for _, n := range names {
		if !filepath.IsAbs(n) {
			continue
		}
		if st, err := root.Stat(n); err == nil && st.Mode.IsRegular() && st.Mode&0o111 != 0 {
			return outside(root, n, &st), nil
		}
	}
	for _, n := range names {
		if st, err := os.Stat(n); err == nil && st.Mode().IsRegular() && unix.Access(n, unix.X_OK) == nil {
			return n, nil
		}
	}
	return "", fault.WithExit(fault.WithHint(fmt.Errorf("%s: command not found, neither in the runtime nor on the host", name),
		"PATH is "+pathOf(env)), fault.ExitNotFound)
}

// outside is where a program of the runtime is, under its own name where that leads to it from outside, too: a program of
// several names (paplay, a link to pacat) tells by argv[0] what it is to do, and before --argv0 that is the path. An absolute
// link leads to the host's file of that name, or to none.
func outside(root *rootfs.Root, name string, st *rootfs.Info) string {
	canonical := root.HostPath(st.Path)
	dir, err := root.Resolve(path.Dir(name))
	if err != nil {
		return canonical
	}
	p := filepath.Join(root.HostPath(dir), path.Base(name))
	var there unix.Stat_t
	if unix.Stat(p, &there) != nil || there.Dev != st.Dev || there.Ino != st.Ino {
		return canonical
	}
	return p
}

// pathOf is PATH, or what execvp(3) of glibc searches where it is not set (confstr, _CS_PATH).
func pathOf(env []string) string {
	if slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		return getenv(env, "PATH")
	}
	return "/bin:/usr/bin"
}

// shebang reads the first line of a script as the kernel does (fs/binfmt_script.c): one argument at most.
func shebang(program string) (script bool, interpreter, option string) {
	f, err := regular.Open(program, 0)
	if err != nil {
		return false, "", ""
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n') // BINPRM_BUF_SIZE
	if err != nil && !errors.Is(err, io.EOF) {
		return false, "", ""
	}
	text, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return false, "", ""
	}
	text = strings.Trim(text, " \t\n")
	interpreter, option, _ = strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	return interpreter != "", interpreter, strings.TrimSpace(option)
}

func getenv(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
