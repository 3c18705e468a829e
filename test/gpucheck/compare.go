package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A check is one program with the places in which it is compared.
type check struct {
	name string
	argv []string // "@work" stands for the directory for its output
	// loader is what a program opens first, and prepare has for the hosts that lack it.
	loader string
	// scene says that it is the scene program, which draws a picture.
	scene bool
	// boundaries: an API without a loader of its own has one.
	boundaries []string
	// show is run once more in the capsule, for what changes from run to run and can only be looked at.
	show []string
}

// launcherFailed is capsule-run's exit status when it could not start the program.
const launcherFailed = 125

func checks() []check {
	return []check{
		{name: "CUDA", argv: []string{"cuda"}, boundaries: []string{"frontend"}},
		{name: "NVML", argv: []string{"nvml"}, boundaries: []string{"frontend"}},
		{name: "nvidia-smi", argv: []string{"nvidia-smi", "-L"}, boundaries: []string{"frontend"},
			show: []string{"nvidia-smi"}},
		sceneCheck("CUDA picture", "cuda", "", "frontend"),
		sceneCheck("OpenCL", "opencl", "", "frontend"),
		sceneCheck("EGL", "gl-device", "libEGL.so.1", "frontend", "driver"),
		sceneCheck("EGL without a device", "gl-surfaceless", "libEGL.so.1", "frontend", "driver"),
		sceneCheck("OpenGL ES", "gles-surfaceless", "libEGL.so.1", "frontend", "driver"),
		sceneCheck("Vulkan", "vulkan", "libvulkan.so.1", "frontend", "driver"),
	}
}

func (c *comparison) compare(ctx context.Context) error {
	describeMachine(c.out)
	fmt.Fprintf(c.out, "isolation: %s\n", c.isolation)
	if c.forbidden != "" {
		fmt.Fprintf(c.out, "because: %s\n", c.forbidden)
	}
	fmt.Fprintln(c.out)
	var absent []string
	done, different := 0, 0
	var all []check
	for _, k := range checks() {
		some := []check{k}
		var err error
		if k.scene {
			some, err = c.each(ctx, k)
		}
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	for _, k := range all {
		reference, why, err := c.reference(ctx, &k)
		if err != nil {
			return err
		}
		if why != "" {
			absent = append(absent, k.name+": "+why)
			continue
		}
		ok, err := c.against(ctx, k, reference)
		if err != nil {
			return err
		}
		done++
		if !ok {
			different++
		}
	}
	for _, a := range absent {
		fmt.Fprintf(c.out, "not compared: %s\n", a)
	}
	switch {
	case different > 0:
		return fmt.Errorf("%d of %d programs do not do in the capsule what they do natively", different, done)
	case done == 0 && os.Getenv("CAPSULE_MUST_WORK") == "1":
		return errors.New("there is no GPU here")
	case done == 0:
		fmt.Fprintln(c.out, "gpu-check: there is no GPU here: nothing was compared")
	default:
		fmt.Fprintf(c.out, "gpu-check: %d programs do the same natively and in the capsule\n", done)
	}
	return nil
}

// reference runs a program natively. why says why there is nothing to compare with.
func (c *comparison) reference(ctx context.Context, k *check) (s *sample, why string, err error) {
	native := place{name: "natively"}
	s, err = c.sample(ctx, native, *k)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, "no such program here", nil
	}
	if err == nil && s.status == nothing && k.loader != "" && strings.Contains(s.stderr, k.loader) {
		// The host has no such loader. A server's driver may be there all the same.
		k.boundaries = []string{"driver"}
		if native.env, err = c.carriedLoaders(); err != nil {
			return nil, "", err
		}
		native.name = "natively, with Debian 11's " + k.loader
		s, err = c.sample(ctx, native, *k)
	}
	if err != nil {
		return nil, "", err
	}
	switch {
	case s.status == nothing || k.argv[0] == "nvidia-smi" && s.status != 0:
		return nil, "natively: " + lastLine(s.stdout+s.stderr), nil
	case blank(s.pictures) != "":
		return nil, "natively: nothing is drawn in " + blank(s.pictures), nil
	case s.status != 0:
		return nil, fmt.Sprintf("it fails natively (exit status %d): %s", s.status, lastLine(s.stdout+s.stderr)), nil
	}
	return s, "", nil
}

// against runs a program at each boundary, compares, and reports; ok says that all were the same.
func (c *comparison) against(ctx context.Context, k check, reference *sample) (ok bool, err error) {
	all := []*sample{reference}
	ok = true
	for _, b := range k.boundaries {
		s, err := c.sample(ctx, place{name: "capsule, " + b, boundary: b}, k)
		if err != nil {
			return false, err
		}
		if s.status == launcherFailed {
			return false, fmt.Errorf("%s: no capsule can be started here:\n%s", k.name, strings.TrimSpace(s.stderr))
		}
		s.different = reference.differences(s)
		ok = ok && len(s.different) == 0
		all = append(all, s)
	}
	report(c.out, k, all)
	if k.show == nil {
		return ok, nil
	}
	r, err := c.once(ctx, all[len(all)-1].place, k.show)
	if err == nil {
		fmt.Fprintf(c.out, "%s inside:\n\n%s\n", strings.Join(k.show, " "), indent(r.stdout+r.stderr))
	}
	return ok, err
}

// sample runs a program c.rounds times and keeps the last output, the pictures, and all times.
func (c *comparison) sample(ctx context.Context, p place, k check) (*sample, error) {
	s := &sample{place: p, times: map[string][]float64{}}
	for round := range c.rounds {
		pictures := filepath.Join(c.work, "pictures")
		if err := errors.Join(os.RemoveAll(pictures), os.Mkdir(pictures, 0o777)); err != nil {
			return nil, err
		}
		r, err := c.once(ctx, p, k.argv)
		if err != nil {
			return nil, err
		}
		if k.scene {
			r = c.lines(r)
		}
		text := s.take(r, round == 0 && c.rounds > 1)
		if round > 0 && text != s.text {
			s.different = append(s.different, "its output changes from run to run")
		}
		s.text, s.stderr, s.status, s.stdout = text, r.stderr, r.status, r.stdout
		if r.status != 0 {
			return s, nil
		}
		if s.pictures, err = readPictures(pictures); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func readPictures(dir string) (map[string][]byte, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.pam"))
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range files {
		if out[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// blank names a picture with hardly any colours: two of those would be alike.
func blank(pictures map[string][]byte) string {
	for _, name := range slices.Sorted(maps.Keys(pictures)) {
		colours := map[string]bool{}
		for pixel := range slices.Chunk(pictures[name], 4) { // the header is a few strange pixels more
			colours[string(pixel)] = true
		}
		if len(colours) < 256 {
			return name
		}
	}
	return ""
}

// differences tells what s does not have in common with the reference.
func (reference *sample) differences(s *sample) []string {
	out := slices.Clone(s.different)
	if s.status != reference.status {
		out = append(out, fmt.Sprintf("exit status %d instead of %d: %s", s.status, reference.status, lastLine(s.stdout+s.stderr)))
	}
	if s.text != reference.text {
		out = append(out, "another text:\n"+s.text)
	}
	for name, picture := range reference.pictures {
		if !bytes.Equal(picture, s.pictures[name]) {
			out = append(out, "another picture "+name)
		}
	}
	return out
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
