//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/test/trees"
)

// gcc compiles a source that needs nothing newer than what this machine's release has.
func gcc(t *testing.T, to, source string, flags ...string) {
	t.Helper()
	must(t, os.WriteFile(to+".c", []byte(source), 0o644))
	must(t, os.RemoveAll(to))
	if out, err := exec.Command("gcc", slices.Concat([]string{"-O1", "-o", to, to + ".c"}, flags)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	must(t, os.Remove(to+".c"))
}

// waiter says "ready", waits for a line, and prints what each function of a library returns, opened
// then.
const waiter = `
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	puts("ready");
	fflush(stdout);
	getchar();
	void *library = dlopen(argv[1], RTLD_NOW);
	if (!library)
		return puts(dlerror()), 1;
	for (int i = 2; i < argc; i++) {
		int (*f)(void) = (int (*)(void))dlsym(library, argv[i]);
		printf("%s %d\n", argv[i], f ? f() : -1);
	}
}
`

// twoFunctions is a library whose functions return their number and add, behind as much other code
// as moved says.
func twoFunctions(add, moved int) string {
	return fmt.Sprintf(`
		__asm__(".text\n.rept %d\nmovl $-9, %%eax\nret\n.endr");
		int ct_one(void) { return 1 + %d; }
		int ct_two(void) { return 2 + %[2]d; }`, moved, add)
}

// replaced runs the waiter, has the library replaced when the program runs and before it is opened,
// and returns what it printed.
func replaced(t *testing.T, l launch, replace func()) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := l.command(ctx)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		cmd.Wait()
		t.Fatalf("the program is not ready but says %q\n%s", lines.Text(), tail(errs.String()))
	}
	replace()
	fmt.Fprintln(in)
	var text strings.Builder
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
	}
	cmd.Wait()
	return result{stdout: text.String(), stderr: errs.String(), status: cmd.ProcessState.ExitCode()}
}

// A host's library that was updated between plan and load is bound by name, whatever its build-id:
// without isolation its file is a live path, and in namespaces the mounted file may be written to.
func TestReplacedHostLibrary(t *testing.T) {
	const library = "libcapsuletest-a.so"
	dir := beside(t)
	host, program := copyDir(t, trees.HostWithTestLib(t)), dir+"/waiter"
	gcc(t, program, waiter, "-ldl")
	file := filepath.Join(host, "usr/local/lib", library)
	build := func(to, source, id string, more ...string) {
		gcc(t, to, source, append([]string{"-shared", "-fPIC", "-nostdlib", "-Wl,--build-id=0x" + id}, more...)...)
	}
	const planned, other = "0123456789abcdef0123456789abcdef01234567", "ff23456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		name, source, id string
		flags            []string
		want             string
		byName           bool
	}{
		{"same", twoFunctions(0, 0), planned, nil, "ct_one 1\nct_two 2\n", false},
		{"another build-id", twoFunctions(100, 1000), other, nil, "ct_one 101\nct_two 102\n", true},
		{"prelinked", twoFunctions(200, 0), planned, []string{"-Wl,-Ttext-segment=0x400000"}, "ct_one 201\nct_two 202\n", true},
		{"rebuilt", twoFunctions(300, 1000), planned, nil, "ct_one 301\nct_two 302\n", true},
		{"a function less", strings.Replace(twoFunctions(400, 10), "ct_two", "ct_other", 1), other, nil, "ct_one 401\nct_two -1\n", true},
	} {
		for _, isolation := range []string{"none", "userns"} {
			t.Run(c.name+"/"+isolation, func(t *testing.T) {
				build(file, twoFunctions(0, 0), planned)
				build(dir+"/new", c.source, c.id, c.flags...)
				l := launch{runtime: trees.Tree(t, "runtime12"), host: host, argv: []string{program, library, "ct_one", "ct_two"},
					flags: []string{"--isolation", isolation, "--library", library, "--setenv", "CAPSULE_DEBUG=1"}}
				if isolation == "userns" {
					l.flags = append(l.flags, "--bind", dir+":"+dir)
				}
				r := replaced(t, l, func() {
					if isolation == "none" {
						must(t, os.Rename(dir+"/new", file))
						return
					}
					text, err := os.ReadFile(dir + "/new")
					must(t, err)
					must(t, os.WriteFile(file, text, 0o755))
				})
				if r.status != 0 || r.stdout != c.want {
					t.Errorf("exit status %d, got %q, want %q\n%s", r.status, r.stdout, c.want, tail(r.stderr))
				}
				if said := strings.Contains(r.stderr, library+" is not the planned file: "); said != c.byName {
					t.Errorf("the debug line about it: %v, want %v\n%s", said, c.byName, tail(r.stderr))
				}
			})
		}
	}
}

// The same for the runtime's libraries that the capsule shares: a game brings one with the planned
// build-id whose functions lie elsewhere, and has not all of them.
func TestReplacedRuntimeLibrary(t *testing.T) {
	const library, shared = "libcapsuletest-a.so", "libX11-xcb.so.1"
	dir := beside(t)
	host, program := copyDir(t, trees.HostWithTestLib(t)), dir+"/waiter"
	gcc(t, program, waiter, "-ldl")
	for _, r := range []string{"runtime12", "runtime13"} { // not older than what this machine compiles for
		t.Run(r, func(t *testing.T) {
			runtime := trees.Tree(t, r)
			f, err := os.Open(libraryOf(t, runtime, shared))
			must(t, err)
			defer f.Close()
			info, err := f.Stat()
			must(t, err)
			of, err := dynelf.Read(f, info.Size())
			must(t, err)
			must(t, os.MkdirAll(dir+"/own", 0o755))
			gcc(t, dir+"/own/"+shared, `__asm__(".text\n.rept 3000\nmovl $-9, %eax\nret\n.endr");
				int XGetXCBConnection(void *display) { return 1234; }`,
				"-shared", "-fPIC", "-nostdlib", "-Wl,-soname,"+shared, "-Wl,--build-id=0x"+hex.EncodeToString(of.BuildID))
			gcc(t, filepath.Join(host, "usr/local/lib", library), `
				int XGetXCBConnection(void *);
				void *dlsym(void *, const char *);
				int ct_shared(void) { return XGetXCBConnection(0); }
				int ct_missing(void) { return dlsym(0, "XSetEventQueueOwner") != 0; }`,
				"-shared", "-fPIC", "-nostdlib", dir+"/own/"+shared, "-Wl,--no-as-needed", "-lc")
			l := launch{runtime: runtime, host: host, argv: []string{program, library, "ct_shared", "ct_missing"},
				flags: []string{"--library", library, "--setenv", "CAPSULE_DEBUG=1", "--bind", dir + ":" + dir},
				env:   []string{"LD_LIBRARY_PATH=" + dir + "/own"}}
			if r := replaced(t, l, func() {}); r.status != 0 || r.stdout != "ct_shared 1234\nct_missing 0\n" ||
				!strings.Contains(r.stderr, shared+" is not the planned file: ") {
				t.Errorf("exit status %d, %q\n%s", r.status, r.stdout, tail(r.stderr))
			}
		})
	}
}

// libraryOf finds a library of a tree by its name.
func libraryOf(t *testing.T, tree, name string) string {
	t.Helper()
	for _, dir := range []string{"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "lib64"} {
		if file, err := filepath.EvalSymlinks(filepath.Join(tree, dir, name)); err == nil {
			return file
		}
	}
	t.Fatalf("no %s in %s", name, tree)
	return ""
}

// A runtime whose C library has no build-ids is used by the names of symbols, ld.so's included.
func TestNoBuildIDs(t *testing.T) {
	dir, bind := probes(t)
	for _, r := range runtimes {
		t.Run(r, func(t *testing.T) {
			runtime := copyOf(t, r)
			for _, name := range []string{"ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libX11.so.6"} {
				withoutBuildID(t, libraryOf(t, runtime, name))
			}
			l := launch{runtime: runtime, host: trees.HostWithTestLib(t), argv: []string{dir + "/bin/unwind"},
				flags: append([]string{"--library", "libcapsuletest.so.1", "--setenv", "CAPSULE_DEBUG=1"}, bind...)}
			ran := l.ok(t)
			if strings.Count(ran.stdout, "ok ") != 6 || strings.Contains(ran.stdout, "FAIL") ||
				strings.Count(ran.stderr, " is not the planned file: ") < 4 {
				t.Errorf("%s", tail(ran.both()))
			}
		})
	}
}

// withoutBuildID gives the note another type.
func withoutBuildID(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	f, err := elf.NewFile(bytes.NewReader(text))
	must(t, err)
	note := f.Section(".note.gnu.build-id")
	if note == nil {
		t.Fatalf("%s has no build-id", file)
	}
	text[note.Offset+8] = 0x33 // n_type
	must(t, os.Remove(file))   // the tree's own file is a link to it
	must(t, os.WriteFile(file, text, 0o755))
}
