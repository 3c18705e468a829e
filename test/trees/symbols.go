package trees

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
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
	var parts [][]byte
	err := fs.WalkDir(probes.SymbolSources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := probes.SymbolSources.ReadFile(name)
		parts = append(parts, []byte(name), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the sources of the symbols' library: %w", err)
	}
	for _, sdk := range []string{"sdk11", "sdk13"} {
		r, err := Lookup(sdk)
		if err != nil {
			return "", err
		}
		h, err := r.hash()
		if err != nil {
			return "", err
		}
		parts = append(parts, []byte(h))
	}
	how, err := json.Marshal([]any{probes.Symbols, compilerFlags})
	if err != nil {
		return "", fmt.Errorf("encode how the symbols' library is compiled: %w", err)
	}
	return once(ctx, "symbols", shortHash(append(parts, how)...), compileSymbols)
}

func compileSymbols(ctx context.Context, dir string) error {
	if err := os.CopyFS(filepath.Join(dir, "src"), probes.SymbolSources); err != nil {
		return fmt.Errorf("unpack the sources of the symbols' library: %w", err)
	}
	for _, sub := range []string{"bin", "host"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, p := range probes.Symbols {
		if err := compile(ctx, dir, p); err != nil {
			return err
		}
	}
	return nil
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
