// Package doctor finds out whether programs see the same graphics through the capsule as without it: it has a small program
// draw one scene through each API the host offers, natively and in the runtime, and compares what they drew and on what.
//
// It exists so that a user can tell what is wrong, and show it to others: the report names no home directory, no user and no
// host. It draws by a program of its own (capsule-scene), started as any program is, the capsule's by the launcher itself; it
// loads no driver into its own process, changes no setting, and leaves nothing behind but the build that a launch would make.
package doctor

import (
	"context"
	"runtime"
	"time"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/run"
)

// Options are what a report is made by.
type Options struct {
	*run.Options
	// Launcher starts a program in a runtime: this program, and the flags besides --host, --runtime and --isolation.
	Launcher []string
	// Limit is how long a scene may take, Building how long the first launch.
	Limit, Building time.Duration
	// Doing is told what is being done.
	Doing func(format string, args ...any)
}

// Make looks, draws, compares and finds. It fails only where there is no host, or where it is told to stop: what is wrong
// with a runtime or a driver is for the report to say.
func Make(ctx context.Context, o *Options) (*report.Report, error) {
	// Children die with the thread that forked them (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r := &report.Report{Schema: report.Schema, Version: run.Version, Created: time.Now().UTC().Format(time.RFC3339),
		Scenes: []report.Scene{}, Findings: []report.Finding{}}
	d := &doctor{Options: o, report: r}
	defer d.clean()

	// look: what `inspect` and `plan` tell.
	if err := d.look(ctx); err != nil {
		return nil, err
	}
	// draw: each scene on both sides. The first launch says whether the runtime can be started at all, and how.
	for _, a := range d.architectures() {
		if err := d.draw(ctx, a); err != nil {
			return nil, err
		}
	}
	// compare: a verdict for each scene.
	for i := range r.Scenes {
		judge(&r.Scenes[i])
	}
	// find: what is wrong, and what to do.
	d.find()
	r.OK = healthy(r) && d.started()
	// What could tell who the user is stays here.
	d.privacy().report(r)
	return r, nil
}

// doctor is the state of one report.
type doctor struct {
	*Options
	report *report.Report
	// broken is why host or runtime could not be looked at, or no plan be made.
	broken error
	// hopeless is why there is no use in starting anything.
	hopeless error
	lacking  []string // architectures of the runtime that the host has no stack for
	work     *private.Scratch
	tmp      string // its path
	// launches are the errors of first launches, by architecture; notes what a launch told besides.
	launches map[string]*report.Drawing
	notes    []report.Finding
}

// started says that the runtime could be started for each architecture that was tried.
func (d *doctor) started() bool { return d.report.Isolation != "" && len(d.launches) == 0 }

// healthy says whether everything that works natively works through the capsule.
func healthy(r *report.Report) bool {
	for _, s := range r.Scenes {
		if s.Verdict == report.CapsuleFails || s.Verdict == report.Differs {
			return false
		}
	}
	return true
}

// archPlan is an architecture's part of the plan; nil where there is none.
func (d *doctor) archPlan(arch string) *capsule.ArchPlan {
	if d.report.Plan != nil {
		for _, a := range d.report.Plan.Architectures {
			if a.Arch == arch {
				return a
			}
		}
	}
	return nil
}
