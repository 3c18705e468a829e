package launch

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/regular"
)

// defaultPath is what execvp(3) of glibc searches when PATH is not set (confstr, _CS_PATH).
const defaultPath = "/bin:/usr/bin"

// candidates lists what name may mean, in order.
func candidates(name string, env []string) []string {
	if name == "" {
		return nil
	}
	if strings.Contains(name, "/") {
		return []string{name}
	}
	var out []string
	for _, dir := range strings.Split(pathOf(env), ":") {
		if dir == "" { // an empty element is the working directory (POSIX, 8.3)
			dir = "."
		}
		out = append(out, dir+"/"+name)
	}
	return out
}

func pathOf(env []string) string {
	for _, e := range env {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			return p
		}
	}
	return defaultPath
}

// takeShell makes the first of the shells that is there the command.
func (s *Spec) takeShell() *Error {
	for _, shell := range s.Shells {
		st, err := os.Stat(shell)
		if err != nil || !st.Mode().IsRegular() || unix.Access(shell, unix.X_OK) != nil {
			continue
		}
		s.Argv = append([]string{shell}, s.Argv[1:]...)
		s.Env = slices.DeleteFunc(s.Env, func(e string) bool { return strings.HasPrefix(e, "SHELL=") })
		s.Env = append(s.Env, "SHELL="+shell)
		return nil
	}
	return &Error{Op: "exec", Code: ExitNotFound, Msg: "the runtime has no shell: none of " + strings.Join(s.Shells, ", "),
		Hint: "start a program by its name instead of --shell"}
}

// execError words the outcome of a search; err is what execve said about the file at path, nil if there was none.
func execError(name string, env []string, path string, err error) *Error {
	e := &Error{Op: "exec", Code: ExitNotExecutable, errno: errnoOf(err)}
	switch {
	case err == nil && (name == "" || strings.Contains(name, "/")):
		e.Code, e.Msg = ExitNotFound, "\""+name+"\": no such file inside the runtime"
		e.Hint = "paths are those of the runtime, of the home and working directory, and of what --share and --bind add"
	case err == nil:
		e.Code, e.Msg = ExitNotFound, name+": command not found"
		e.Hint = "the runtime was searched, by PATH=" + pathOf(env)
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR):
		e.Msg, e.Hint = path+": cannot be executed: its interpreter is missing in the runtime", needs(path)
	case errors.Is(err, unix.ENOEXEC):
		e.Msg = path + ": cannot be executed: not a program this machine knows"
		e.Hint = "a script without a \"#!\" line, or a program of another architecture: see docs/limits.md for qemu-user"
	case errors.Is(err, unix.EACCES):
		e.Msg = path + ": cannot be executed: permission denied"
		e.Hint = "a directory, a file without execute permission, or one on a file system mounted noexec"
	default:
		e.Msg = path + ": cannot be executed: " + err.Error()
	}
	return e
}

// needs says which interpreter the file at path asks for.
func needs(path string) string {
	f, err := regular.Open(path, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 256) // BINPRM_BUF_SIZE: the kernel looks no further
	n, _ := io.ReadFull(f, head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	if rest, ok := strings.CutPrefix(line, "#!"); ok {
		if words := strings.Fields(rest); len(words) > 0 {
			return "the script needs " + words[0]
		}
	}
	return "the dynamic loader that the program names is missing: a runtime of another architecture or another C library"
}
