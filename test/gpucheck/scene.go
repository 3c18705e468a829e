package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	doctor "github.com/capsule-run/capsule-run/internal/doctor/report"
)

// sceneProgram draws pictures: one API in one process, on the device whose number is behind an @ (cshim/scene).
const sceneProgram = "capsule-scene"

// sceneCheck is a check of the scene program's.
func sceneCheck(name, scene, loader string, boundaries ...string) check {
	return check{name: name, scene: true, argv: []string{sceneProgram, scene, "@work/pictures/picture.pam"}, loader: loader,
		boundaries: boundaries}
}

// each makes a check of each device that the API has, natively; of one without a number where it tells none.
func (c *comparison) each(ctx context.Context, k check) ([]check, error) {
	native := place{name: "natively"}
	d, err := c.devices(ctx, native, k)
	if err == nil && d.Missing {
		if native.env, err = c.carriedLoaders(); err == nil {
			d, err = c.devices(ctx, native, k)
		}
	}
	if err != nil || len(d.Devices) == 0 {
		return []check{k}, err
	}
	var out []check
	for n, device := range d.Devices {
		one := sceneCheck(fmt.Sprintf("%s, device %d: %.60q", k.name, n, device), fmt.Sprintf("%s@%d", k.argv[1], n), k.loader,
			k.boundaries...)
		out = append(out, one)
	}
	return out, nil
}

func (c *comparison) devices(ctx context.Context, p place, k check) (d doctor.Drawing, err error) {
	r, err := c.once(ctx, p, append(k.argv[:2:2], "/dev/null"))
	if err != nil || json.Unmarshal([]byte(r.stdout), &d) != nil {
		return d, err // what is wrong with it is told by the comparison
	}
	return d, nil
}

// lines makes of what the scene program has said what the other programs say: lines that are the same on both sides, times,
// and a status.
func (c *comparison) lines(r result) result {
	var d doctor.Drawing
	if r.status != 0 {
		return r
	}
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
		r.status, r.stderr = 1, fmt.Sprintf("%v\n%s", err, r.stderr)
		return r
	}
	switch {
	case d.Missing:
		return result{stderr: d.Error + "\n", status: nothing, wall: r.wall}
	case d.Error != "":
		return result{stdout: fmt.Sprintf("%s: %s\n", d.Step, d.Error), stderr: r.stderr, status: 1, wall: r.wall}
	case d.Software && !c.software:
		return result{stdout: d.Device + " is no GPU\n", status: nothing, wall: r.wall}
	}
	var out bytes.Buffer
	times := fmt.Sprintf("time first frame %.3f ms\ntime frame %.3f ms\n", d.Start, d.Frame)
	d.Libraries, d.Start, d.Frame = nil, 0, 0
	e := json.NewEncoder(&out)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		r.status, r.stderr = 1, err.Error()
		return r
	}
	r.stdout = out.String() + times
	return r
}
