package run

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/inspection"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// Examination is what a look at a host and a runtime gives, whether or not a plan can be made.
type Examination struct {
	Report *inspection.Report
	// Plan is nil without a runtime, and where none could be made: then Unplanned says why.
	Plan      *capsule.Plan
	Unplanned error
	// Lacking are architectures of the runtime that the host has no stack for.
	Lacking []string
}

// Inspect looks at the devices, the host's stack and the runtime, if one is named. That no plan can be made is for the
// report to say, and no failure.
func Inspect(o *Options) (*inspection.Report, error) {
	e, err := Examine(o)
	if err != nil {
		return nil, err
	}
	return e.Report, nil
}

// Examine is Inspect with the plan, if there is one.
func Examine(o *Options) (*Examination, error) {
	var rules inspection.Rules
	var err error
	if rules.Devices, err = stages.DeviceRules(configs.UserDevicesDir(o.Getenv)); err != nil {
		return nil, err
	}
	if rules.Stack, err = o.rules(); err != nil {
		return nil, err
	}
	if o.Runtime == "" {
		r, err := inspectHost(o, rules)
		return &Examination{Report: r}, err
	}
	story, err := Look(o)
	if errors.Is(err, hostlibs.ErrNoStack) {
		r, bare := inspectBare(o, rules, err)
		return &Examination{Report: r, Unplanned: err}, bare
	}
	if err != nil {
		return nil, err
	}
	defer story.Close()
	devices, err := Devices(o)
	if err != nil {
		return nil, err
	}
	out := &Examination{Unplanned: planError(story.Try(o.wishes()))}
	if out.Plan = story.Plan; out.Plan != nil && o.Isolation == IsolationNone {
		out.Plan.Differences = Differences
	}
	if out.Lacking, err = lacking(story); err != nil {
		return nil, err
	}
	var sides []inspection.Side
	for _, s := range story.Sides {
		sides = append(sides, inspection.Side{Stack: s.Stack, Tree: s.Tree, Plan: planFor(story.Plan, s.Tree.Arch.Name)})
	}
	runtime := &inspection.Runtime{Dir: story.Tree.Dir, Layout: story.Tree.Layout}
	out.Report, err = inspection.Make(Version, story.Host.Dir(), runtime, devices, sides, rules)
	if err == nil && out.Unplanned != nil {
		problem := "no plan: " + out.Unplanned.Error() + ": " + fault.Hint(out.Unplanned)
		out.Report.Problems = append(out.Report.Problems, strings.TrimSuffix(problem, ": "))
	}
	return out, err
}

// lacking are the runtime's architectures without a side.
func lacking(s *stages.Story) ([]string, error) {
	others, err := s.Tree.Others()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, t := range others {
		if !slices.ContainsFunc(s.Sides, func(x stages.Side) bool { return x.Tree.Arch == t.Arch }) {
			out = append(out, t.Arch.Name)
		}
	}
	return out, nil
}

func inspectHost(o *Options, rules inspection.Rules) (*inspection.Report, error) {
	host, err := rootfs.Open(o.Host)
	if err != nil {
		return nil, hostError(err)
	}
	defer host.Close()
	w := o.wishes()
	w.Rules = rules.Stack
	stacks, err := stages.Stacks(host, w)
	if errors.Is(err, hostlibs.ErrNoStack) {
		return inspectBare(o, rules, err)
	}
	if err != nil {
		return nil, err
	}
	devices, err := Devices(o)
	if err != nil {
		return nil, err
	}
	var sides []inspection.Side
	for _, s := range stacks {
		sides = append(sides, inspection.Side{Stack: s})
	}
	return inspection.Make(Version, host.Dir(), nil, devices, sides, rules)
}

// inspectBare reports a host that has no stack, and why nothing will run on its GPUs.
func inspectBare(o *Options, rules inspection.Rules, none error) (*inspection.Report, error) {
	devices, err := Devices(o)
	if err != nil {
		return nil, err
	}
	dir, err := canonical(o.Host)
	if err != nil {
		return nil, hostError(err)
	}
	r, err := inspection.Make(Version, dir, nil, devices, nil, rules)
	if err == nil {
		r.Problems = append([]string{none.Error() + ": " + fault.Hint(none)}, r.Problems...)
	}
	return r, err
}

// Devices finds the GPUs of the machine that the host's root belongs to.
func Devices(o *Options) (*hostgpu.Devices, error) {
	if _, err := os.Stat(o.Host + "/."); err != nil { // a directory
		return nil, hostError(err)
	}
	return stages.Devices(o.Host, configs.UserDevicesDir(o.Getenv))
}

// planFor finds an architecture's part; nil where there is no plan.
func planFor(p *capsule.Plan, arch string) *capsule.ArchPlan {
	if p == nil {
		return nil
	}
	for _, a := range p.Architectures {
		if a.Arch == arch {
			return a
		}
	}
	return nil
}
