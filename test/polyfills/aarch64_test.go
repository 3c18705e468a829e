package polyfills

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

var aarch64 = port{arch: "aarch64", compiler: "aarch64-linux-gnu-gcc", flags: []string{"-mno-outline-atomics"}, base: "GLIBC_2.17"}

// notEmulated are themes that qemu-user 7.2 cannot run at all: it has no mount API of Linux 5.2, no robust mutexes, and a
// vfork that is a fork.
var notEmulated = []string{"mounts", "process", "spawn"}

// lacking are further functions for which that qemu has no system call. Their statements fail for glibc's own too.
var lacking = map[string]bool{"execveat": true, "epoll_pwait2": true}

// The same for aarch64, by qemu-user: what fails there is what fails for the functions of Debian 13's glibc.
func TestAArch64(t *testing.T) {
	if os.Getenv("CAPSULE_TREES") == "" && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skip("real file trees are looked for only if CAPSULE_TREES says where")
	}
	if _, err := exec.LookPath(aarch64.compiler); err != nil {
		missing(t, err.Error())
	}
	_, dir := aarch64.beside(t)
	command := append([]string{"/mnt/driver", "/mnt/libcapsule-root.so"}, notEmulated...)
	statement := regexp.MustCompile(`^FAIL (\w+) \((\w+)\) (.*)$`)
	native := map[string]bool{}
	for _, name := range []string{"host13arm64", "runtime11arm64"} {
		failed, judged := observe(t, trees.Enter(t.Context(), trees.Tree(t, name), dir, nil, command...))
		slices.Reverse(failed) // a runtime's own function is judged behind the polyfill
		for _, line := range failed {
			m := statement.FindStringSubmatch(line)
			switch {
			case m == nil || !lacking[m[1]]:
				t.Errorf("%s: %s", name, line)
			case m[2] == "runtime":
				native[m[3]] = true
			case !native[m[3]]:
				t.Errorf("%s: %s, and not so natively", name, line)
			}
		}
		if len(judged) < 150 {
			t.Errorf("%s: only %d polyfills were judged", name, len(judged))
		}
	}
}
