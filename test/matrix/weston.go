package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"
)

// startWeston starts a compositor without a screen; its clients draw as for one with.
func (w *world) startWeston(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "weston", "--no-config", "--backend=headless-backend.so", "--socket=wayland-m", "--idle-time=0")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + w.home, "XDG_RUNTIME_DIR=" + w.home}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start weston (test/setup.sh test installs it): %w", err)
	}
	w.weston = cmd
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		c, err := net.Dial("unix", filepath.Join(w.home, "wayland-m"))
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("weston has no socket: %w", err)
		}
	}
}

func (w *world) waylandEnv() []string {
	return []string{"XDG_RUNTIME_DIR=" + w.home, "WAYLAND_DISPLAY=wayland-m", "DISPLAY="}
}
