package run

import (
	"slices"
	"testing"
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
}
