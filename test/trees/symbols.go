package trees

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/capsule-run/capsule-run/test/probes"
)

// Symbols returns a directory with bin/symbols, and a copy of a host with the library it loads, for a test.
func Symbols(t testing.TB, name string) (dir, host string) {
	t.Helper()
	return use(t, buildSymbols), use(t, func(ctx context.Context) (string, error) { return buildHostWithSymbols(ctx, name) })
}

func buildSymbols(ctx context.Context) (string, error) {
	return set{"symbols", probes.SymbolSources, probes.Symbols}.build(ctx)
}

func buildHostWithSymbols(ctx context.Context, name string) (string, error) {
	built, err := buildSymbols(ctx)
	if err != nil {
		return "", err
	}
	from, err := Get(ctx, name)
	if err != nil {
		return "", err
	}
	return once(ctx, "hostsymbols", shortHash([]byte(built), []byte(from)), func(ctx context.Context, dir string) error {
		if err := linkTree(ctx, from, dir); err != nil {
			return err
		}
		lib := probes.SymbolLibrary
		if err := os.Link(filepath.Join(built, "host", lib), filepath.Join(dir, "usr/local/lib", lib)); err != nil {
			return fmt.Errorf("install %s: %w", lib, err)
		}
		return ldconfig(ctx, dir)
	})
}
