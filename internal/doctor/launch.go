package doctor

import (
	"bytes"
	"cmp"
	"context"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/run"
)

// scenes asks the program what it can draw. A second value is why it does not even say that.
func (d *doctor) scenes(ctx context.Context, program string) ([]scene, *report.Drawing) {
	o := d.native(program, "--list").run(ctx, d.Building)
	if scenes := parseScenes(o.stdout); o.status == 0 && o.err == nil && o.signal == 0 && len(scenes) > 0 {
		return scenes, nil
	}
	return nil, o.failed("start", d.Building)
}

// launch starts the runtime for the first time, which builds what it takes, and tells how programs are kept apart there. What
// it returns is why nothing can be started.
func (d *doctor) launch(ctx context.Context, name, program string, scenes *[]scene) *report.Drawing {
	if d.hopeless != nil {
		return d.failedLaunch(name, &report.Drawing{Error: shorten(d.hopeless.Error()), Step: "launch"})
	}
	d.Doing("%s: starting the runtime", name)
	isolation := cmp.Or(d.report.Isolation, d.Isolation)
	o := d.launcher(isolation, program, "--list").run(ctx, d.Building)
	found := parseScenes(o.stdout)
	if o.status != 0 || o.err != nil || o.signal != 0 || len(found) == 0 {
		return d.failedLaunch(name, o.failed("launch", d.Building))
	}
	if len(*scenes) == 0 {
		*scenes = found
	}
	if d.report.Isolation != "" {
		return nil
	}
	used := d.Isolation
	if used == run.IsolationAuto {
		used = run.IsolationUserNS
		if bytes.Contains(o.stderr, []byte(run.NoNamespaces)) {
			used = run.IsolationNone
			d.noNamespaces(ctx, program)
		}
	}
	d.report.Isolation = used
	return nil
}

func (d *doctor) failedLaunch(name string, e *report.Drawing) *report.Drawing {
	if d.launches == nil {
		d.launches = map[string]*report.Drawing{}
	}
	d.launches[name] = e
	return e
}

// noNamespaces asks why, for the launcher has a hint only where that is an error.
func (d *doctor) noNamespaces(ctx context.Context, program string) {
	o := d.launcher(run.IsolationUserNS, program, "--list").run(ctx, d.Building)
	what, hint := said(o.stderr)
	d.notes = append(d.notes, report.Finding{Severity: report.Warning,
		What: "programs cannot be isolated here, and run as with --isolation=none: " + what, Hint: hint})
}
