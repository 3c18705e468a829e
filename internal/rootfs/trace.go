package rootfs

import (
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// raceWindow is above the granularity of file times (one tick, 10 ms at CONFIG_HZ=100): a file that was changed less
// than this before it was examined may change again without its times showing it.
const raceWindow = int64(12 * time.Millisecond)

func now() int64 { return time.Now().UnixNano() }

// Access is a path on which an answer depended, and what was there.
type Access struct {
	// Path is outside of the root, and canonical but for its last component.
	Path   string `json:"path"`
	Exists bool   `json:"exists,omitempty"`
	// Dev, Ino, Size, the times (nanoseconds since the epoch) and Mode (st_mode) are of the path itself, which may be
	// a link. Of a directory that was not listed only Dev, Ino and Mode are kept, the others are 0.
	Dev     uint64 `json:"dev,omitempty"`
	Ino     uint64 `json:"ino,omitempty"`
	Size    int64  `json:"size,omitempty"`
	MTimeNS int64  `json:"mtime,omitempty"`
	CTimeNS int64  `json:"ctime,omitempty"`
	Mode    uint32 `json:"mode,omitempty"`
	// Racy says that the file had been changed just before: its times cannot vouch for it, and Unchanged is false.
	Racy bool `json:"racy,omitempty"`
}

// access is a canonical path with what it was; listed is of directories.
type access struct {
	n       *node
	listed  bool
	names   string // digest of a directory's names, if somebody has read them
	crowded bool   // it has too many
	reads   *reads // of a file, if it was opened while contents are recorded
}

// note records a name. r.mu is held.
func (r *Root) note(canonical string, n *node) *access {
	a := r.access[canonical]
	if a == nil {
		a = &access{n: n}
		r.access[canonical] = a
	}
	return a
}

// Trace returns what was consulted so far, sorted by path. A link or an absence in a directory that was listed is
// left out: the directory's own times cover it.
func (r *Root) Trace() []Access {
	r.mu.Lock()
	defer r.mu.Unlock()
	var t []Access
	if r.short.Load() {
		t = append(t, Access{Path: r.top(), Racy: true}) // next time the answer may be another
	}
	for p, a := range r.access {
		if a.n.virtual || a.n.err != nil {
			continue
		}
		if up := r.access[path.Dir(p)]; up != nil && up.listed && !up.n.virtual && p != "/" &&
			(a.n.absent || a.n.is(unix.S_IFLNK)) {
			continue
		}
		t = append(t, a.access(r.HostPath(p)))
	}
	slices.SortFunc(t, func(a, b Access) int { return strings.Compare(a.Path, b.Path) })
	return t
}

func (a *access) access(outside string) Access {
	n := a.n
	if n.absent {
		return Access{Path: outside}
	}
	out := Access{Path: outside, Exists: true, Dev: n.dev, Ino: n.ino, Mode: n.mode}
	if n.is(unix.S_IFDIR) && !a.listed {
		return out
	}
	out.Size, out.MTimeNS, out.CTimeNS = n.size, n.mtime, n.ctime
	out.Racy = n.seen-n.ctime < raceWindow && n.ctime-n.seen < raceWindow
	return out
}

// Unchanged says, by one lstat, whether the path is still what it was.
func (a Access) Unchanged() bool {
	if a.Racy {
		return false
	}
	var st unix.Stat_t
	if err := unix.Lstat(a.Path, &st); err != nil {
		return !a.Exists && (err == unix.ENOENT || err == unix.ENOTDIR)
	}
	if !a.Exists || st.Dev != a.Dev || st.Ino != a.Ino || st.Mode != a.Mode {
		return false
	}
	if a.CTimeNS == 0 && a.MTimeNS == 0 {
		return true
	}
	return st.Size == a.Size && st.Mtim.Nano() == a.MTimeNS && st.Ctim.Nano() == a.CTimeNS
}
