package trees

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/probes"
)

// Symbols returns a directory with bin/symbols, and a copy of a host with the library it loads, for a test. A host whose
// name ends in i386 or arm64 has both of that architecture.
func Symbols(t testing.TB, name string) (dir, host string) {
	t.Helper()
	p := port("")
	for _, other := range []port{"i386", "arm64"} {
		if strings.HasSuffix(name, string(other)) {
			p = other
		}
	}
	return use(t, p.buildSymbols), use(t, func(ctx context.Context) (string, error) { return p.buildHostWithSymbols(ctx, name) })
}

func (p port) buildSymbols(ctx context.Context) (string, error) {
	compiled := slices.Clone(probes.Symbols)
	for i := range compiled {
		compiled[i] = p.compiled(compiled[i])
	}
	return set{"symbols" + string(p), probes.SymbolSources, compiled}.build(ctx)
}

func (p port) buildHostWithSymbols(ctx context.Context, name string) (string, error) {
	built, err := p.buildSymbols(ctx)
	if err != nil {
		return "", err
	}
	return hostWith(ctx, "hostsymbols"+string(p), name, built, probes.SymbolLibrary)
}

// hostWith returns a copy of a host that has one more library, from the directory host/ of what was compiled.
func hostWith(ctx context.Context, as, name, built, lib string) (string, error) {
	from, err := Get(ctx, name)
	if err != nil {
		return "", err
	}
	return once(ctx, as, shortHash([]byte(built), []byte(from)), func(ctx context.Context, dir string) error {
		if err := linkTree(ctx, from, dir); err != nil {
			return err
		}
		if err := os.Link(filepath.Join(built, "host", lib), filepath.Join(dir, "usr/local/lib", lib)); err != nil {
			return fmt.Errorf("install %s: %w", lib, err)
		}
		return ldconfig(ctx, dir)
	})
}

// Address returns a directory with bin/asan, a copy of host13 with the library that it calls, and Debian 11's libasan,
// which every newer glibc can load.
func Address(t testing.TB) (dir, host, libasan string) {
	t.Helper()
	build := set{"asan", probes.AddressSources, probes.Address}.build
	host = use(t, func(ctx context.Context) (string, error) {
		built, err := build(ctx)
		if err != nil {
			return "", err
		}
		return hostWith(ctx, "hostasan", "host13", built, probes.AddressLibrary)
	})
	return use(t, build), host, filepath.Join(Tree(t, "sdk11"), "usr/lib", amd64, "libasan.so.6")
}
