package capsule

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/internal/dynelf"
)

// Rewritten is a host library of which the container sees a changed copy, made by package relr.
type Rewritten struct {
	Source string // the original's outside path
	File   string // the copy's path below the artefact directory
	// What is to be done: relr.Expand, relr.ClearPLT.
	Expand, ClearPLT bool
}

// relocationsSince is the release of glibc, 2.N, whose ld.so knows DT_RELR and leaves the addends of the PLT alone.
const relocationsSince = 36

// runtimeOlderThan compares with glibc 2.minor. What has no readable version is taken for old: nothing here does harm to
// a new one.
func (p *planner) runtimeOlderThan(minor int) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(p.in.Runtime.LibcVersion, "2."))
	return err != nil || n < minor
}

// rewriting says what the runtime's ld.so would do wrong with a library: leave its pointers as they are, or bind it to
// wrong addresses.
func (p *planner) rewriting(l *HostLibrary) (r Rewritten, needed bool) {
	if !p.runtimeOlderThan(relocationsSince) {
		return r, false
	}
	r = Rewritten{Source: l.Source, File: path.Join(p.in.Arch.Triplet, "rewritten", l.Path),
		Expand: l.File.HasRELR, ClearPLT: l.File.MarksPLT}
	return r, r.Expand || r.ClearPLT
}

// planRewritten enters the copy, if there is to be one, and returns where the library is mounted from.
func (p *planner) planRewritten(l *HostLibrary) (source string) {
	r, needed := p.rewriting(l)
	if !needed {
		return l.Source
	}
	p.plan.artefacts.Rewritten = append(p.plan.artefacts.Rewritten, r)
	return r.File
}

// hostReason says why a library is there, and why it is not the host's file itself.
func (p *planner) hostReason(l *HostLibrary) string {
	reason := l.Reason
	r, _ := p.rewriting(l)
	if r.Expand {
		reason += fmt.Sprintf("; a copy without DT_RELR, which the runtime's glibc %s does not know", p.in.Runtime.LibcVersion)
	}
	if r.ClearPLT {
		reason += fmt.Sprintf("; a copy without the marks of -z mark-plt, which the runtime's glibc %s misunderstands",
			p.in.Runtime.LibcVersion)
	}
	return reason
}

// tlsVersion is the version of libc.so.6 by which a library asks for TLS descriptors that keep vector registers. Like
// GLIBC_ABI_DT_RELR and GLIBC_ABI_DT_X86_64_PLT it is defined by the proxy, as the host's libc defines it, so that
// the library loads; what those two ask for is dealt with by rewriting.
const tlsVersion = "GLIBC_ABI_GNU2_TLS"

// warnOfABI names the libraries that ask for what the runtime's ld.so does not promise.
func (p *planner) warnOfABI(l *HostLibrary) {
	libc := p.in.Runtime.Libraries["libc.so.6"]
	if libc == nil || slices.ContainsFunc(libc.File.VersionDefs, func(d dynelf.VersionDef) bool { return d.Name == tlsVersion }) {
		return
	}
	for _, need := range l.File.VersionNeeds {
		if slices.Contains(need.Versions, tlsVersion) {
			p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("%s wants %s, which the runtime's glibc %s lacks: vector "+
				"registers may be lost where a thread first uses a variable of a library that was opened late (glibc bug 31372)",
				l.Name, tlsVersion, p.in.Runtime.LibcVersion))
			return
		}
	}
}
