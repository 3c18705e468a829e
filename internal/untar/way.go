package untar

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// openDir are the flags with which every directory of the tree is opened.
const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW

func openat(at int, name string, flags int) (int, error) { return create(at, name, flags, 0) }

func create(at int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// step is a directory on the way to an entry. One that is not there has no directory and the
// descriptor -1.
type step struct {
	name string
	dir  *directory
	fd   int
}

// way leads from the top to the directory of an entry. Its descriptors stay what they are, whatever
// becomes of the names.
type way struct {
	tree  *Tree
	steps []step // the first is the top
}

// resolve finds a directory below the top: links are followed as if the top were /, and ".." leads
// above it nowhere. What is not there, or no directory, is taken for one that is to be made.
func (t *Tree) resolve(dir string) (*way, error) {
	w := &way{t, append(make([]step, 0, 16), t.root)}
	if len(dir) >= maxPath {
		return nil, unix.ENAMETOOLONG
	}
	links, length := 0, 0
	todo := strings.Split(dir, "/")
	for n := 0; len(todo) > 0; n++ {
		name := todo[0]
		todo = todo[1:]
		switch {
		case n == maxSteps:
			w.close()
			return nil, unix.ELOOP
		case t.walked == maxWalked:
			w.close()
			return nil, fmt.Errorf("paths and links of more than %d names", maxWalked)
		}
		t.walked++
		switch {
		case name == "" || name == ".":
			continue
		case name == "..":
			length -= w.up()
			continue
		}
		target, err := w.into(name)
		if err == nil && target == "" {
			if length += len(name) + 1; length >= maxPath || len(w.steps) > maxDepth {
				err = unix.ENAMETOOLONG
			}
		}
		if target != "" {
			if links++; links > maxLinks {
				err = unix.ELOOP
			}
			if target[0] == '/' {
				for len(w.steps) > 1 {
					length -= w.up()
				}
			}
			todo = append(strings.Split(target, "/"), todo...)
		}
		if err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// into goes a step further, but over a link, whose target it returns.
func (w *way) into(name string) (target string, err error) {
	at := w.last()
	if at.fd < 0 {
		w.steps = append(w.steps, step{name: name, fd: -1})
		return "", nil
	}
	if sub := at.dir.sub[name]; sub != nil {
		fd, err := openat(at.fd, name, openDir)
		if err == nil {
			w.steps = append(w.steps, step{name, sub, fd})
		}
		return "", err
	}
	var b [maxPath]byte
	n, err := unix.Readlinkat(at.fd, name, b[:])
	switch err {
	case nil:
		return string(b[:n]), nil
	case unix.ENOENT, unix.EINVAL: // nothing, or something else
		w.steps = append(w.steps, step{name: name, fd: -1})
		return "", nil
	}
	return "", err
}

// up goes a step back, and says how long its name is, with the slash.
func (w *way) up() int {
	if len(w.steps) == 1 {
		return 0
	}
	s := w.last()
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	w.steps = w.steps[:len(w.steps)-1]
	return len(s.name) + 1
}

func (w *way) last() *step { return &w.steps[len(w.steps)-1] }

func (w *way) close() {
	for len(w.steps) > 1 {
		w.up()
	}
}

// make makes the directories that are not there.
func (w *way) make() error {
	for i := 1; i < len(w.steps); i++ {
		s := &w.steps[i]
		if s.fd >= 0 {
			continue
		}
		if err := w.tree.count(); err != nil { // an entry may have hundreds
			return err
		}
		sub, err := w.steps[i-1].mkdir(s.name)
		if err != nil {
			return err
		}
		if s.fd, err = openat(w.steps[i-1].fd, s.name, openDir); err != nil {
			s.fd = -1
			return err
		}
		s.dir = sub
	}
	return nil
}

// mark notes that the layer has an entry of this name at the end of the way.
func (w *way) mark(base string) {
	for i, s := range w.steps {
		name := base
		if i+1 < len(w.steps) {
			name = w.steps[i+1].name
		}
		s.dir.mark(name, w.tree.layer)
	}
}

// mkdir makes a directory, in the place of whatever is there. The owner may do all in it until
// Finish.
func (s *step) mkdir(name string) (*directory, error) {
	if err := remove(s, name); err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(s.fd, name, 0o755); err != nil {
		return nil, err
	}
	sub := &directory{}
	if s.dir.sub == nil {
		s.dir.sub = map[string]*directory{}
	}
	s.dir.sub[strings.Clone(name)] = sub
	return sub, nil
}
