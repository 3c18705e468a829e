package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/regular"
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
		if err := ctx.Err(); err != nil {
			return err
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
		if d.work, err = workplace(d.Getenv); err != nil {
			return "", err
		}
		d.tmp = d.work.Dir
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
	if d.work != nil {
		d.work.Close()
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

// one draws a scene on one side.
func (d *doctor) one(ctx context.Context, c *child, picture string, s *report.Scene) *report.Drawing {
	defer os.Remove(picture)
	o := c.run(ctx, d.Limit)
	t, err := parseTold(o.stdout)
	if err != nil {
		return o.failed("start", d.Limit)
	}
	s.API, s.Platform = cmp.Or(s.API, t.API), cmp.Or(s.Platform, t.Platform)
	drawing := &t.Drawing
	if (o.signal != 0 || o.late || o.status != 0) && drawing.Error == "" {
		e := o.failed("exit", d.Limit) // it had drawn
		drawing.Error, drawing.Step = e.Error+", after it had drawn", e.Step
	}
	if !drawing.Drawn() {
		drawing.Output = lastLines(o.stderr)
		return drawing
	}
	f, err := regular.Open(picture, unix.O_NOFOLLOW)
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
