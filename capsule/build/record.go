package build

import (
	"encoding/binary"
	"encoding/json"
	"io"

	"github.com/capsule-run/capsule-run/internal/rootfs"
)

// Record is what a later launch needs, without planning again.
type Record struct {
	// Inputs are the paths that discover and inspect consulted: the build is valid while none has changed.
	Inputs []rootfs.Access
	// Launch is what the launcher wants back: its own JSON.
	Launch json.RawMessage
}

// A record's file is read by each launch, which is why it is no JSON: that of some 300 inputs takes longer to read than they
// take to look at. It has numbers (unsigned varints), and texts as their length and bytes: how many inputs there are; of each the
// path and, after the flags, what else they say is there; at last Launch, which ends the file. The key of a build has the
// executable in it, so that no other one reads this.
const (
	inputExists = 1 << iota
	inputRacy
)

func (r *Record) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(r.Inputs)))
	for _, in := range r.Inputs {
		b = append(binary.AppendUvarint(b, uint64(len(in.Path))), in.Path...)
		flags := uint64(0)
		if in.Exists {
			flags |= inputExists
		}
		if in.Racy {
			flags |= inputRacy
		}
		for _, n := range []uint64{flags, in.Dev, in.Ino, uint64(in.Size), uint64(in.MTimeNS), uint64(in.CTimeNS), uint64(in.Mode)} {
			b = binary.AppendUvarint(b, n)
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(r.Launch))), r.Launch...)
}

// decode fails unless b is one whole record.
func (r *Record) decode(b []byte) error {
	d := reader{b: b}
	r.Inputs = make([]rootfs.Access, d.count())
	for i := range r.Inputs {
		in := &r.Inputs[i]
		in.Path = string(d.text())
		flags := d.number()
		in.Exists, in.Racy = flags&inputExists != 0, flags&inputRacy != 0
		in.Dev, in.Ino, in.Size = d.number(), d.number(), int64(d.number())
		in.MTimeNS, in.CTimeNS, in.Mode = int64(d.number()), int64(d.number()), uint32(d.number())
	}
	r.Launch = d.text()
	if d.short || len(d.b) > 0 {
		return io.ErrUnexpectedEOF // nobody is told: it is built again
	}
	return nil
}

// reader takes a record apart; once something is missing, it has nothing more.
type reader struct {
	b     []byte
	short bool
}

func (d *reader) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.b, d.short = nil, true
		return 0
	}
	d.b = d.b[size:]
	return n
}

// count is a number of things of at least one byte each.
func (d *reader) count() int {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.b, d.short = nil, true
		return 0
	}
	return int(n)
}

func (d *reader) text() []byte {
	n := d.count()
	t := d.b[:n]
	d.b = d.b[n:]
	return t
}
