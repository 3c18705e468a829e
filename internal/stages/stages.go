// Package stages is what the launcher and the hook have in common: from a host and a runtime to a plan (inspect, discover,
// plan). It exists so that both decide alike; where the runtime comes from, a directory or a container's mounts, and what
// becomes of the plan is theirs. It writes nothing.
package stages

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
)

// Wishes are what a story depends on besides the trees.
type Wishes struct {
	Version   string // of capsule-run
	Dir       string // where the capsule is to appear; empty: where the launcher shows it
	Boundary  capsule.Boundaries
	Libraries []string
	Rules     *configs.Rules // nil: the embedded ones
	// Getenv reads the variables that discovery honours.
	Getenv func(string) string
	// Progress and Verbose are told what is done; neither may be nil.
	Progress, Verbose func(format string, args ...any)
}

// Story is what the first three stages found and decided.
type Story struct {
	Tree  *runtimetree.Tree
	Host  *rootfs.Root
	Sides []Side // one for each architecture, the main one first
	Rules *configs.Rules
	Plan  *capsule.Plan
}

// Side is one architecture of the runtime, with the host's stack for it.
type Side struct {
	Tree  *runtimetree.Tree
	Stack *hostlibs.Stack
}

// LeftOut are the drivers that the host lists and no program can use, each in one line.
func (s *Story) LeftOut() []string {
	var out []string
	for _, side := range s.Sides {
		for _, text := range side.Stack.LeftOut {
			if !slices.Contains(out, text) { // the file is damaged for each architecture
				out = append(out, text)
			}
		}
	}
	return out
}

// maxTold bounds what is said of drivers that are left out, in lines.
const maxTold = 8

// Told is what a launch or the hook says of drivers that are left out; command names the others.
func Told(leftOut []string, command string) []string {
	if len(leftOut) <= maxTold {
		return leftOut
	}
	more := fmt.Sprintf("%d more drivers are left out: capsule-run %s names them", len(leftOut)-maxTold, command)
	return append(leftOut[:maxTold:maxTold], more)
}

// Close lets go of the trees.
func (s *Story) Close() {
	s.Host.Close()
	s.Tree.Root.Close()
}

// Look discovers what the host's GPU stack consists of. The tree, which is inspected already, says for which architectures.
// The story owns both trees from here on, and closes them if there is an error.
func Look(tree *runtimetree.Tree, host *rootfs.Root, w *Wishes) (*Story, error) {
	story := &Story{Tree: tree, Host: host, Rules: w.Rules}
	w.Progress("discovering the host's graphics stack")
	var err error
	if story.Rules == nil {
		story.Rules, err = configs.Default()
	}
	if err == nil {
		err = story.discover(w)
	}
	if err != nil {
		story.Close()
		return nil, err
	}
	return story, nil
}

// Decide plans. It closes the story if there is an error.
func (s *Story) Decide(w *Wishes) error {
	err := s.Try(w)
	if err != nil {
		s.Close()
	}
	return err
}

// Try plans: which library comes from which side, and why. An error leaves the story as it was, with what was found.
func (s *Story) Try(w *Wishes) error {
	w.Progress("planning")
	input, err := s.input(w)
	if err != nil {
		return err
	}
	s.Plan, err = capsule.Make(input)
	return err
}

// Stacks discovers what a host has without a runtime: for each architecture that it has a stack for.
func Stacks(host *rootfs.Root, w *Wishes) ([]*hostlibs.Stack, error) {
	w.Progress("discovering the host's graphics stack")
	var out []*hostlibs.Stack
	var none error
	for _, a := range arch.All {
		options := hostlibs.Options{Getenv: w.Getenv, Rules: w.Rules}
		if len(out) == 0 {
			options.Libraries = w.Libraries
		}
		stack, err := hostlibs.Discover(host, a, options)
		switch {
		case errors.Is(err, hostlibs.ErrNoStack), errors.Is(err, hostlibs.ErrRequested):
			none = cmp.Or(none, err)
		case err != nil:
			return nil, err
		default:
			out = append(out, stack)
		}
	}
	if len(out) == 0 {
		return nil, none
	}
	return out, nil
}

// Devices finds the GPUs of the machine that a host's root belongs to. It is a look of its own: what devices there are is no
// input of a plan.
//
// Rules are the embedded ones, the machine's, and those in further directories, of a user.
func Devices(host string, dirs ...string) (*hostgpu.Devices, error) {
	rules, err := DeviceRules(dirs...)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(host); err != nil {
		return nil, err
	}
	root, err := rootfs.Open(hostgpu.Tree(host))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return hostgpu.Discover(root, hostgpu.Options{Rules: rules})
}

// DeviceRules are those by which Devices looks.
func DeviceRules(dirs ...string) (*configs.Devices, error) {
	sources, err := configs.Sources(configs.DevicesDir, dirs...)
	var rules *configs.Devices
	if err == nil {
		rules, err = configs.MergeDevices(sources)
	}
	if err != nil {
		return nil, fault.WithExit(fault.Advise(err, "correct or remove the file; docs/rules.md says what it may have"), fault.ExitUsage)
	}
	return rules, nil
}

// noStack says what to do where the host has no stack for the runtime's architecture. If the machine is of another one,
// most often the wrong image was fetched.
func noStack(a *arch.Arch, goarch, hint string) string {
	if own := arch.Of(goarch); len(own) > 0 && !slices.Contains(own, a) {
		return fmt.Sprintf("the runtime is for %s, and this machine is %s: get the runtime for this one (podman pull --arch %s), "+
			"or give --host a tree with drivers for %s", a.Name, own[0].Name, goarch, a.Name)
	}
	return hint
}

// discover looks for a stack for each architecture of the runtime. The main one must have one; for another the runtime's
// programs are without GPU where the host has none.
func (s *Story) discover(w *Wishes) error {
	others, err := s.Tree.Others()
	if err != nil {
		return err
	}
	for _, tree := range append([]*runtimetree.Tree{s.Tree}, others...) {
		if _, err := cshim.Object(tree.Arch, cshim.CapsuleRoot); err != nil && tree != s.Tree {
			w.Verbose("the runtime's programs for %s have no graphics: this capsule-run was %v", tree.Arch.Name, cshim.ErrNotBuilt)
			continue
		}
		options := hostlibs.Options{Getenv: w.Getenv, Rules: s.Rules}
		if tree == s.Tree {
			options.Libraries = w.Libraries
		}
		stack, err := hostlibs.Discover(s.Host, tree.Arch, options)
		if tree != s.Tree && errors.Is(err, hostlibs.ErrNoStack) {
			w.Verbose("the host has no graphics stack for %s", tree.Arch.Name)
			continue
		}
		if errors.Is(err, hostlibs.ErrNoStack) {
			return fault.WithHint(err, noStack(tree.Arch, goruntime.GOARCH, fault.Hint(err)))
		}
		if err != nil {
			return err
		}
		s.Sides = append(s.Sides, Side{tree, stack})
	}
	return nil
}
