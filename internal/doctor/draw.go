package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/run"
)

// caches are variables that keep drivers from reusing on the second side what they compiled on the first, and from leaving it.
var caches = []string{"MESA_SHADER_CACHE_DISABLE=true", "MESA_GLSL_CACHE_DISABLE=true", "__GL_SHADER_DISK_CACHE=0",
	"CUDA_CACHE_DISABLE=1", "POCL_KERNEL_CACHE=0"}

// draw has every scene of an architecture drawn on both sides.
func (d *doctor) draw(ctx context.Context, name string) error {
	a := byName(name)
	program, err := d.program(a)
	if err != nil {
		d.notes = append(d.notes, report.Finding{Severity: report.Problem,
			What: fmt.Sprintf("%s: nothing was drawn: %v", name, err),
			Hint: "set TMPDIR to a directory that you can write to, or install a capsule-run that was built with a C compiler"})
		return nil
	}
	scenes, failed := d.scenes(ctx, program)
	if err := ctx.Err(); err != nil {
		return err
	}
	launch := d.launch(ctx, name, program, &scenes)
	for _, s := range scenes {
		if err := ctx.Err(); err != nil {
			return err
		}
		out := report.Scene{Arch: name, API: s.api, Name: s.name, Platform: s.platform}
		d.Doing("%s: drawing %s natively", name, s.name)
		if failed != nil {
			out.Native = clone(failed)
		} else {
			out.Native = d.one(ctx, d.native(program, s.name, program+".native"), program+".native", &out)
		}
		d.Doing("%s: drawing %s through the capsule", name, s.name)
		if launch != nil {
			out.Capsule = clone(launch)
		} else {
			out.Capsule = d.one(ctx, d.capsule(program, s.name, program+".capsule"), program+".capsule", &out)
		}
		d.boundary(&out)
		d.report.Scenes = append(d.report.Scenes, out)
	}
	return ctx.Err()
}

// program writes the scenes' program into the workplace.
func (d *doctor) program(a *arch.Arch) (string, error) {
	text, err := cshim.Object(a, cshim.Scene)
	if err != nil {
		return "", errNoScene
	}
	if d.tmp == "" {
		if d.tmp, err = workplace(d.Getenv); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(d.tmp, a.Name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	name := filepath.Join(dir, cshim.Scene)
	return name, os.WriteFile(name, text, 0o700)
}

// clean removes the workplace.
func (d *doctor) clean() {
	if d.tmp != "" {
		os.RemoveAll(d.tmp)
	}
}

// native is the program as the host runs it: by its own ld.so, or in another tree than ours with that as its root.
func (d *doctor) native(args ...string) *child {
	argv := args
	if d.Host != "/" {
		argv = append(append(append([]string{}, d.Launcher...), "--bare", "--host", d.Host, "--share", d.tmp, "--"), args...)
	}
	return &child{argv: argv, env: d.environ(), dir: d.tmp}
}

// capsule is the program as a launch runs it.
func (d *doctor) capsule(args ...string) *child { return d.launcher(d.report.Isolation, args...) }

func (d *doctor) launcher(isolation string, args ...string) *child {
	argv := append(append([]string{}, d.Launcher...), "--host", d.Host, "--runtime", d.Runtime, "--isolation", isolation, "--share", d.tmp, "--")
	return &child{argv: append(argv, args...), env: d.environ(), dir: d.tmp}
}

func (d *doctor) environ() []string { return append(append([]string{}, d.Environ...), caches...) }

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
	isolation := first(d.report.Isolation, d.Isolation)
	o := d.launcher(isolation, program, "--list").run(ctx, d.Building)
	found := parseScenes(o.stdout)
	if o.status != 0 || o.err != nil || o.signal != 0 || len(found) == 0 {
		d.started = false
		return d.failedLaunch(name, o.failed("launch", d.Building))
	}
	if len(*scenes) == 0 {
		*scenes = found
	}
	if len(d.launches) == 0 && d.report.Isolation == "" {
		d.started = true
	}
	used := d.Isolation
	if used == run.IsolationAuto {
		used = run.IsolationUserNS
		if i := bytes.Index(o.stderr, []byte(run.NoNamespaces)); i >= 0 {
			used = run.IsolationNone
			d.noNamespaces(ctx, program)
		}
	}
	if d.report.Isolation == "" {
		d.report.Isolation = used
	}
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

// one draws a scene on one side.
func (d *doctor) one(ctx context.Context, c *child, picture string, s *report.Scene) *report.Drawing {
	defer os.Remove(picture)
	o := c.run(ctx, d.Limit)
	t, err := parseTold(o.stdout)
	if err != nil {
		return o.failed("start", d.Limit)
	}
	s.API, s.Platform = first(s.API, t.API), first(s.Platform, t.Platform)
	drawing := &t.Drawing
	if (o.signal != 0 || o.late || o.status != 0) && drawing.Error == "" {
		e := o.failed("exit", d.Limit) // it had drawn
		drawing.Error, drawing.Step = e.Error+", after it had drawn", e.Step
	}
	if !drawing.Drawn() {
		drawing.Output = lastLines(o.stderr)
		return drawing
	}
	f, err := os.OpenFile(picture, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist): // the API draws none
		return drawing
	case err != nil:
		drawing.Error, drawing.Step = shorten(err.Error()), "picture"
		return drawing
	}
	defer f.Close()
	img, err := readPicture(f)
	if err == nil {
		drawing.PNG, err = encode(img)
	}
	if err != nil {
		drawing.Error, drawing.Step = shorten(err.Error()), "picture"
	}
	return drawing
}

// failed words how a program ended that drew nothing.
func (o *outcome) failed(step string, limit time.Duration) *report.Drawing {
	e := &report.Drawing{Step: step, Output: lastLines(o.stderr)}
	what, _ := said(o.stderr)
	switch {
	case o.err != nil:
		e.Error = shorten(o.err.Error())
	case o.late:
		e.Error = fmt.Sprintf("it did not end within %v", limit)
	case o.signal != 0:
		e.Error = "ended by " + signalName(o.signal)
		if what != "" {
			e.Error += ": " + what
		}
	case what != "":
		e.Error = what
	case o.status != 0:
		e.Error = fmt.Sprintf("ended with status %d", o.status)
	default:
		e.Error = errNothingTold.Error()
	}
	return e
}

func signalName(n unix.Signal) string {
	if name := unix.SignalName(n); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(n))
}

// causes are what tells a line of standard error that says why a program ended: ours, libcapsule's, ld.so's and libc's.
var causes = []string{"capsule-run: error: ", "capsule: error: ", "symbol lookup error: ", "error while loading shared libraries: ",
	"Assertion `", "terminate called ", "stack smashing detected", "free(): ", "malloc(): ", "corrupted "}

// said finds the cause in what was printed, and the hint behind it.
func said(stderr []byte) (what, hint string) {
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	for _, l := range lines {
		for _, c := range causes {
			if i := strings.Index(l, c); i >= 0 && what == "" {
				what = shorten(strings.TrimPrefix(strings.TrimPrefix(l[i:], "capsule-run: error: "), "capsule: error: "))
			}
		}
		if h, ok := strings.CutPrefix(l, "capsule-run: hint: "); ok {
			hint = shorten(h)
		}
	}
	if what == "" {
		what = shorten(lines[len(lines)-1])
	}
	return what, hint
}

// maxLines of standard error are shown.
const maxLines = 12

func lastLines(stderr []byte) []string {
	text := strings.TrimSpace(string(stderr))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return list(lines[max(0, len(lines)-maxLines):], maxLines)
}

func byName(name string) *arch.Arch {
	for _, a := range arch.All {
		if a.Name == name {
			return a
		}
	}
	return arch.All[0]
}

func clone(d *report.Drawing) *report.Drawing {
	c := *d
	return &c
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
