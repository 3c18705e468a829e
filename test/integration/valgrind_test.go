//go:build integration

package integration

import (
	"regexp"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// valgrind's simulated processor runs stubs, proxies and libcapsule, and its DRD finds no race in the latter. (Memcheck does not
// start: it demands a strlen in each object with the SONAME of ld.so, and the proxy of that name has none.)
func TestValgrind(t *testing.T) {
	dir, bind := probes(t)
	l := launch{runtime: trees.Tree(t, "piglit12"), host: trees.Tree(t, "fullpiglit12"), flags: bind}
	l.argv = []string{dir + "/bin/egl_small"}
	picture := regexp.MustCompile(`checksum=\w+`)
	want := picture.FindString(l.ok(t).stdout)
	l.argv = []string{"valgrind", "-q", "--tool=none", dir + "/bin/egl_small"}
	if got := picture.FindString(l.ok(t).stdout); got != want || want == "" {
		t.Errorf("the picture is %q, not %q", got, want)
	}
	l.argv = []string{"valgrind", "--tool=drd", "--fullpath-after=", dir + "/bin/gl_threads", "4", "3"}
	r := l.ok(t)
	if !strings.Contains(r.stdout, "wrong=0") {
		t.Errorf("the threads' pictures:\n%s", tail(r.both()))
	}
	// The access, and who called it. Mesa's own, which have no locks that DRD knows of, are of no interest here.
	accesses := regexp.MustCompile(`Conflicting .*\n(==.* at .*\n)(==.* by .*\n)?`).FindAllString(r.stderr, -1)
	if len(accesses) == 0 {
		t.Error("DRD reports nothing, not even Mesa's atomics: this test has lost its object")
	}
	for _, a := range accesses {
		if strings.Contains(a, "(cshim/") {
			t.Errorf("a race in the capsule's own code:\n%s", a)
		}
	}
}
