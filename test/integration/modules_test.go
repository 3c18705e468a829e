//go:build integration

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// A module that says on standard error that it is loaded, as Steam's overlay would draw; it needs no library, so that it
// is built for either architecture and loads into every libc.
const module = `
static long put(const char *s, long n) {
	long r;
#ifdef __x86_64__
	__asm__ volatile("syscall" : "=a"(r) : "a"(1L), "D"(2L), "S"(s), "d"(n) : "rcx", "r11", "memory");
#else
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(4L), "b"(2L), "c"(s), "d"(n) : "memory");
#endif
	return r;
}
__attribute__((constructor)) static void here(void) { put("overlay\n", 8); }
unsigned la_version(unsigned v) { put("audit\n", 6); return v; }
`

// The host's modules are there where LD_PRELOAD and LD_AUDIT name them, even if nothing else of that place is. One of the
// other architecture is what ld.so warns of, and no more.
func TestModulesOfTheHost(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/m.c", module)
	steam := home + "/.local/share/Steam"
	defer os.RemoveAll(home + "/.local")
	for bits, flag := range map[string]string{"ubuntu12_32": "-m32", "ubuntu12_64": "-m64"} {
		must(t, os.MkdirAll(steam+"/"+bits, 0o755))
		out, err := exec.Command("gcc", flag, "-shared", "-fPIC", "-nostdlib", "-o", steam+"/"+bits+"/overlay.so", dir+"/m.c").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", flag, err, out)
		}
	}
	outside := beside(t) + "/overlay.so"
	text, err := os.ReadFile(steam + "/ubuntu12_64/overlay.so")
	must(t, err)
	must(t, os.WriteFile(outside, text, 0o755))
	both := func(between string) string {
		return steam + "/ubuntu12_32/overlay.so" + between + steam + "/ubuntu12_64/overlay.so"
	}
	for _, c := range []struct {
		env, flag, loaded string
		wrong             bool // one is for the other architecture
	}{
		{"LD_PRELOAD=" + both(":"), "", "overlay\n", true},
		{"LD_PRELOAD=" + both(" "), "--home", "overlay\n", true},
		{"LD_PRELOAD=" + outside, "--home", "overlay\n", false},
		{"LD_AUDIT=" + outside, "", "audit\n", false},
		{"LD_PRELOAD=" + outside + ":/usr/lib/no-such-module.so", "", "overlay\n", false},
	} {
		l := quick(t, "/bin/true")
		l.env = []string{c.env}
		if c.flag == "--home" {
			l.flags = []string{"--home", dir + "/private"}
		}
		r := l.ok(t)
		if strings.Count(r.stderr, c.loaded) != 1 || strings.Contains(r.stderr, "wrong ELF class") != c.wrong {
			t.Errorf("%s: %q", c.env, r.stderr)
		}
	}
	// As Steam starts a game, of whichever architecture: one module loads, and ld.so says of the other what it says natively.
	t.Setenv("LD_PRELOAD", ":"+both(":"))
	native, err := exec.Command("/bin/true").CombinedOutput()
	os.Unsetenv("LD_PRELOAD")
	must(t, err)
	for _, bits := range []string{"", "i386"} {
		for _, isolation := range []string{"userns", "none"} {
			l := launch{runtime: trees.Tree(t, "runtime11"+bits), host: trees.Tree(t, "host13"+bits), argv: []string{"/bin/true"},
				flags: []string{"--isolation", isolation}, env: []string{"LD_PRELOAD=:" + both(":")}}
			r := l.ok(t)
			if strings.Count(r.stderr, "\n") != strings.Count(string(native), "\n") || strings.Count(r.stderr, "overlay\n") != 1 ||
				strings.Count(r.stderr, "wrong ELF class") != 1 || strings.Contains(r.stderr, "ubuntu12_32/overlay.so' from") == (bits == "i386") {
				t.Errorf("%s, %s:\n%s\nnatively\n%s", l.runtime, isolation, r.stderr, native)
			}
		}
	}
}
