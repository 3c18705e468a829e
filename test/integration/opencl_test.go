//go:build integration

package integration

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
)

// natively runs a program of dir, which is /mnt there, on the host itself. env is as for launch.
func natively(t *testing.T, host, dir string, env []string, argv ...string) result {
	t.Helper()
	cmd := trees.Enter(t.Context(), host, dir, append([]string{"LANG=C.UTF-8"}, env...), argv...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := result{stdout: out.String(), stderr: errs.String()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return r
}

// openCL are a runtime without OpenCL, and one with its own loader, which gets stubs for the drivers.
var openCL = []struct{ runtime, boundary string }{{"runtime11compute", "frontend"}, {"full11compute", "driver"}}

// temporary is the name of a file that pocl makes to compile it.
var temporary = regexp.MustCompile(`\S*/tempfile_\w+`)

// Kernels of pocl, which compiles and links them for the processor, and of rusticl, on llvmpipe: the same numbers as
// natively, and the same once more from pocl's cache.
func TestOpenCL(t *testing.T) {
	host, probes := trees.Tree(t, "host13compute"), trees.ComputeProbes(t)
	for _, platform := range []string{"Portable Computing Language", "rusticl"} {
		environ := func() []string { return []string{"RUSTICL_ENABLE=llvmpipe", "POCL_CACHE_DIR=" + t.TempDir()} }
		want := natively(t, host, probes, environ(), "/mnt/bin/opencl", platform)
		if want.status != 0 || !strings.Contains(want.stdout, "callbacks: 5\ndevices: 1\n") {
			t.Fatalf("%s natively: exit status %d\n%s", platform, want.status, want.both())
		}
		text := temporary.ReplaceAllString(want.stdout, "TEMPORARY")
		for _, c := range openCL {
			t.Run(c.boundary+"/"+platform, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, c.runtime), host: host, env: environ(), argv: []string{"/probes/bin/opencl", platform},
					flags: []string{"--boundary", "OpenCL=" + c.boundary, "--bind", probes + ":/probes:ro"}}
				for range 2 {
					if out := l.ok(t); temporary.ReplaceAllString(out.stdout, "TEMPORARY") != text {
						t.Fatalf("natively:\n%s\nin the capsule:\n%s", text, out.both())
					}
				}
			})
		}
		t.Run("without namespaces/"+platform, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, "runtime11compute"), host: host, env: environ(),
				flags: []string{"--isolation=none"}, argv: []string{probes + "/bin/opencl", platform}}
			if out := l.ok(t); temporary.ReplaceAllString(out.stdout, "TEMPORARY") != text {
				t.Errorf("natively:\n%s\nin the capsule:\n%s", text, out.both())
			}
		})
	}
}

// A kernel of SPIR-V, which pocl has a program of the host translate.
func TestOpenCLSPIRV(t *testing.T) {
	host, probes := trees.Tree(t, "host13compute"), trees.ComputeProbes(t)
	const platform = "Portable Computing Language"
	environ := func() []string { return []string{"POCL_CACHE_DIR=" + t.TempDir()} }
	if want := natively(t, host, probes, environ(), "/mnt/bin/spirv", platform); want.status != 0 || want.stdout != "the kernel wrote 2a2a\n" {
		t.Fatalf("natively: exit status %d\n%s", want.status, want.both())
	}
	for _, c := range openCL {
		t.Run(c.boundary, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, c.runtime), host: host, env: environ(), argv: []string{"/probes/bin/spirv", platform},
				flags: []string{"--boundary", "OpenCL=" + c.boundary, "--bind", probes + ":/probes:ro"}}
			if out := l.ok(t); out.stdout != "the kernel wrote 2a2a\n" {
				t.Errorf("%s", out.both())
			}
		})
	}
}

// All that Debian 11's clinfo knows of a driver.
func TestClinfo(t *testing.T) {
	host, full := trees.Tree(t, "host13compute"), trees.Tree(t, "full11compute")
	for _, driver := range []string{"pocl", "rusticl", "mesa"} {
		environ := func() []string {
			return []string{"RUSTICL_ENABLE=llvmpipe", "OCL_ICD_VENDORS=/etc/OpenCL/vendors/" + driver + ".icd", "POCL_CACHE_DIR=" + t.TempDir()}
		}
		want := natively(t, host, full, environ(), "/mnt/usr/bin/clinfo")
		for _, c := range openCL {
			t.Run(c.boundary+"/"+driver, func(t *testing.T) {
				l := launch{runtime: trees.Tree(t, c.runtime), host: host, env: environ(), argv: []string{"clinfo"},
					flags: []string{"--boundary", "OpenCL=" + c.boundary}}
				got := l.run(t)
				if c.boundary == "driver" { // what clinfo says of the loader is of the runtime's own
					want.stdout, got.stdout = beforeLoader(want.stdout), beforeLoader(got.stdout)
				}
				if got != want {
					t.Errorf("natively, exit status %d:\n%s\nin the capsule, exit status %d:\n%s", want.status, want.both(), got.status, got.both())
				}
			})
		}
	}
}

func beforeLoader(clinfo string) string {
	out, _, _ := strings.Cut(clinfo, "ICD loader properties")
	return out
}

// A program with kernels of its own, in its own directory, finds what hashes to a value. Its first two options make the
// kernels small: nearly all the time goes into compiling them.
func TestHashcat(t *testing.T) {
	sum := md5.Sum([]byte("plan"))
	hash := hex.EncodeToString(sum[:])
	l := launch{runtime: trees.Tree(t, "runtime11compute"), host: trees.Tree(t, "host13compute"), limit: 5 * time.Minute,
		flags: []string{"--bind", t.TempDir() + ":/root:rw"}, // the home that /etc/passwd names
		argv: []string{"hashcat", "-O", "--backend-vector-width=1", "--quiet", "--force", "--potfile-disable", "--self-test-disable", "--opencl-device-types", "1",
			"-m", "0", "-a", "3", hash, "?l?l?l?l"}}
	if out := l.ok(t).stdout; !strings.Contains(out, hash+":plan\n") {
		t.Errorf("hashcat says:\n%s", out)
	}
}
