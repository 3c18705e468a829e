//go:build integration

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// monado starts the host's OpenXR service, with a headset that it simulates and no window, and returns the environment by
// which programs find it.
func monado(t *testing.T, host string) []string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "capsule-xr-") // short: it has a socket
	must(t, err)
	evict(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := trees.Enter(ctx, host, "", []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "XRT_COMPOSITOR_NULL=1", "SIMULATED_ENABLE=1", "XRT_NO_STDIN=1"},
		"monado-service")
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); log.Close() })
	must(t, waitFor(30*time.Second, func() error {
		if text, err := os.ReadFile(log.Name()); err != nil || !strings.Contains(string(text), "service has started") {
			return fmt.Errorf("Monado has not started:\n%s", tail(string(text)))
		}
		return nil
	}))
	return []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}
}

var (
	xrExtensions = regexp.MustCompile(`(?m)^\s*(XR_\w+) (\d+)$`)
	xrStamp      = regexp.MustCompile(`(?m)^\[[0-9:.]+\]`)
	xrSaid       = regexp.MustCompile(`Instance RuntimeName=.*|VkResult failure.*|XrResult failure.*|View Configuration Type.*|Swapchain.*`)
)

// Debian 11's OpenXR programs with Debian 13's Monado: the runtime of OpenXR answers as it does natively, and API layers of
// both sides are active, under the runtime's loader and under the host's.
func TestOpenXR(t *testing.T) {
	host, runtime := trees.Tree(t, "host13xr"), trees.Tree(t, "xr11")
	env := monado(t, host)
	display := xvfb.Start(t)
	env = append(env, display.Env()...)
	native := func(argv ...string) result {
		argv[0] = "/mnt/usr/bin/" + argv[0]
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return toEnd(t, ctx, trees.Enter(ctx, host, runtime, env, argv...))
	}
	list := native("openxr_runtime_list")
	extensions := func(r result) []string { // but for the one that the loader itself has
		return slices.DeleteFunc(xrExtensions.FindAllString(r.stdout, -1), func(e string) bool { return strings.Contains(e, "XR_EXT_debug_utils") })
	}
	want := extensions(list)
	if list.status != 0 || len(want) < 20 || !strings.Contains(list.stdout, "Simulated HMD") {
		t.Fatalf("natively:\n%s", tail(list.both()))
	}
	// It makes a VkInstance with its own loader, which Monado asks for devices. Where lavapipe cannot share what it renders
	// (it needs udmabuf) it ends natively there, too.
	cube := native("hello_xr", "-g", "Vulkan")
	said := func(r result) []string {
		lines := xrSaid.FindAllString(xrStamp.ReplaceAllString(r.both(), ""), -1)
		slices.Sort(lines)
		return slices.Compact(lines)
	}
	if len(said(cube)) == 0 {
		t.Fatalf("natively:\n%s", tail(cube.both()))
	}
	for _, boundary := range []string{"auto", "OpenXR=frontend", "Vulkan=frontend"} {
		t.Run(boundary, func(t *testing.T) {
			l := launch{runtime: runtime, host: host, flags: []string{"--boundary", boundary}, env: env, argv: []string{"openxr_runtime_list"}}
			r := l.ok(t)
			if got := extensions(r); !slices.Equal(got, want) || !strings.Contains(r.stdout, "Monado: Simulated HMD") {
				t.Errorf("%q, natively %q", got, want)
			}
			l.argv = []string{"hello_xr", "-g", "Vulkan"}
			if r := l.run(t); r.status != cube.status || !slices.Equal(said(r), said(cube)) {
				t.Errorf("status %d, %q; natively %d, %q", r.status, said(r), cube.status, said(cube))
			}

			dump := filepath.Join(t.TempDir(), "dump")
			l.argv, l.env = []string{"openxr_runtime_list"}, append(slices.Clone(env), "XR_LOADER_DEBUG=info",
				"XR_ENABLE_API_LAYERS=XR_APILAYER_LUNARG_core_validation:XR_APILAYER_LUNARG_api_dump",
				"XR_API_DUMP_EXPORT_TYPE=text", "XR_API_DUMP_FILE_NAME="+dump, "XR_CORE_VALIDATION_EXPORT_TYPE=text")
			r = l.ok(t)
			for _, layer := range []string{"core_validation", "api_dump"} {
				if !strings.Contains(r.both(), "succeeded loading layer XR_APILAYER_LUNARG_"+layer) {
					t.Errorf("%s is not active:\n%s", layer, tail(r.both()))
				}
			}
			if text, err := os.ReadFile(dump); err != nil || !strings.Contains(string(text), "xrGetSystemProperties") {
				t.Errorf("the host's layer wrote %q (%v)", text, err)
			}
			plan, _ := planOf(t, runtime, host, l.flags...)
			for layer, side := range map[string]capsule.Side{"core_validation": capsule.SideRuntime, "api_dump": capsule.SideHost} {
				if got := layerOf(plan, "XR_APILAYER_LUNARG_"+layer); got.Side != side {
					t.Errorf("%s is of %q", layer, got.Side)
				}
			}
		})
	}
	t.Run("runtime by XR_RUNTIME_JSON", func(t *testing.T) {
		l := launch{runtime: runtime, host: host, env: append(env, "XR_RUNTIME_JSON=/usr/share/openxr/1/openxr_monado.json"), argv: []string{"openxr_runtime_list"}}
		if r := l.ok(t); !strings.Contains(r.stdout, "Monado: Simulated HMD") {
			t.Errorf("%s", tail(r.both()))
		}
	})
}
