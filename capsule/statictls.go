package capsule

import (
	"fmt"
	"strings"
)

// StaticTLS tells how much of ld.so's static TLS surplus the capsule may need. Libraries with DF_STATIC_TLS (Mesa's and
// NVIDIA's dispatch tables) have a fixed offset from the thread pointer, so their block must fit into what ld.so set
// aside at the start of the process, or dlopen fails with "cannot allocate memory in static TLS block".
type StaticTLS struct {
	Needed  uint64 `json:"needed"`  // bytes, if all of them are loaded
	Surplus uint64 `json:"surplus"` // bytes that the runtime's ld.so has for all namespaces
	// Tunable is what the program's GLIBC_TUNABLES gets, empty where the surplus does.
	Tunable string `json:"tunable,omitempty"`
}

const (
	// fixedSurplus is TLS_STATIC_SURPLUS, 64 + DL_NNS * 100 (glibc before 2.32, elf/dl-tls.c).
	fixedSurplus = 64 + 16*100
	// optionalSurplus is the default of glibc.rtld.optional_static_tls (since 2.32, elf/dl-tls.c), meant for dlopen;
	// what the formula adds for further namespaces is for their libc, of which ours have none.
	optionalSurplus = 512
	tunableSince    = 32
	tunableName     = "glibc.rtld.optional_static_tls"
)

func (p *planner) planStaticTLS() {
	t := &p.plan.StaticTLS
	for _, l := range p.in.Host.Libraries {
		if p.loaded[l] && l.File.StaticTLS {
			align := max(l.File.TLSAlign, 1)
			t.Needed += (l.File.TLSSize + align - 1) / align * align
		}
	}
	if p.runtimeOlderThan(tunableSince) {
		t.Surplus = fixedSurplus
		if t.Needed > t.Surplus {
			p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("the host's libraries need %d bytes of static TLS, and "+
				"glibc %s has %d: one of them may not load", t.Needed, p.in.Runtime.LibcVersion, t.Surplus))
		}
		return
	}
	t.Surplus = optionalSurplus
	if t.Needed > t.Surplus {
		t.Tunable = fmt.Sprintf("%s=%d", tunableName, t.Needed+optionalSurplus)
	}
}

// SetTunable returns an environment with a tunable added to GLIBC_TUNABLES. A value of the user's for the same one stays.
func SetTunable(environ []string, tunable string) []string {
	const name = "GLIBC_TUNABLES="
	if tunable == "" {
		return environ
	}
	for i, e := range environ {
		value, ok := strings.CutPrefix(e, name)
		switch {
		case !ok:
			continue
		case strings.Contains(value, tunableName+"="):
			return environ
		case value != "":
			tunable = value + ":" + tunable
		}
		out := append([]string(nil), environ...)
		out[i] = name + tunable
		return out
	}
	return append(append([]string(nil), environ...), name+tunable)
}

// Tunable is what GLIBC_TUNABLES needs so that every architecture's capsule can be loaded.
func (p *Plan) Tunable() string {
	var most *StaticTLS
	for _, a := range p.Architectures {
		if a.StaticTLS.Tunable != "" && (most == nil || a.StaticTLS.Needed > most.Needed) {
			most = &a.StaticTLS
		}
	}
	if most == nil {
		return ""
	}
	return most.Tunable
}
