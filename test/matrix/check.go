package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// An api is a column: the commands that a cell runs, each with what its output must say. MESA in a pattern stands for the
// host's version.
type api struct {
	name     string
	commands []command
}

type command struct {
	argv    string
	want    string // a regular expression
	only    string // a regular expression for the runtimes that have the program; empty for all
	wayland bool
	endless bool // it never ends: after enough time for want to be printed, it is ended
}

var apis = []api{
	{"GLX", []command{
		{argv: "glxinfo -B", want: `(?s)renderer string: llvmpipe.*Mesa MESA`},
		{argv: "/probes/bin/frames 20", want: `frames=20`}}},
	{"EGL on X11", []command{
		{argv: "/probes/bin/contexts x11", want: `(?s)ES 3.2: .*Mesa MESA.*core 4.5: .*Mesa MESA.*64,128,255; error 0.*compatibility 4.5: .*Mesa MESA`}}},
	{"EGL surfaceless", []command{{argv: "/probes/bin/egl_small", want: `(?s)llvmpipe.*Mesa MESA`}}},
	{"Wayland", []command{
		{argv: "eglinfo", want: `(?s)Wayland platform.*EGL vendor string: Mesa`, wayland: true},
		{argv: "stdbuf -oL weston-simple-egl", want: `\d+ frames in \d`, only: "(runtime|full)11$", wayland: true, endless: true},
		{argv: "stdbuf -oL es2gears_wayland", want: `\d+ frames in \d`, only: "(runtime|full)1[23]", wayland: true, endless: true}}},
	{"GLES", []command{{argv: "es2_info", want: `GL_VERSION: OpenGL ES 3.2 Mesa MESA`}}},
	{"Vulkan", []command{{argv: "vulkaninfo", want: `deviceName.*llvmpipe`}, {argv: "vkcube --c 20", want: ``}}},
}

// try runs a cell and returns nothing if it is as it should be, else the cause.
func (w *world) try(ctx context.Context, a api, runtime, host, probes, mesa string) string {
	for _, c := range a.commands {
		name := strings.SplitN(filepath.Base(runtime), "-", 2)[0]
		if c.only != "" && !regexp.MustCompile(c.only).MatchString(name) {
			continue
		}
		if err := w.try1(ctx, c, runtime, host, probes, mesa); err != nil {
			return fmt.Sprintf("%s: %v", c.argv, err)
		}
	}
	return ""
}

func (w *world) try1(ctx context.Context, c command, runtime, host, probes, mesa string) error {
	limit := time.Minute
	if c.endless {
		limit = 9 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := []string{"--runtime", runtime, "--host", host, "--bind", probes + ":/probes:ro", "--"}
	cmd := exec.CommandContext(ctx, w.launcher, append(args, strings.Fields(c.argv)...)...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "HOME=" + w.home, "LANG=C.UTF-8"}
	if c.wayland {
		cmd.Env = append(cmd.Env, w.waylandEnv()...)
	} else {
		cmd.Env = append(cmd.Env, w.display.Env()...)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	said := regexp.MustCompile(strings.ReplaceAll(c.want, "MESA", regexp.QuoteMeta(mesa))).Match(out.Bytes())
	var exit *exec.ExitError
	switch {
	case c.endless && ctx.Err() != nil && said:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("no end after %v: %s", limit, lastLine(out.String()))
	case errors.As(err, &exit) && !(said && c.argv == "eglinfo"): // it ends so where one platform of several is missing
		return fmt.Errorf("exit status %d: %s", exit.ExitCode(), lastLine(out.String()))
	case err != nil && exit == nil:
		return err
	case !said:
		return errors.New("not the host's Mesa: " + lastLine(out.String()))
	}
	return nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
