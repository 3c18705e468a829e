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
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// Process uses a directory.
type Process struct {
	ID   int // 0: it cannot be told whether there is one
	Name string
}

// Known says that the process was seen, and not only that there was too much to look at.
func (p Process) Known() bool { return p.ID != 0 }

func (p Process) String() string {
	if !p.Known() {
		return "a running program"
	}
	return fmt.Sprintf("%s (process %d)", p.Name, p.ID)
}

const (
	// maxText is in bytes, of all tables together: anybody can have as many mount namespaces as
	// they like, and take as much of our time. What browsers and the like have mapped makes some
	// tens of MB of an ordinary session; 100000 mounts (sysctl fs.mount-max) are some 20 MB, or
	// with paths as long as may be 800.
	maxText = 256 << 20
	// maxTime is the processor's, ours and the kernel's for us, which takes some 12 ns to tell a
	// byte, and of mounts that lie on each other looks for each one's path through all those below.
	maxTime = time.Second
	// blockSize is in bytes, what is held in memory of a table.
	blockSize = 64 << 10
	// looks bounds how often /proc is read when a process has ended meanwhile: what it has started may have been missed.
	looks = 3
)

// Of returns for each directory that is in use a process that uses it. A directory is named by the
// end of its path, which must be unique ("/trees/4711/tree"): under another mount point, or in
// another mount namespace, it begins otherwise. direct says that processes of the user may use it
// without any mount. If there is too much to look at, what was not found is in use by a Process
// that is not Known: who asks may keep it, but not for ever, for it is in anybody's power to have
// too much there.
func Of(directories []string, direct bool) map[string]Process {
	runtime.LockOSThread() // whose time is counted
	defer runtime.UnlockOSThread()
	s := search{proc: "/proc", left: maxText, until: spent() + maxTime, direct: direct, found: map[string]Process{}}
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
	left    int64         // bytes that may still be read
	until   time.Duration // how much time the thread may have spent then
	direct  bool
	missing []string
	found   map[string]Process
	block   []byte
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

// read looks for the directories in a table of a process, which is as long as it likes.
func (s *search) read(process, table string) error {
	f, err := os.Open(process + table)
	if err != nil {
		return err
	}
	defer f.Close()
	names := newNames(s.missing)
	if s.block == nil {
		s.block = make([]byte, blockSize)
	}
	kept := 0 // of the block before: a name may begin there
	for s.left > 0 {
		if spent() > s.until {
			s.left = 0
			break
		}
		n, err := f.Read(s.block[kept:])
		s.left -= int64(n)
		text := s.block[:kept+n]
		names.in(text, func(directory string) {
			if _, found := s.found[directory]; !found {
				s.found[directory] = named(process)
			}
		})
		if kept = min(names.longest, len(text)); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		copy(s.block, text[len(text)-kept:])
	}
	return nil
}

// spent is the time that the thread has had of a processor.
func spent() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0 // the bytes are bounded all the same
	}
	return time.Duration(t.Nano())
}

// names are directories to be found in a text. How long that takes does not depend on how many they
// are.
type names struct {
	is      map[string]bool
	depths  []int // how many slashes they have, each number once
	deepest int
	longest int // of all, with what follows, in bytes
}

func newNames(directories []string) *names {
	n := &names{is: map[string]bool{}}
	for _, d := range directories {
		n.is[d] = true
		depth := strings.Count(d, "/")
		if !slices.Contains(n.depths, depth) {
			n.depths = append(n.depths, depth)
		}
		n.deepest, n.longest = max(n.deepest, depth), max(n.longest, len(d)+1)
	}
	return n
}

// in calls found for each path of which a directory is a part. proc_pid_mountinfo(5) separates by
// spaces; what is mapped, or named by a command line, lies below.
func (n *names) in(text []byte, found func(directory string)) {
	slashes := make([]int, 0, n.deepest) // the last ones
	for i, c := range text {
		if c != '/' && c != ' ' {
			continue
		}
		for _, depth := range n.depths {
			if depth > len(slashes) || depth == 0 {
				continue
			}
			if name := text[slashes[len(slashes)-depth]:i]; len(name) < n.longest && n.is[string(name)] {
				found(string(name))
			}
		}
		if c == '/' {
			if len(slashes) == n.deepest {
				slashes = append(slashes[:0], slashes[1:]...)
			}
			slashes = append(slashes, i)
		}
	}
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
