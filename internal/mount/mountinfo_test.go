package mount

import "testing"

func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"/a\\040b", "\\", "\\134", "\\999", "/x\\01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := unescape(b); len(got) > len(b) {
			t.Errorf("%q grew to %q", b, got)
		}
		mountPoints(b)
	})
}
