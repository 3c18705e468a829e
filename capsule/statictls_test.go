package capsule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
)

func TestStaticTLS(t *testing.T) {
	for _, c := range []struct {
		libc    string
		size    uint64
		tunable string
		warns   bool
	}{
		{"2.31", 200, "", false},
		{"2.31", 4000, "", true},
		{"2.32", 504, "", false},
		{"2.32", 4000, "glibc.rtld.optional_static_tls=4512", false},
	} {
		in := input()
		in.Runtime.LibcVersion = c.libc
		driver := in.Host.Libraries[3].File
		driver.StaticTLS, driver.TLSSize, driver.TLSAlign = true, c.size-3, 8
		p := mustMakeWhole(t, in)
		a := p.Architectures[0]
		if a.StaticTLS.Needed != c.size || p.Tunable() != c.tunable {
			t.Errorf("glibc %s, %d bytes: %+v", c.libc, c.size, a.StaticTLS)
		}
		if got := strings.Contains(strings.Join(a.Warnings, "\n"), "static TLS"); got != c.warns {
			t.Errorf("glibc %s, %d bytes: warnings %q", c.libc, c.size, a.Warnings)
		}
	}
}

func TestSetTunable(t *testing.T) {
	const tunable = "glibc.rtld.optional_static_tls=4512"
	for _, c := range []struct{ before, tunable, after string }{
		{"A=1", "", "A=1"},
		{"A=1", tunable, "A=1 GLIBC_TUNABLES=" + tunable},
		{"GLIBC_TUNABLES= A=1", tunable, "GLIBC_TUNABLES=" + tunable + " A=1"},
		{"GLIBC_TUNABLES=glibc.malloc.check=3", tunable, "GLIBC_TUNABLES=glibc.malloc.check=3:" + tunable},
		{"GLIBC_TUNABLES=glibc.rtld.optional_static_tls=9", tunable, "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=9"},
	} {
		before := strings.Fields(c.before)
		if got := capsule.SetTunable(slices.Clone(before), c.tunable); strings.Join(got, " ") != c.after {
			t.Errorf("%q with %q: %q", c.before, c.tunable, got)
		}
	}
}
