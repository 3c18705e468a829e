package run

import (
	"slices"
	"testing"

	"github.com/capsule-run/capsule-run/internal/layout"
)

func TestEnviron(t *testing.T) {
	l := launchRecord{Path: []string{"/run/capsule/a/bin", "/run/capsule/b/bin"}, Environment: map[string]string{"A": "", "B": "new"}}
	got := l.environ([]string{"PATH=/usr/bin:/bin", "A=old", "B=old", "C=same"})
	if want := []string{"PATH=/usr/bin:/bin:/run/capsule/a/bin:/run/capsule/b/bin", "C=same", "B=new"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	// Without PATH the C library's default holds; and a host without programs changes nothing.
	if got := l.environ([]string{"C=same"}); !slices.Equal(got, []string{"C=same", "B=new"}) {
		t.Errorf("%q", got)
	}
	if got := (&launchRecord{}).environ([]string{"PATH=/bin"}); !slices.Equal(got, []string{"PATH=/bin"}) {
		t.Errorf("%q", got)
	}
	// Of a runtime whose /bin is not its /usr/bin, the first is meant too.
	split := launchRecord{Top: []layout.Top{{Name: "bin", Source: "/r/bin"}, {Name: "sbin", Link: "usr/sbin"}}}
	for path, want := range map[string]string{"/app/bin:/usr/bin:/usr/sbin": "/app/bin:/usr/bin:/usr/sbin:/bin", "/usr/bin:/bin": "/usr/bin:/bin", "/x": "/x"} {
		if got := split.environ([]string{"PATH=" + path}); !slices.Equal(got, []string{"PATH=" + want}) {
			t.Errorf("%q of %q", got, path)
		}
	}
}
