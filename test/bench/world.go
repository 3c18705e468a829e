package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// bench is what all sections share.
type bench struct {
	binary  string // a copy of the launcher that every user can reach
	dir     string // temporary; holds the homes
	home    string // HOME and working directory of both sides: one shader cache for both
	probes  string
	rounds  int // overrides the number of rounds if not 0
	display *xvfb.Server
}

func newBench(ctx context.Context, binary string, rounds int) (*bench, error) {
	b := &bench{rounds: rounds}
	var err error
	if b.probes, err = trees.BuildProbes(ctx); err != nil {
		return nil, err
	}
	// In /tmp, whatever TMPDIR says: the native side shares /tmp.
	if b.dir, err = os.MkdirTemp("/tmp", "bench-"); err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	b.home, b.binary = filepath.Join(b.dir, "home"), filepath.Join(b.dir, "capsule-run")
	if err := b.fill(binary); err != nil {
		b.close()
		return nil, err
	}
	if b.display, err = xvfb.New(); err != nil {
		b.close()
		return nil, err
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(os.Stderr, "bench: %d processors, load %s", runtime.NumCPU(), load)
	return b, nil
}

func (b *bench) fill(binary string) error {
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(b.home, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read the launcher (make build makes it): %w", err)
	}
	return os.WriteFile(b.binary, text, 0o755)
}

func (b *bench) close() {
	if b.display != nil {
		b.display.Close()
	}
	os.RemoveAll(b.dir)
}

// count returns the number of rounds: -n, or what the section asks for.
func (b *bench) count(rounds int) int {
	if b.rounds > 0 {
		return b.rounds
	}
	return rounds
}

// env is the whole environment of both sides.
func (b *bench) env(home string) []string {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "HOME=" + home, "LANG=C.UTF-8", "vblank_mode=0"}
	return append(env, b.display.Env()...)
}
