package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "matrix: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	output := flag.String("o", "docs/matrix.md", "where the table goes")
	launcher := flag.String("launcher", "bin/capsule-run", "the launcher under test")
	flag.Parse()
	w, err := newWorld(ctx, *launcher)
	if err != nil {
		return err
	}
	defer w.close()
	failed := 0
	var tables []table
	for _, p := range ports {
		t, err := w.table(ctx, p)
		if err != nil {
			return err
		}
		failed += t.failed()
		tables = append(tables, t)
	}
	text := document(tables)
	fmt.Print(text)
	if err := os.WriteFile(*output, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	if failed > 0 {
		return fmt.Errorf("%d cells are not as they should be", failed)
	}
	return nil
}

// A world is what all launches share: a display, a compositor, a home directory with the build cache.
type world struct {
	launcher, home string
	display        *xvfb.Server
	weston         *exec.Cmd
}

func newWorld(ctx context.Context, launcher string) (*world, error) {
	launcher, err := filepath.Abs(launcher)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(launcher); err != nil {
		return nil, fmt.Errorf("find the launcher (make build): %w", err)
	}
	w := &world{launcher: launcher}
	if w.home, err = os.MkdirTemp("", "capsule-matrix-"); err != nil {
		return nil, err
	}
	if w.display, err = xvfb.New(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.home))
	}
	if err := w.startWeston(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() {
	if w.weston != nil {
		w.weston.Process.Signal(os.Interrupt)
		w.weston.Wait()
	}
	w.display.Close()
	os.RemoveAll(w.home)
}

// root returns where a named tree is.
func root(ctx context.Context, name string) (string, error) {
	if name == machine {
		return "/", nil
	}
	return trees.Get(ctx, name)
}
