//go:build integration

package integration

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// drirc sets an option of Mesa for every program and driver.
func drirc(vendor string) string {
	return fmt.Sprintf(`<driconf><device><application name="all"><option name="force_gl_vendor" value="%s"/></application></device></driconf>`, vendor)
}

// Options of the host's driver are read from the host's files, /usr/share/drirc.d and /etc/drirc, as natively; what the
// runtime has in the same places is for its own driver.
func TestDrirc(t *testing.T) {
	display := xvfb.Start(t)
	host := copyOf(t, "host13")
	vendor := func(out string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)^OpenGL vendor string: (.*)$`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no vendor:\n%s", tail(out))
		}
		return m[1]
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"not set", "/usr/share/drirc.d/90-capsule.conf", "", ""},
		{"in drirc.d", "/usr/share/drirc.d/90-capsule.conf", drirc("set by the host"), "set by the host"},
		{"in etc", "/etc/drirc", drirc("set by the administrator"), "set by the administrator"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.text != "" {
				put(t, host+c.file, c.text, 0o644)
			}
			out, err := trees.Enter(t.Context(), host, "", display.Env(), "glxinfo", "-B").Output()
			if err != nil {
				t.Fatalf("natively: %v", err)
			}
			want := vendor(string(out))
			if c.want != "" && want != c.want {
				t.Fatalf("natively the option has no effect: %s", want)
			}
			for _, r := range []string{"runtime11", "runtime13"} {
				runtime := copyOf(t, r)
				put(t, runtime+"/usr/share/drirc.d/95-capsule.conf", drirc("set by the runtime"), 0o644)
				put(t, runtime+"/etc/drirc", drirc("set by the runtime"), 0o644)
				l := launch{runtime: runtime, host: host, argv: []string{"glxinfo", "-B"}, display: display}
				if got := vendor(l.ok(t).stdout); got != want {
					t.Errorf("%s: %q, natively %q", r, got, want)
				}
				must(t, os.RemoveAll(runtime))
			}
		})
	}
}
