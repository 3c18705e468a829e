package launch

import (
	"encoding/binary"
	"errors"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// The spec goes from launcher to init, and an error back, as numbers (unsigned varints) and strings (length, bytes) in
// a fixed order. Both ends are the same executable, so there is no version; a start must not pay for reflection, which
// is why this is not JSON.

var errShort = errors.New("message is cut short")

type encoder struct{ b []byte }

func (e *encoder) num(n uint64) { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) str(s string) { e.num(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) strs(l []string) {
	e.num(uint64(len(l)))
	for _, s := range l {
		e.str(s)
	}
}

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) num() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[size:]
	return n
}

// count is a number of things of at least one byte each.
func (d *decoder) count() int {
	n := d.num()
	if n > uint64(len(d.b)) {
		d.b, d.err = nil, errShort
		return 0
	}
	return int(n)
}

func (d *decoder) str() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) strs() []string {
	l := make([]string, d.count())
	for i := range l {
		l[i] = d.str()
	}
	return l
}

// message is what init is told.
type message struct {
	spec       Spec
	parent     int  // the launcher's process id
	userNS     bool // rights over the new user namespace must be dropped before the game starts
	ignoreQuit bool
}

const (
	opReadOnly = 1 << iota
	opRecursive
	opOptional
)

const (
	msgUserNS = 1 << iota
	msgIgnoreQuit
	msgDirect
	msgUnshareNet
	msgUnsharePID
	msgWaitChildren
)

func (m *message) encode() []byte {
	e := &encoder{make([]byte, 0, 32<<10)}
	e.num(uint64(m.parent))
	e.num(flag(m.userNS, msgUserNS) | flag(m.ignoreQuit, msgIgnoreQuit) | flag(m.spec.Direct, msgDirect) |
		flag(m.spec.UnshareNet, msgUnshareNet) | flag(m.spec.UnsharePID, msgUnsharePID) |
		flag(m.spec.WaitChildren, msgWaitChildren))
	e.num(uint64(m.spec.MountAPI))
	e.str(m.spec.Dir)
	e.strs(m.spec.Argv)
	e.strs(m.spec.Env)
	e.strs(m.spec.Shells)
	e.num(uint64(len(m.spec.Ops)))
	for _, op := range m.spec.Ops {
		e.str(string(op.Kind))
		e.num(flag(op.ReadOnly, opReadOnly) | flag(op.Recursive, opRecursive) | flag(op.Optional, opOptional))
		e.num(uint64(op.Mode))
		e.str(op.Source)
		e.str(op.Target)
		e.str(op.Text) // Why is for people and stays behind
	}
	return e.b
}

func flag(set bool, bit uint64) uint64 {
	if set {
		return bit
	}
	return 0
}

func decodeMessage(b []byte) (*message, error) {
	d := &decoder{b: b}
	m := &message{parent: int(d.num())}
	flags := d.num()
	m.userNS, m.ignoreQuit = flags&msgUserNS != 0, flags&msgIgnoreQuit != 0
	m.spec.Direct, m.spec.UnshareNet = flags&msgDirect != 0, flags&msgUnshareNet != 0
	m.spec.UnsharePID, m.spec.WaitChildren = flags&msgUnsharePID != 0, flags&msgWaitChildren != 0
	m.spec.MountAPI = mount.API(d.num())
	m.spec.Dir = d.str()
	m.spec.Argv = d.strs()
	m.spec.Env = d.strs()
	m.spec.Shells = d.strs()
	m.spec.Ops = make([]mount.Op, d.count())
	for i := range m.spec.Ops {
		op := &m.spec.Ops[i]
		op.Kind = mount.Kind(d.str())
		f := d.num()
		op.ReadOnly, op.Recursive, op.Optional = f&opReadOnly != 0, f&opRecursive != 0, f&opOptional != 0
		op.Mode = uint32(d.num())
		op.Source, op.Target, op.Text = d.str(), d.str(), d.str()
		if d.err != nil {
			return nil, d.err
		}
	}
	return m, d.err
}

func (e *Error) encode() []byte {
	enc := &encoder{}
	enc.str(e.Op)
	enc.str(e.Msg)
	enc.str(e.Hint)
	enc.num(uint64(e.Code))
	enc.num(e.errno)
	return enc.b
}

func decodeError(b []byte) (*Error, error) {
	d := &decoder{b: b}
	e := &Error{Op: d.str(), Msg: d.str(), Hint: d.str(), Code: int(d.num()), errno: d.num()}
	return e, d.err
}
