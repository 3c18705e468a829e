package build

import (
	"reflect"
	"testing"

	"github.com/capsule-run/capsule-run/internal/rootfs"
)

func record() Record {
	return Record{Launch: []byte(`{"a":1}`), Inputs: []rootfs.Access{{Path: "/gone"}, {Path: "/top", Racy: true},
		{Path: "/a\nb\x00", Exists: true, Dev: 1 << 63, Ino: 2, Size: 3, MTimeNS: -4, CTimeNS: 1 << 62, Mode: 0o100644}}}
}

func TestRecord(t *testing.T) {
	want := record()
	b := want.encode()
	var got Record
	if err := got.decode(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v)\nwant %+v", got, err, want)
	}
	for n := range b {
		if err := got.decode(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a record", n, len(b))
		}
	}
	if err := got.decode(append(b, 0)); err == nil {
		t.Error("more than a record is taken for one")
	}
}

// What is taken for a record says the same when it is written again.
func FuzzRecord(f *testing.F) {
	r := record()
	f.Add(r.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second Record
		if first.decode(b) != nil {
			return
		}
		if err := second.decode(first.encode()); err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%+v, written and read again: %+v (%v)", first, second, err)
		}
	})
}
