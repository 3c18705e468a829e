package trees

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/capsule-run/capsule-run/test/probes"
)

// A set is programs and libraries that are compiled together, into a directory of their own in the cache.
type set struct {
	name    string
	sources embed.FS
	probes  []probes.Probe
}

func (s set) build(ctx context.Context) (string, error) {
	var parts [][]byte
	err := fs.WalkDir(s.sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := s.sources.ReadFile(name)
		parts = append(parts, []byte(name), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the sources of %s: %w", s.name, err)
	}
	var sdks []string
	for _, p := range s.probes {
		if !slices.Contains(sdks, p.SDK) {
			sdks = append(sdks, p.SDK)
		}
	}
	for _, sdk := range sdks {
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
	how, err := json.Marshal([]any{s.probes, compilerFlags})
	if err != nil {
		return "", fmt.Errorf("encode how %s is compiled: %w", s.name, err)
	}
	return once(ctx, s.name, shortHash(append(parts, how)...), s.compile)
}

func (s set) compile(ctx context.Context, dir string) error {
	if err := os.CopyFS(filepath.Join(dir, "src"), s.sources); err != nil {
		return fmt.Errorf("unpack the sources of %s: %w", s.name, err)
	}
	for _, p := range s.probes {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(p.Out)), 0o755); err != nil {
			return err
		}
		if err := compile(ctx, dir, p); err != nil {
			return err
		}
	}
	return nil
}

// BuildGPUProbes compiles the programs of test/probes/gpu, unless they are in the cache, and returns the directory: they
// are in bin/ there.
func BuildGPUProbes(ctx context.Context) (string, error) {
	return set{"gpuprobes", probes.GPUSources, probes.GPU}.build(ctx)
}

// BuildGPUProbesI386 is BuildGPUProbes for 32-bit x86.
func BuildGPUProbesI386(ctx context.Context) (string, error) {
	var list []probes.Probe
	for _, p := range probes.GPU {
		p.SDK += "i386"
		list = append(list, p)
	}
	return set{"gpuprobesi386", probes.GPUSources, list}.build(ctx)
}

// BuildComputeProbes compiles the programs and the driver of test/probes/{compute,video}, unless they are in the cache.
func BuildComputeProbes(ctx context.Context) (string, error) {
	return set{"computeprobes", probes.ComputeSources, probes.Compute}.build(ctx)
}

// BuildComputeHost returns a copy of host13compute with one more driver of VA-API, which needs no GPU.
func BuildComputeHost(ctx context.Context) (string, error) {
	built, err := BuildComputeProbes(ctx)
	if err != nil {
		return "", err
	}
	from, err := Get(ctx, "host13compute")
	if err != nil {
		return "", err
	}
	return once(ctx, "computehost", shortHash([]byte(built), []byte(from)), func(ctx context.Context, dir string) error {
		if err := linkTree(ctx, from, dir); err != nil {
			return err
		}
		to := filepath.Join(dir, "usr/lib", amd64, "dri", probes.VADriver)
		if err := os.Link(filepath.Join(built, "host", probes.VADriver), to); err != nil {
			return fmt.Errorf("install a driver of VA-API: %w", err)
		}
		return nil
	})
}
