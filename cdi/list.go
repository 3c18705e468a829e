package cdi

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	cdiapi "tags.cncf.io/container-device-interface/pkg/cdi"

	"github.com/capsule-run/capsule-run/internal/regular"
)

// Bounds on what is read of the directories, which have a few files. maxNames is of one directory,
// the others are of all.
const (
	maxNames = 1 << 16
	maxFiles = 1024
	maxText  = 4 << 20 // bytes
)

// Listed is a device that engines would find.
type Listed struct {
	Name  string   `json:"name"` // capsule.dev/gpu=0
	File  string   `json:"file"`
	Nodes []string `json:"nodes"` // device nodes in the container

	priority int  // that of its directory
	conflict bool // another file of the same directory has it
}

// List reads the directories as an engine does, a device of the last of them winning. Problems name what is wrong with
// which file. kind limits it to one; empty means all. The CDI project's cache would do the same, but waits for a pipe's
// writer, and reads as much as there is.
func List(dirs []string, kind string) (devices []Listed, problems []string, err error) {
	l := listing{devices: map[string]*Listed{}}
	for priority, dir := range dirs {
		if err := l.directory(dir, priority); err != nil {
			l.problems = append(l.problems, err.Error())
			break // as engines do
		}
	}
	devices = []Listed{}
	for name, d := range l.devices {
		if !d.conflict && (kind == "" || strings.HasPrefix(name, kind+"=")) {
			devices = append(devices, *d)
		}
	}
	slices.SortFunc(devices, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(l.problems)
	return devices, slices.Compact(l.problems), nil
}

// listing is the state of one List.
type listing struct {
	devices     map[string]*Listed
	problems    []string
	files, text int
}

// directory reads the specifications of one directory; one that is not there has none. An error
// ends the search.
func (l *listing) directory(dir string, priority int) error {
	names, err := specifications(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		file := filepath.Join(dir, name)
		if l.files++; l.files > maxFiles || l.text > maxText {
			return fmt.Errorf("%s: not read: there are more than %d specifications, or %d bytes of them", file, maxFiles, maxText)
		}
		if err := l.file(file, priority); err != nil {
			l.problems = append(l.problems, fmt.Sprintf("%s: %v", file, err))
		}
	}
	return nil
}

// specifications are the files that engines read in a directory, sorted.
func specifications(dir string) ([]string, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0) // a pipe would be waited for
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxNames)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(entries) == maxNames {
		return nil, fmt.Errorf("%s: more than %d names", dir, maxNames-1)
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".json" || ext == ".yaml") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func (l *listing) file(file string, priority int) error {
	text, err := regular.Read(file, maxSpec)
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err // the file is named already
	} else if errors.Is(err, regular.ErrNotRegular) {
		err = regular.ErrNotRegular
	}
	l.text += len(text)
	if err != nil {
		return err
	}
	spec, err := parse(text)
	if err != nil {
		return err
	}
	for i := range spec.Devices {
		d := &spec.Devices[i]
		found := Listed{Name: spec.Kind + "=" + d.Name, File: file, Nodes: []string{}, priority: priority}
		for _, n := range d.ContainerEdits.DeviceNodes {
			found.Nodes = append(found.Nodes, n.Path)
		}
		if old := l.devices[found.Name]; old != nil {
			// Engines are given none of two in one directory, whatever a later directory has.
			found.conflict = old.conflict || old.priority == priority
			if old.priority == priority {
				l.problems = append(l.problems, fmt.Sprintf("%s: conflicting device %q, which %s has too", file, found.Name, old.File))
			}
		}
		l.devices[found.Name] = &found
	}
	return nil
}

// parse has the CDI project's own reader look at a specification's text: form, version, names and
// edits. It takes a file's name, so the text that was read is given one of its own: what is at the
// file's name may have changed.
func parse(text []byte) (*cdiapi.Spec, error) {
	entries := 0
	for _, c := range text {
		if c == ':' || c == ',' || c == '?' { // without one of which there is no further key
			entries++
		}
	}
	if entries > maxEntries {
		return nil, fmt.Errorf("%w (limit %d entries)", regular.ErrTooLarge, maxEntries)
	}
	fd, err := unix.MemfdCreate("cdi", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "cdi")
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("/proc/self/fd/%d", fd)
	spec, err := cdiapi.ReadSpec(name, 0)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), fmt.Sprintf(" %q", name), ""))
	}
	return spec, nil
}
