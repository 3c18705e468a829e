// Package inuse says which process still uses a directory that is to be removed: one that shows it in its mounts, has a
// file of it mapped, or was started with its name. It exists because a lock ends with the launcher or the hook that held
// it, while a daemon or a container that was started there goes on.
//
// What it costs is a read of a few files in /proc for each process, a tenth of a second perhaps, so that it is asked only
// by who removes something. Who asks holds the directory's lock already: whoever starts using it later must have that
// lock. Of processes that this machine's /proc does not show, those of another machine with the same home, of a container
// or of other users, it knows nothing. It never waits for a process, and never looks at the memory of other users' ones.
package inuse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Process uses a directory.
type Process struct {
	ID   int // 0: it cannot be told which
	Name string
}

func (p Process) String() string {
	if p.ID == 0 {
		return "a running program"
	}
	return fmt.Sprintf("%s (process %d)", p.Name, p.ID)
}

const (
	// maxText is in bytes, of all tables together: anybody can have as many mount namespaces as they like, and take as much of
	// our time. What browsers and the like have mapped makes some tens of MB of an ordinary session.
	maxText = 512 << 20
	// maxTable is in bytes, of one that is held in memory; 100000 mounts (sysctl fs.mount-max) make some 20 MB.
	maxTable = 64 << 20
	// looks bounds how often /proc is read when a process has ended meanwhile: what it has started may have been missed.
	looks = 3
)

// Of returns for each directory that is in use a process that uses it. A directory is named by the end of its path, which
// must be unique ("/trees/4711/tree"): under another mount point, or in another mount namespace, it begins otherwise. direct
// says that processes of the user may use it without any mount. If there is too much to look at, everything is taken to be
// in use.
func Of(directories []string, direct bool) map[string]Process {
	s := search{proc: "/proc", left: maxText, direct: direct, found: map[string]Process{}}
	for range looks {
		s.missing = s.missing[:0]
		for _, d := range directories {
			if _, found := s.found[d]; !found {
				s.missing = append(s.missing, d)
			}
		}
		if len(s.missing) == 0 {
			break
		}
		again := s.look()
		if s.left <= 0 {
			for _, d := range s.missing {
				if _, found := s.found[d]; !found {
					s.found[d] = Process{}
				}
			}
			break
		}
		if !again {
			break
		}
	}
	return s.found
}

type search struct {
	proc    string
	left    int64 // bytes that may still be read
	direct  bool
	missing []string
	found   map[string]Process
}

// look reads /proc once, and says whether it should be read again.
func (s *search) look() (again bool) {
	views := map[string]bool{}
	processes, _ := filepath.Glob(s.proc + "/[0-9]*")
	for _, p := range processes {
		if s.left <= 0 {
			return true
		}
		namespace, err := os.Readlink(p + "/ns/mnt")
		root, _ := os.Readlink(p + "/root")
		if view := namespace + " " + root; err == nil && !views[view] {
			// Its processes have one table, of which each sees what its root has: a browser's sandbox sees nothing.
			if err = s.read(p, "/mountinfo"); err == nil {
				views[view] = true
			}
		}
		for _, table := range []string{"/maps", "/cmdline"} { // ld.so's command line has what it may load later
			if s.direct && err == nil && own(p) {
				err = s.read(p, table)
			}
		}
		again = again || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	return again
}

// read looks for the directories in a table of a process.
func (s *search) read(process, table string) error {
	f, err := os.Open(process + table)
	if err != nil {
		return err
	}
	defer f.Close()
	most := min(s.left, maxTable)
	text, err := io.ReadAll(io.LimitReader(f, most))
	if s.left -= int64(len(text)); int64(len(text)) == most {
		s.left = 0 // there is more than was read
	}
	for _, d := range s.missing {
		if _, found := s.found[d]; !found && names(text, d) {
			s.found[d] = named(process)
		}
	}
	return err
}

// names says whether a table has a path of which a directory is a part. proc_pid_mountinfo(5) separates by spaces; what is
// mapped, or named by a command line, lies below.
func names(text []byte, directory string) bool {
	return bytes.Contains(text, []byte(directory+"/")) || bytes.Contains(text, []byte(directory+" "))
}

// own says whether a process is the user's. That of another one may make whoever reads its map wait.
func own(process string) bool {
	info, err := os.Stat(process)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// named reads the name that a process has given itself, which may be anything.
func named(process string) Process {
	id, _ := strconv.Atoi(filepath.Base(process))
	text, _ := os.ReadFile(process + "/comm")
	name := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, strings.TrimSuffix(string(text), "\n"))
	if name == "" {
		name = "?"
	}
	return Process{ID: id, Name: name}
}
