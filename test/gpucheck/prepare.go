package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
	"github.com/capsule-run/capsule-run/test/trees"
)

// runtimeLibraries are what the small runtime consists of, with all that they need: what the programs open, and what drivers
// share with a runtime that has it.
var runtimeLibraries = []string{
	"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libresolv.so.2", "libutil.so.1",
	"libnss_files.so.2", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libexpat.so.1",
	"libEGL.so.1", "libGLESv2.so.2", "libGL.so.1", "libGLX.so.0", "libOpenGL.so.0", "libvulkan.so.1",
	"libX11.so.6", "libX11-xcb.so.1", "libxcb.so.1", "libXext.so.6", "libwayland-client.so.0",
}

// loaders are given to the native programs where the host has drivers but no loader of its own, as servers often are.
var loaders = []string{"libEGL.so.1", "libvulkan.so.1"}

const (
	runtimeTar = "runtime.tar.gz"
	loaderDir  = "loaders"
	multiarch  = "x86_64-linux-gnu"
)

// prepare makes everything that run needs in dir.
func prepare(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, loaderDir), 0o755); err != nil {
		return err
	}
	full, err := trees.Get(ctx, "full11")
	if err != nil {
		return err
	}
	tree, err := runtimetree.Inspect(full)
	if err != nil {
		return err
	}
	defer tree.Root.Close()
	libraries, err := closure(tree, runtimeLibraries)
	if err != nil {
		return err
	}
	if err := writeRuntime(filepath.Join(dir, runtimeTar), tree, libraries); err != nil {
		return fmt.Errorf("write the small runtime: %w", err)
	}
	if libraries, err = closure(tree, loaders); err != nil {
		return err
	}
	for _, l := range libraries {
		if slices.Contains(cLibrary, l.Name) || l.Name == tree.Arch.LoaderSoname {
			continue // the host's own
		}
		if err := copyFile(tree.Root.HostPath(l.Path), filepath.Join(dir, loaderDir, l.Name)); err != nil {
			return err
		}
	}
	built, err := trees.BuildGPUProbes(ctx)
	if err != nil {
		return err
	}
	for _, k := range checks() {
		from := filepath.Join(built, "bin", k.argv[0])
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue // the host's own program
		}
		if err := copyFile(from, filepath.Join(dir, k.argv[0])); err != nil {
			return err
		}
	}
	program, err := cshim.Object(tree.Arch, cshim.Scene)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, sceneProgram), program); err != nil {
		return err
	}
	if err := copyFile("bin/capsule-run", filepath.Join(dir, "capsule-run")); err != nil {
		return fmt.Errorf("%w (make build makes it)", err)
	}
	goBuild := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "gpu-check"),
		"./test/gpucheck")
	goBuild.Env = append(os.Environ(), "CGO_ENABLED=0")
	goBuild.Stdout, goBuild.Stderr = os.Stderr, os.Stderr
	if err := goBuild.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	fmt.Printf("%s is ready: carry it to a machine with a GPU and run %s/gpu-check run\n", dir, filepath.Base(dir))
	return nil
}

var cLibrary = []string{"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}

// closure lists the named libraries and all that they need, each once.
func closure(tree *runtimetree.Tree, names []string) ([]*runtimetree.Library, error) {
	var out []*runtimetree.Library
	seen := map[string]bool{}
	for names = slices.Clone(names); len(names) > 0; names = names[1:] {
		if seen[names[0]] {
			continue
		}
		seen[names[0]] = true
		l, err := tree.Library(names[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", names[0], err)
		}
		out = append(out, l)
		names = append(names, l.File.Needed...)
	}
	return out, nil
}

// writeRuntime packs the libraries as a merged-/usr tree with an ld.so.cache.
func writeRuntime(file string, tree *runtimetree.Tree, libraries []*runtimetree.Library) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	z := gzip.NewWriter(out)
	t := tar.NewWriter(z)
	add := func(kind byte, name, link string, mode int64, body []byte) error {
		h := &tar.Header{Typeflag: kind, Name: name, Linkname: link, Mode: mode, Size: int64(len(body)), Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := t.Write(body)
		return err
	}
	dir := "usr/lib/" + multiarch
	for _, d := range []string{"etc", "usr", "usr/bin", "usr/lib", "usr/lib64", dir, "usr/share", "var"} {
		if err := add(tar.TypeDir, d+"/", "", 0o755, nil); err != nil {
			return err
		}
	}
	loader := tree.Arch.LoaderSoname
	for _, link := range [][2]string{{"bin", "usr/bin"}, {"lib", "usr/lib"}, {"lib64", "usr/lib64"},
		{"usr/lib64/" + loader, "../lib/" + multiarch + "/" + loader}} {
		if err := add(tar.TypeSymlink, link[0], link[1], 0o777, nil); err != nil {
			return err
		}
	}
	var cache []ldcache.Entry
	for _, l := range libraries {
		body, err := os.ReadFile(tree.Root.HostPath(l.Path))
		if err != nil {
			return err
		}
		if err := add(tar.TypeReg, dir+"/"+l.Name, "", 0o755, body); err != nil {
			return err
		}
		cache = append(cache, ldcache.Entry{Name: l.Name, Path: "/" + dir + "/" + l.Name, Flags: tree.Arch.CacheFlags})
	}
	body, err := ldcache.Write(cache)
	if err != nil {
		return err
	}
	if err := add(tar.TypeReg, "etc/ld.so.cache", "", 0o644, body); err != nil {
		return err
	}
	for _, c := range []io.Closer{t, z, out} {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	body, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return replaceFile(to, body)
}

// replaceFile makes a new file, so that a program that runs is not written to.
func replaceFile(name string, body []byte) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(name, body, 0o755)
}
