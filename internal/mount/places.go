package mount

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/inroot"
)

// place is a name in a room's tree of places.
type place struct {
	kind  placeKind
	op    int // that makes the link or the file
	below map[string]*place
}

type placeKind int

const (
	onTheWay placeKind = iota // a directory with places below it
	forDir
	forFile
	isLink
	isFile
)

// places collects what ops, of which the first has the number from, need below a room.
func (b *builder) places(room string, ops []Op, from int) *place {
	top := &place{}
	for i, op := range ops {
		rel, inside := strings.CutPrefix(path.Clean(op.Target), room+"/")
		if !inside || top.hides(rel) {
			continue
		}
		kind := b.placeKind(op)
		if kind == onTheWay {
			continue
		}
		at := top
		for name := range strings.SplitSeq(rel, "/") {
			if at.below[name] == nil {
				if at.below == nil {
					at.below = map[string]*place{}
				}
				at.below[name] = &place{}
			}
			at = at.below[name]
		}
		at.kind, at.op = kind, from+i
	}
	return top
}

// hides says whether a path is a place already, or below one: in a mount or behind a link, where
// later operations find it by themselves.
func (p *place) hides(rel string) bool {
	for name := range strings.SplitSeq(rel, "/") {
		if p = p.below[name]; p == nil {
			return false
		}
		if p.kind != onTheWay {
			return true
		}
	}
	return false
}

// placeKind tells what an operation needs at its target: nothing, if it has no target or its source
// is missing. It says so itself.
func (b *builder) placeKind(op Op) placeKind {
	switch op.Kind {
	case Dir, Tmpfs, Proc:
		return forDir
	case Symlink:
		return isLink
	case File:
		return isFile
	case Bind:
		fd, err := inroot.Open(b.old, op.Source, 0)
		if err != nil {
			return onTheWay
		}
		defer unix.Close(fd)
		if kind, _ := kindOf(fd, ""); kind == unix.S_IFDIR {
			return forDir
		}
		return forFile
	}
	return onTheWay
}

// kindOf returns the S_IFMT bits of an entry, a link's own; of the directory itself if name is
// empty. 0: there is none.
func kindOf(dir int, name string) (uint32, error) {
	if dir < 0 {
		return 0, nil
	}
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH)
	if err == unix.ENOENT {
		return 0, nil
	}
	return st.Mode & unix.S_IFMT, err
}
