//go:build integration

package integration

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// hud is where MangoHud writes what does not change from frame to frame, in vkcube's window on an empty screen.
var hud = image.Rect(110, 110, 380, 190)

// mangoHud makes it show its version, Vulkan's, the driver and a text, and log for a second.
func mangoHud(dir string) []string {
	return []string{"MANGOHUD=1", "MANGOHUD_CONFIG=legacy_layout=0,background_alpha=1,font_size=20,fps=0,frametime=0,frame_timing=0," +
		"cpu_stats=0,gpu_stats=0,version,engine_version,vulkan_driver,arch,resolution,custom_text=drawn by the host's layer," +
		"autostart_log=1,log_duration=1,output_folder=" + dir}
}

// cut is the part of a picture, pixel by pixel.
func cut(img image.Image, part image.Rectangle) string {
	var out strings.Builder
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			out.Write([]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)})
		}
	}
	return out.String()
}

// MangoHud of the host in a vkcube of Debian 11: what it draws is what it draws natively, pixel by pixel, and it logs. It
// opens libraries by itself (libX11, libdbus) and its fonts are inside it.
func TestMangoHud(t *testing.T) {
	host, runtime := trees.Tree(t, "host13layers"), trees.Tree(t, "layers11")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	display := xvfb.Start(t)
	cmd := trees.Enter(ctx, host, runtime, append(mangoHud("/tmp"), display.Env()...), "/mnt/usr/bin/vkcube")
	must(t, cmd.Start())
	defer cmd.Wait()
	defer cancel()
	var want, before string
	must(t, waitFor(60*time.Second, func() error {
		img, err := display.Screenshot()
		if err != nil {
			return err
		}
		before, want = want, cut(img, hud)
		if f := screen.Stats(img.(interface {
			SubImage(image.Rectangle) image.Image
		}).SubImage(hud)); f.Colours < 20 || want != before {
			return fmt.Errorf("natively, MangoHud draws nothing, or not the same twice: %+v", f)
		}
		return nil
	}))
	cancel()

	dir := t.TempDir()
	c := &compositor{display: xvfb.Start(t)}
	l := launch{runtime: runtime, host: host, argv: []string{"vkcube"}, env: append(mangoHud(dir), c.display.Env()...)}
	c.shows(t, l, func(img image.Image) error {
		if cut(img, hud) != want {
			return fmt.Errorf("MangoHud does not draw what it draws natively")
		}
		return nil
	}, func(string) error {
		logs, _ := filepath.Glob(filepath.Join(dir, "vkcube_*.csv"))
		for _, name := range logs {
			if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), "llvmpipe") &&
				strings.Count(string(text), "\n") > 10 {
				return nil
			}
		}
		return fmt.Errorf("MangoHud's log is not among %q", logs)
	})
}
