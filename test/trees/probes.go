package trees

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/test/probes"
)

// BuildProbes compiles everything of test/probes, unless it is in the cache, and returns the directory: bin/ holds
// what runs on the runtime's side, host/ the libraries of the host's.
func BuildProbes(ctx context.Context) (string, error) { return port("").build(ctx) }

// BuildProbesI386 is BuildProbes for 32-bit x86.
func BuildProbesI386(ctx context.Context) (string, error) { return port("i386").build(ctx) }

// BuildProbesArm64 is BuildProbes for aarch64, by cross compilers.
func BuildProbesArm64(ctx context.Context) (string, error) { return port("arm64").build(ctx) }

// A port is the architecture that probes are compiled for, as it ends the names of trees: empty for x86-64.
type port string

// compiled is a probe as it is made for the port.
func (p port) compiled(probe probes.Probe) probes.Probe {
	probe.SDK += string(p)
	if p != "arm64" {
		return probe
	}
	probe.Compiler = "aarch64-linux-gnu-" + probe.Compiler
	probe.Flags = slices.Clone(probe.Flags)
	for i, f := range probe.Flags {
		if f == "-mtls-dialect=gnu2" { // TLS descriptors, which x86-64 has by this name
			probe.Flags[i] = "-mtls-dialect=desc"
		}
	}
	probe.Flags = slices.DeleteFunc(probe.Flags, func(f string) bool { return f == "-Wl,-z,mark-plt" }) // x86-64's alone
	return probe
}

func (p port) build(ctx context.Context) (string, error) {
	hash, err := p.probesHash()
	if err != nil {
		return "", err
	}
	return once(ctx, "probes"+string(p), hash, p.compileProbes)
}

// probesHash covers the sources, how they are compiled, and the trees with the compilers.
func (p port) probesHash() (string, error) {
	var parts [][]byte
	err := fs.WalkDir(probes.Sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := probes.Sources.ReadFile(name)
		parts = append(parts, []byte(name), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the probes' sources: %w", err)
	}
	for _, sdk := range []string{"sdk11", "sdk13"} {
		r, err := Lookup(sdk + string(p))
		if err != nil {
			return "", err
		}
		h, err := r.hash()
		if err != nil {
			return "", err
		}
		parts = append(parts, []byte(h))
	}
	how, err := json.Marshal(struct {
		Probes  []probes.Probe
		Flags   []string
		Compile int // raised when compileProbes changes
	}{probes.All, compilerFlags, 4})
	if err != nil {
		return "", fmt.Errorf("encode the probes: %w", err)
	}
	return shortHash(append(parts, how)...), nil
}

var compilerFlags = []string{"-O2", "-g1", "-Wall", "-Wextra", "-Werror"}

func (p port) compileProbes(ctx context.Context, dir string) error {
	src := filepath.Join(dir, "src")
	if err := os.CopyFS(src, probes.Sources); err != nil {
		return fmt.Errorf("unpack the probes' sources: %w", err)
	}
	for _, sub := range []string{"bin", "host", "stray", "obj", "standin", "twolibcs"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	generated, err := p.generate(dir)
	if err != nil {
		return err
	}
	for _, probe := range append(generated, probes.All...) {
		if err := compile(ctx, dir, p.compiled(probe)); err != nil {
			return err
		}
	}
	return nil
}

// generate writes two libraries with a function for each of capsuletest.h's. In the stand-in they are empty: it is
// what one_libc is linked to, because the real library, built against a newer glibc, cannot be linked on Debian
// 11. In the counter-example they jump into a copy of the real library in a dlmopen namespace of its own, with
// a second libc: what capsule-run must not be, made so that the tests can show that they notice. Its jumps are
// x86-64's, and once is enough.
func (p port) generate(dir string) ([]probes.Probe, error) {
	header, err := probes.Sources.ReadFile("include/capsuletest.h")
	if err != nil {
		return nil, err
	}
	var empty, names, jumps bytes.Buffer
	function := regexp.MustCompile(`(?m)^[A-Za-su-z].*?\b(ct_\w+)\(.*\);$`) // a typedef is none
	for i, m := range function.FindAllSubmatch(header, -1) {
		fmt.Fprintf(&empty, "void %s(void) {}\n", m[1])
		fmt.Fprintf(&names, "\t%q,\n", m[1])
		fmt.Fprintf(&jumps, "__asm__(\".globl %[1]s\\n.type %[1]s,@function\\n%[1]s: jmp *slots+%[2]d(%%rip)\\n\");\n", m[1], 8*i)
	}
	two := fmt.Sprintf(twoLibcs, names.String(), jumps.String())
	for name, text := range map[string]string{"standin/standin.c": empty.String(), "twolibcs/twolibcs.c": two} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	flags := []string{"-shared", "-fPIC", "-Wl,-soname,libcapsuletest.so.1"}
	out := []probes.Probe{
		{Out: "standin/libcapsuletest.so", SDK: "sdk11", Compiler: "gcc", Sources: []string{"/out/standin/standin.c"}, Flags: flags},
	}
	if p == "" {
		out = append(out, probes.Probe{Out: "twolibcs/libcapsuletest.so.1", SDK: "sdk13", Compiler: "gcc", Sources: []string{"/out/twolibcs/twolibcs.c"}, Flags: flags})
	}
	return out, nil
}

// twoLibcs is the counter-example's source: the names, and a jump through a slot for each.
const twoLibcs = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {
%s};
__attribute__((used)) static void *slots[sizeof names / sizeof *names];

__attribute__((constructor)) static void fill(void)
{
	void *h = dlmopen(LM_ID_NEWLM, "/usr/local/lib/libcapsuletest.so.1", RTLD_NOW);
	for (size_t i = 0; h && i < sizeof names / sizeof *names; i++)
		if (!(slots[i] = dlsym(h, names[i])))
			h = NULL;
	if (!h) {
		fprintf(stderr, "twolibcs: %%s\n", dlerror());
		abort();
	}
}

%s`

// compile runs one compiler inside its tree: the sources are its working directory, the output is below /out.
func compile(ctx context.Context, dir string, p probes.Probe) error {
	sdk, err := Get(ctx, p.SDK)
	if err != nil {
		return err
	}
	command := []string{"/usr/bin/" + p.Compiler}
	command = append(command, compilerFlags...)
	command = append(command, "-o", "/out/"+p.Out)
	command = append(command, p.Sources...)
	command = append(command, p.Flags...)
	cmd := exec.CommandContext(ctx, "bwrap", "--unshare-pid", "--ro-bind", sdk, "/", "--tmpfs", "/tmp", "--proc", "/proc",
		"--dev", "/dev", "--bind", dir, "/mnt", "--chdir", "/mnt/src",
		"--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C.UTF-8", "--")
	// The tree is read-only and has no /out; /mnt is there in each.
	for _, arg := range command {
		cmd.Args = append(cmd.Args, strings.ReplaceAll(arg, "/out/", "/mnt/"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile %s in %s: %w\n%s", p.Out, p.SDK, err, lastLines(string(out), 30))
	}
	return nil
}

// BuildHostWithTestLib returns a copy of host13 which has libcapsuletest.so.1 and its plug-in in /usr/local/lib, known to
// its ld.so.cache: a host with one more library than Debian's, for --library.
func BuildHostWithTestLib(ctx context.Context) (string, error) {
	return port("").withTestLib(ctx, "hosttest", "host13")
}

// BuildHostWithTestLibI386 is BuildHostWithTestLib for 32-bit x86.
func BuildHostWithTestLibI386(ctx context.Context) (string, error) {
	return port("i386").withTestLib(ctx, "hosttest", "host13")
}

// BuildHostWithTestLibArm64 is BuildHostWithTestLib for aarch64.
func BuildHostWithTestLibArm64(ctx context.Context) (string, error) {
	return port("arm64").withTestLib(ctx, "hosttest", "host13")
}

// BuildFullWithTestLib is the same copy of full13: where one_libc runs without a capsule, as its own reference.
func BuildFullWithTestLib(ctx context.Context) (string, error) {
	return port("").withTestLib(ctx, "fulltest", "full13")
}

func (p port) withTestLib(ctx context.Context, name, base string) (string, error) {
	built, err := p.build(ctx)
	if err != nil {
		return "", err
	}
	from, err := Get(ctx, base+string(p))
	if err != nil {
		return "", err
	}
	hash := shortHash([]byte(built), []byte(from))
	return once(ctx, name+string(p), hash, func(ctx context.Context, dir string) error {
		if err := linkTree(ctx, from, dir); err != nil {
			return err
		}
		for _, lib := range probes.HostLibraries {
			err := os.Link(filepath.Join(built, "host", lib), filepath.Join(dir, "usr/local/lib", lib))
			if err != nil {
				return fmt.Errorf("install %s: %w", lib, err)
			}
		}
		return ldconfig(ctx, dir)
	})
}
