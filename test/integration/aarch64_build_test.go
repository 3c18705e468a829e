//go:build integration

package integration

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// Nothing newer than the port's first glibc, and segments that a kernel with pages of 64 KiB can map: our own C parts, and
// what is generated.
func TestAArch64Objects(t *testing.T) {
	objects := []string{"../../cshim/out/aarch64/libcapsule.so", "../../cshim/out/aarch64/libcapsule-root.so"}
	built := strings.TrimSpace(string(capsuleRun(t, t.TempDir(), "build", "--runtime", trees.Tree(t, "runtime11arm64"),
		"--host", trees.Tree(t, "host13arm64"))))
	generated, err := filepath.Glob(filepath.Join(built, "aarch64-linux-gnu/*/lib*.so*"))
	if err != nil || len(generated) < 15 {
		t.Fatalf("generated are %q (%v)", generated, err)
	}
	for _, name := range append(objects, generated...) {
		f, err := elf.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		imported, err := f.ImportedSymbols()
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) == "libcapsule.so" && len(imported) < 10 {
			t.Errorf("%s has %d imports", name, len(imported))
		}
		for _, s := range imported {
			if s.Version != "GLIBC_2.17" && !strings.HasPrefix(s.Name, "capsule_") {
				t.Errorf("%s refers to %s@%s", name, s.Name, s.Version)
			}
		}
		if textrel, _ := f.DynValue(elf.DT_TEXTREL); textrel != nil {
			t.Errorf("%s has text relocations", name)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && (p.Align < 0x10000 || p.Vaddr%p.Align != p.Off%p.Align) {
				t.Errorf("%s: segment %+v", name, p.ProgHeader)
			}
		}
	}
}

// versionVariable is what the Makefile sets, and what is in plans.
const versionVariable = "github.com/capsule-run/capsule-run/internal/run.Version"

// The launcher for aarch64 is a static binary with the C parts inside: it builds what the machine's own builds, byte for
// byte. It cannot launch here, since the kernel would have to execute it again.
func TestAArch64Launcher(t *testing.T) {
	dir := t.TempDir()
	launcher := filepath.Join(dir, "capsule-run")
	version := strings.TrimPrefix(strings.TrimSpace(string(capsuleRun(t, dir, "version"))), "capsule-run ")
	cmd := exec.Command("go", "build", "-o", launcher, "-ldflags", "-X "+versionVariable+"="+version, "../../cmd/capsule-run")
	cmd.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(launcher)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libs, _ := f.ImportedLibraries(); f.Machine != elf.EM_AARCH64 || len(libs) != 0 || f.Section(".interp") != nil {
		t.Errorf("for %v, with %q", f.Machine, libs)
	}
	runtime, host := trees.Tree(t, "runtime11arm64"), trees.Tree(t, "host13arm64")
	qemu, err := trees.LookEmulator(runtime)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{launcher, "build", "--runtime", runtime, "--host", host}
	if qemu != "" {
		args = append([]string{qemu}, args...)
	}
	cmd = exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs := strings.TrimSpace(string(out))
	ours := strings.TrimSpace(string(capsuleRun(t, t.TempDir(), "build", "--runtime", runtime, "--host", host)))
	n := 0
	err = filepath.WalkDir(ours, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "record" {
			return err
		}
		rel, _ := filepath.Rel(ours, path)
		a, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(theirs, rel))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v)", rel, err)
		}
		n++
		return nil
	})
	if err != nil || n < 20 {
		t.Errorf("%d files (%v)", n, err)
	}
}
