package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/inspection"
	"github.com/capsule-run/capsule-run/internal/run"
)

// look fills in what there is. Without a runtime the host's own tree stands in for one.
func (d *doctor) look(ctx context.Context) error {
	if _, err := os.Stat(d.Host); err != nil {
		_, err = run.Devices(d.Options.Options) // which words it
		return err
	}
	d.Host = absolute(d.Host) // for children, which are started elsewhere
	r := d.report
	if d.Runtime == "" {
		d.Runtime, r.Runtime.Host = d.Host, true
	}
	d.Doing("looking at the host and the runtime")
	e, err := run.Examine(d.Options.Options)
	if stopped := ctx.Err(); stopped != nil {
		return stopped
	}
	if err != nil {
		// Nothing is known of the runtime then; of the host perhaps. Device rules, say, that cannot be read hinder no launch.
		d.broken = err
		if story, err := run.Decide(d.Options.Options); err == nil {
			story.Close()
		} else {
			d.hopeless = err
		}
		bare := *d.Options.Options
		bare.Runtime = ""
		if e, err = run.Examine(&bare); err != nil {
			e = &run.Examination{}
			if devices, err := run.Devices(&bare); err == nil {
				e.Report = &inspection.Report{Schema: inspection.Schema, Version: run.Version, Host: inspection.Host{Dir: d.Host},
					Devices: devices, Architectures: []*inspection.Arch{}, Problems: []string{}}
			}
		}
	} else if e.Unplanned != nil {
		d.broken, d.hopeless = e.Unplanned, e.Unplanned
	}
	d.lacking = e.Lacking
	r.Stack, r.Plan = e.Report, e.Plan
	if r.Plan != nil && r.Stack != nil {
		r.Plan.Devices = r.Stack.Devices
	}
	d.lookAtRuntime()
	d.lookAtMachine()
	return nil
}

func absolute(dir string) string {
	if a, err := filepath.Abs(dir); err == nil {
		return a
	}
	return dir
}

func (d *doctor) lookAtRuntime() {
	rt := &d.report.Runtime
	if _, err := os.Stat(d.Runtime); err == nil { // else it is a name
		d.Runtime = absolute(d.Runtime)
	}
	rt.Dir = d.Runtime
	if s := d.report.Stack; s != nil && s.Runtime != nil {
		rt.Dir, rt.Layout = s.Runtime.Dir, s.Runtime.Layout
	}
	if s := d.report.Stack; s != nil && len(s.Architectures) > 0 {
		rt.Glibc = s.Architectures[0].Libc
	}
	if d.broken == nil || rt.Layout != "" {
		rt.System = osRelease(rt.Dir)["PRETTY_NAME"]
	}
}

// architectures are those to draw for: of the runtime, as far as the host has a stack for them; where there is none, the
// machine's own, for it is told that nothing can be drawn.
func (d *doctor) architectures() []string {
	var out []string
	if d.report.Stack != nil {
		for _, a := range d.report.Stack.Architectures {
			out = append(out, a.Arch)
		}
	}
	if len(out) == 0 {
		out = []string{map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i386"}[goruntime.GOARCH]}
	}
	return out
}

// boundary says where the capsule begins for an API, and why.
func (d *doctor) boundary(s *report.Scene) {
	p := d.archPlan(s.Arch)
	if p == nil {
		return
	}
	for _, b := range p.Boundaries {
		if b.API == s.API {
			s.Boundary, s.BoundaryReason = b.Boundary, b.Reason
		}
	}
}

var errNoScene = errors.New("this capsule-run was built without the program that draws")
