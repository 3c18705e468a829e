//go:build integration

package integration

import (
	"regexp"
	"strings"
	"testing"
	"time"

	hostlibraries "github.com/capsule-run/capsule-run/test/probes"
	"github.com/capsule-run/capsule-run/test/trees"
)

// What memcheck says of memory, at its beginning.
var memoryErrors = regexp.MustCompile(`Invalid |ninitialised|overlap|Mismatched free`)

// Memcheck finds no wrong access: of a driver's frames, and of a C++ library of the host that uses all of libc.
func TestMemcheck(t *testing.T) {
	dir, bind := probes(t)
	l := launch{runtime: trees.Tree(t, "piglit12"), host: trees.Tree(t, "fullpiglit12"), flags: bind, limit: 10 * time.Minute}
	l.argv = []string{"valgrind", dir + "/bin/egl_small"}
	r := l.ok(t)
	if !strings.Contains(r.stderr, "ERROR SUMMARY: 0 errors") || !regexp.MustCompile(`usage: [0-9,]{5,} allocs`).MatchString(r.stderr) {
		t.Errorf("memcheck says of a surfaceless program:\n%s", tail(r.stderr))
	}
	l.host, l.env = trees.HostWithTestLib(t), []string{"CT_STRAY=/probes/stray/libcapsuletest-stray.so"}
	for _, lib := range hostlibraries.HostLibraries {
		l.flags = append(l.flags, "--library", lib)
	}
	// One check frees with free what came from new, on purpose; others fail here, as valgrind has its own /proc/self/exe.
	l.argv = []string{"valgrind", "--show-mismatched-frees=no", dir + "/bin/one_libc", "--together"}
	r = l.run(t)
	if n := strings.Count(r.stdout, "ok "); n < 60 || !strings.Contains(r.stderr, "ERROR SUMMARY:") {
		t.Errorf("exit status %d, %d ok\n%s", r.status, n, tail(r.both()))
	}
	if memoryErrors.MatchString(r.stderr) {
		t.Errorf("memcheck says of one_libc:\n%s", tail(r.stderr))
	}
}

// valgrind's simulated processor runs stubs, proxies and libcapsule, and its DRD finds no race in the latter.
func TestValgrind(t *testing.T) {
	dir, bind := probes(t)
	l := launch{runtime: trees.Tree(t, "piglit12"), host: trees.Tree(t, "fullpiglit12"), flags: bind, limit: 10 * time.Minute} // DRD needs half a minute of a processor
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
