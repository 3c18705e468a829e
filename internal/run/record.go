package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/direct"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/layout"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// launchRecord is what a warm launch needs of a build besides its files.
type launchRecord struct {
	Top    []layout.Top `json:"top"`
	Mounts []mount.Op   `json:"mounts"` // sources of generated files relative to the build
	// Tunable is what the program's GLIBC_TUNABLES gets.
	Tunable string `json:"tunable,omitempty"`
	// Direct is for a launch without isolation.
	Direct direct.Runtime `json:"direct"`
	// Environment is what the program's gets besides.
	Environment map[string]string `json:"environment,omitempty"`
	// Path is what the program's PATH gets at its end.
	Path []string `json:"path,omitempty"`
	// LeftOut are the host's drivers that the program does without.
	LeftOut []string `json:"left_out,omitempty"`
}

// record puts it together; inPlace says that the launch is to be without isolation.
func record(s *stages.Story, inPlace bool) (build.Record, error) {
	l := launchRecord{Top: tops(s.Tree), Mounts: s.Plan.Mounts, Tunable: s.Plan.Tunable(), Environment: s.Plan.Environment, Path: s.Plan.Path,
		Direct: directRuntime(s, inPlace), LeftOut: s.LeftOut()}
	text, err := json.Marshal(l)
	if err != nil {
		return build.Record{}, fmt.Errorf("encode the launch: %w", err)
	}
	inputs := append([]rootfs.Access(nil), s.Host.Trace()...)
	return build.Record{Inputs: append(inputs, s.Tree.Root.Trace()...), Launch: text}, nil
}

// tell warns of each driver that the host lists and the program does without, at every launch: what
// draws may be another than the user has in mind, and slower.
func (o *Options) tell(l *launchRecord) {
	if o.told {
		return // before isolation was found to be forbidden
	}
	o.told = true
	o.Done()
	for _, text := range stages.Told(l.LeftOut, "plan") {
		fmt.Fprintf(os.Stderr, "capsule-run: warning: %s\n", fault.OneLine(text))
	}
}

// tops are a tree's top-level entries.
func tops(tree *runtimetree.Tree) []layout.Top {
	var out []layout.Top
	for _, t := range tree.Top {
		out = append(out, layout.Top{Name: t.Name, Source: t.Source, Link: t.Link})
	}
	return out
}

func launchOf(b *build.Built) (*launchRecord, error) {
	var l launchRecord
	if err := json.Unmarshal(b.Record.Launch, &l); err != nil {
		return nil, fault.WithHint(fmt.Errorf("read the launch record of %s: %w", b.Dir, err), "it is damaged: rm -r "+b.Dir)
	}
	return &l, nil
}

// unmerged are the directories of programs that PATH means and does not name: where the host has one directory for /bin and
// /usr/bin, as Arch and Flatpak's sandboxes do, the user's PATH may have the latter alone, and in Debian 11 sh is in the
// former.
func (l *launchRecord) unmerged(path string) []string {
	words := strings.Split(strings.TrimPrefix(path, "PATH="), ":")
	var out []string
	for _, dir := range []string{"/sbin", "/bin"} {
		if slices.Contains(words, "/usr"+dir) && !slices.Contains(words, dir) &&
			slices.ContainsFunc(l.Top, func(t layout.Top) bool { return "/"+t.Name == dir && t.Link == "" }) {
			out = append(out, dir)
		}
	}
	return out
}

// environ is the program's environment with what the plan adds. A variable that lists drivers is replaced: discovery has
// honoured what it said.
func (l *launchRecord) environ(environ []string) []string {
	out := slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		_, replaced := l.Environment[name]
		return replaced
	})
	for i, e := range out {
		// A program without PATH has the C library's own; it is left at that.
		if strings.HasPrefix(e, "PATH=") {
			out[i] = strings.Join(slices.Concat([]string{e}, l.unmerged(e), l.Path), ":")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Environment)) {
		if value := l.Environment[name]; value != "" {
			out = append(out, name+"="+value)
		}
	}
	return capsule.SetTunable(out, l.Tunable)
}
