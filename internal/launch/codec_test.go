package launch

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

func sample() *message {
	return &message{
		parent: 4711, userNS: true, ignoreQuit: true,
		spec: Spec{Argv: []string{"a", "", "c d"}, Env: []string{"X=1", "Y="}, Dir: "/home", MountAPI: mount.Old, Direct: true,
			UnshareNet: true, UnsharePID: true, WaitChildren: true, Shells: []string{"/bin/zsh", "/bin/sh"},
			Ops: []mount.Op{
				{Kind: mount.Bind, Source: "/a", Target: "/b", ReadOnly: true, Optional: true},
				{Kind: mount.Bind, Source: "/a", Target: "/b", Recursive: true},
				{Kind: mount.File, Target: "/c", Text: "t\x00\n", Mode: 0o600},
			}},
	}
}

func TestCodec(t *testing.T) {
	want := sample()
	got, err := decodeMessage(want.encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	e := &Error{"exec", "m", "h", 127, 2}
	if got, err := decodeError(e.encode()); err != nil || *got != *e {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A message that is cut short is refused; one that is accepted means the same when written again.
func FuzzDecode(f *testing.F) {
	full := sample().encode()
	for i := range full {
		f.Add(full[:i])
	}
	f.Add(full)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if (m == nil) != (err != nil) && err == nil {
			t.Fatal("neither message nor error")
		}
		if err != nil {
			return
		}
		again, err := decodeMessage(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Errorf("%v: %+v became %+v", err, m, again)
		}
	})
}
