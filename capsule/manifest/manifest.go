// Package manifest writes the file that libcapsule.so reads beside itself when a process starts: which objects there
// are, in which order a host library's dependencies are opened, by which other paths drivers name them, and where
// the host's data files are. It exists apart from the plan because its bytes are an interface between Go and C
// (cshim/include/capsule_abi.h); it decides nothing.
package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Name of the file, in the directory of libcapsule.so.
const Name = "capsule.manifest"

const (
	version     = 2 // CAPSULE_ABI_VERSION
	headerSize  = 64
	objectSize  = 80
	maxBuildID  = 32
	maxFileSize = 1 << 28 // what manifest.c accepts
	maxStrings  = 1 << 26 // of that
)

// Kind of an object: CAPSULE_HOST, CAPSULE_PROXY, CAPSULE_BASE.
type Kind uint32

const (
	Host  Kind = 1 // a host library, loaded into the capsule
	Proxy Kind = 2 // a generated proxy, loaded into the capsule
	Base  Kind = 3 // a library of the runtime in the base namespace
)

// Flags of an object.
type Flags uint16

// OpensOthers marks a loader of the host: what it opens and the plan does not know is the program's own, and belongs to
// the base namespace (CAPSULE_OPENS_OTHERS).
const OpensOthers Flags = 1

// Object is one entry; references are indices into Manifest.Objects.
type Object struct {
	Kind    Kind
	Soname  string
	Path    string // inside the container; empty for a Base that goes by its name
	BuildID []byte // nil where unknown
	Probe   Probe  // zero where there is none
	Flags   Flags
	Closure []uint32
	Sources []uint32
}

// Probe is an exported function of a library, its index in .dynsym and its st_value, by which a
// process sees that a loaded file's symbols are where the plan saw them: two files may have one
// build-id (prelink(8), a rebuild).
type Probe struct {
	Name  string
	Index uint32
	Value uint64
}

// Alias is a further absolute path by which drivers open an object.
type Alias struct {
	Path   string
	Object uint32
}

// PathMap says where a host path is inside the container.
type PathMap struct {
	From, To string
}

// Manifest is the whole file.
type Manifest struct {
	RootPath string // of the capsule root
	HostDir  string // below which the host's libraries are mounted
	Objects  []Object
	Aliases  []Alias
	Maps     []PathMap
}

// ErrTooLarge says that the content does not fit the format's limits.
var ErrTooLarge = errors.New("manifest too large")

type encoder struct {
	indices  []uint32
	strings  []byte
	at       map[string]uint32
	tooLarge bool
}

func (e *encoder) string(s string) uint32 {
	if at, ok := e.at[s]; ok {
		return at
	}
	if len(s) > maxStrings-len(e.strings) {
		e.tooLarge = true
		return 0
	}
	at := uint32(len(e.strings))
	e.strings = append(append(e.strings, s...), 0)
	e.at[s] = at
	return at
}

func (e *encoder) list(l []uint32) (first, count uint32) {
	if len(l) > maxFileSize/4-len(e.indices) {
		e.tooLarge = true
		return 0, 0
	}
	first = uint32(len(e.indices))
	e.indices = append(e.indices, l...)
	return first, uint32(len(l))
}

// Encode returns the file's bytes: the same for the same content.
func (m *Manifest) Encode() ([]byte, error) {
	e := &encoder{strings: []byte{0}, at: map[string]uint32{"": 0}}
	le := binary.LittleEndian
	var objects, aliases, maps []byte
	for _, o := range m.Objects {
		if len(o.BuildID) > maxBuildID {
			return nil, fmt.Errorf("build-id of %s: %w", o.Soname, ErrTooLarge)
		}
		b := make([]byte, objectSize)
		le.PutUint32(b[0:], uint32(o.Kind))
		le.PutUint32(b[4:], e.string(o.Soname))
		le.PutUint32(b[8:], e.string(o.Path))
		le.PutUint16(b[12:], uint16(len(o.BuildID)))
		le.PutUint16(b[14:], uint16(o.Flags))
		first, count := e.list(o.Closure)
		le.PutUint32(b[16:], first)
		le.PutUint32(b[20:], count)
		first, count = e.list(o.Sources)
		le.PutUint32(b[24:], first)
		le.PutUint32(b[28:], count)
		copy(b[32:], o.BuildID)
		le.PutUint32(b[64:], e.string(o.Probe.Name))
		le.PutUint32(b[68:], o.Probe.Index)
		le.PutUint64(b[72:], o.Probe.Value)
		objects = append(objects, b...)
	}
	for _, a := range m.Aliases {
		aliases = le.AppendUint32(le.AppendUint32(aliases, e.string(a.Path)), a.Object)
	}
	for _, p := range m.Maps {
		maps = le.AppendUint32(le.AppendUint32(maps, e.string(p.From)), e.string(p.To))
	}
	root, hostDir := e.string(m.RootPath), e.string(m.HostDir)
	if e.tooLarge {
		return nil, ErrTooLarge // before a length could wrap
	}

	f := make([]byte, headerSize)
	copy(f, "CAPSULE\x00")
	le.PutUint32(f[8:], version)
	field := 16
	table := func(b []byte, count int) {
		le.PutUint32(f[field:], uint32(len(f)))
		le.PutUint32(f[field+4:], uint32(count))
		f = append(f, b...)
		field += 8
	}
	table(objects, len(m.Objects))
	var indices []byte
	for _, i := range e.indices {
		indices = le.AppendUint32(indices, i)
	}
	table(indices, len(e.indices))
	table(aliases, len(m.Aliases))
	table(maps, len(m.Maps))
	table(e.strings, len(e.strings))
	le.PutUint32(f[field:], root)
	le.PutUint32(f[field+4:], hostDir)
	if len(f) >= maxFileSize {
		return nil, ErrTooLarge
	}
	le.PutUint32(f[12:], uint32(len(f)))
	return f, nil
}
