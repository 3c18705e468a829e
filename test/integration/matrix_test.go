//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

var (
	hosts    = []string{"machine", "host13"}
	runtimes = []string{"runtime11", "runtime12", "runtime13"}
)

// eachPair runs f for every host and runtime.
func eachPair(t *testing.T, f func(t *testing.T, l launch)) {
	for _, h := range hosts {
		for _, r := range runtimes {
			t.Run(h+"/"+r, func(t *testing.T) {
				f(t, launch{runtime: trees.Tree(t, r), host: host(t, h)})
			})
		}
	}
}

// mesaVersion reads the release of Mesa that a host has from its libraries, not from a program's output.
func mesaVersion(t *testing.T, root string) string {
	t.Helper()
	for _, pattern := range []string{"usr/lib/x86_64-linux-gnu/libgallium-*.so", "usr/lib/x86_64-linux-gnu/dri/swrast_dri.so"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, f := range files {
			if m := regexp.MustCompile(`libgallium-(\d+\.\d+\.\d+)`).FindStringSubmatch(f); m != nil {
				return m[1]
			}
			if v := versionIn(t, f); v != "" {
				return v
			}
		}
	}
	t.Fatalf("no Mesa below %s", root)
	return ""
}

func TestGLXInfo(t *testing.T) {
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.argv = display, []string{"glxinfo", "-B"}
		out := l.ok(t).stdout
		if want := "Mesa " + mesaVersion(t, l.host); !strings.Contains(out, want) {
			t.Errorf("glxinfo does not say %q:\n%s", want, tail(out))
		}
		if !regexp.MustCompile(`OpenGL renderer string: llvmpipe`).MatchString(out) {
			t.Errorf("not the host's llvmpipe:\n%s", tail(out))
		}
	})
}

func TestGLXGears(t *testing.T) {
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display = display
		gears(t, l)
	})
}

// gears has glxgears draw until it reports, after five seconds: it never ends by itself.
func gears(t *testing.T, l launch) {
	t.Helper()
	l.argv = []string{"stdbuf", "-oL", "glxgears"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := l.command(ctx)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var m []string
	for s := bufio.NewScanner(out); m == nil && s.Scan(); {
		m = regexp.MustCompile(`(\d+) frames in`).FindStringSubmatch(s.Text())
	}
	cancel()
	cmd.Wait()
	if m == nil {
		t.Fatalf("no frames counted:\n%s", tail(errs.String()))
	}
	if n, _ := strconv.Atoi(m[1]); n < 10 {
		t.Errorf("%d frames in 5 seconds", n)
	}
}

func TestEGL(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/egl_small"}
		out := l.ok(t).stdout
		if !strings.Contains(out, "llvmpipe") {
			t.Errorf("not the host's llvmpipe:\n%s", out)
		}
		l.argv = []string{"eglinfo"}
		if out := l.run(t).both(); !strings.Contains(out, "EGL vendor string: Mesa Project") {
			t.Errorf("eglinfo:\n%s", tail(out))
		}
	})
}

func TestVulkan(t *testing.T) {
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.argv = display, []string{"vulkaninfo", "--summary"}
		if filepath.Base(l.runtime)[:9] == "runtime11" {
			l.argv = []string{"vulkaninfo"} // --summary came later
		}
		out := l.ok(t).stdout
		if !strings.Contains(out, "llvmpipe") {
			t.Errorf("vulkaninfo has no llvmpipe:\n%s", tail(out))
		}
		l.argv = []string{"vkcube", "--c", "50"}
		l.ok(t)
	})
}

// The programs open the libraries themselves, as SDL and GLFW do.
func TestDlopen(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/gl_dlopen"}
		l.ok(t)
	})
}
