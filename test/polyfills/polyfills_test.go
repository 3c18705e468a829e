package polyfills

import (
	"bufio"
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/symbols"
	"github.com/capsule-run/capsule-run/test/trees"
)

const cshim = "../../cshim"

// A port is an architecture that the driver is compiled for.
type port struct {
	arch, compiler string
	flags          []string
	// base is the version of the driver's references, so that it runs under any glibc; the names in younger are younger.
	base    string
	younger map[string]string
}

var x8664 = port{arch: "x86_64", compiler: "gcc", base: "GLIBC_2.2.5", younger: map[string]string{
	"dlmopen": "GLIBC_2.3.4", "epoll_create": "GLIBC_2.3.2", "epoll_ctl": "GLIBC_2.3.2", "openat": "GLIBC_2.4", "unlinkat": "GLIBC_2.4", "unshare": "GLIBC_2.4",
}}

// The driver wants these loaded before 2.34, when their functions were not in libc.
var oldLibraries = []string{"libdl.so.2", "libpthread.so.0"}

func TestOnThisMachine(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		missing(t, "no gcc to build the driver with")
	}
	root := x8664.capsuleRoot(t)
	dir := x8664.build(t)
	judge(t, root, exec.CommandContext(t.Context(), filepath.Join(dir, "driver"), root))
}

// The oldest supported release has none of the functions, the newest has nearly all of them to compare with.
func TestInTrees(t *testing.T) {
	if os.Getenv("CAPSULE_TREES") == "" && os.Getenv("CAPSULE_MUST_WORK") != "1" {
		t.Skip("real file trees are looked for only if CAPSULE_TREES says where")
	}
	root, dir := x8664.beside(t)
	for _, name := range []string{"runtime11", "runtime12", "runtime13"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it sleeps most of the time
			tree := trees.Tree(t, name)
			judge(t, root, trees.Enter(t.Context(), tree, dir, nil, "/mnt/driver", "/mnt/"+filepath.Base(root)))
		})
	}
}

// beside builds the driver and puts the capsule root into its directory.
func (p port) beside(t *testing.T) (root, dir string) {
	t.Helper()
	root, dir = p.capsuleRoot(t), p.build(t)
	data, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(root)), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return root, dir
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CAPSULE_MUST_WORK") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func (p port) capsuleRoot(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(cshim, "out", p.arch, "libcapsule-root.so"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "the C parts are not built: make -C cshim")
	}
	return path
}

// judge runs the driver and requires that it fails no statement and passes over no polyfill.
func judge(t *testing.T, root string, cmd *exec.Cmd) {
	t.Helper()
	failed, judged := observe(t, cmd)
	for _, line := range failed {
		t.Error(line)
	}
	for _, name := range polyfills(t, root) {
		if !judged[name] {
			t.Errorf("no check judges %s", name)
		}
	}
}

// observe runs the driver to its end and returns the statements that failed, and the polyfills that were judged.
func observe(t *testing.T, cmd *exec.Cmd) (failed []string, judged map[string]bool) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	judged = map[string]bool{}
	compared, done := 0, false
	for lines := bufio.NewScanner(&stdout); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "judged "):
			judged[strings.TrimPrefix(line, "judged ")] = true
		case strings.HasPrefix(line, "compared "):
			compared++
		case strings.HasPrefix(line, "FAIL "):
			failed = append(failed, line)
		case strings.HasPrefix(line, "done, "):
			done = true
		default:
			t.Log(line)
		}
	}
	if (err != nil) != (len(failed) > 0) || !done {
		t.Errorf("the driver did not get to its end well: %v\n%s", err, &stderr)
	}
	t.Logf("%d polyfills, %d comparisons with the runtime's own function", len(judged), compared)
	return failed, judged
}

// polyfills lists what the capsule root exports, as the plan reads it.
func polyfills(t *testing.T, root string) []string {
	t.Helper()
	f, err := elf.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	exports, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range exports {
		if name, ok := strings.CutPrefix(s.Name, "polyfill$"); ok && !otherLibrary(name) {
			names = append(names, name)
		}
	}
	if len(names) < 100 {
		t.Errorf("the capsule root has only %d polyfills", len(names))
	}
	return names
}

// otherLibrary tells the polyfills of libraries besides the C library, which this driver has no part in.
func otherLibrary(name string) bool {
	return strings.HasPrefix(name, "wl_") || // libwayland-client
		symbols.Of("libm.so.6", name) // compared by TestSymbols of test/integration
}

// build compiles the driver into a directory of its own.
func (p port) build(t *testing.T) string { return p.buildWith(t, nil, nil) }

func (p port) buildWith(t *testing.T, compileFlags, linkFlags []string) string {
	t.Helper()
	dir := t.TempDir()
	sources, err := filepath.Glob("driver/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources of the driver: ", err)
	}
	object := filepath.Join(dir, "driver.o")
	// Without PIC the linker would copy the runtime's variables, of which the stand-ins have none.
	compile := []string{"-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-fPIC", "-fno-builtin", "-fno-stack-protector",
		"-U_FORTIFY_SOURCE", "-Wall", "-Wextra", "-Werror", "-I" + cshim + "/include", "-nostdlib", "-r", "-o", object}
	run(t, p.compiler, slices.Concat(compile, p.flags, compileFlags, sources)...)
	link := []string{"-nostdlib", "-pie", "-o", filepath.Join(dir, "driver"), object, "-lgcc", "-Wl,--no-as-needed"}
	run(t, p.compiler, slices.Concat(link, linkFlags, p.standIns(t, dir, object))...)
	return dir
}

// standIns makes libraries that define what the object lacks, with the oldest versions.
func (p port) standIns(t *testing.T, dir, object string) []string {
	t.Helper()
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	seen := map[string]bool{}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF || s.Name == "" || s.Name == "_GLOBAL_OFFSET_TABLE_" || seen[s.Name] ||
			strings.HasPrefix(s.Name, "__cpu_") || strings.HasPrefix(s.Name, "__asan_") { // libgcc's, libasan's
			continue
		}
		seen[s.Name] = true
		version := p.base
		if v, ok := p.younger[s.Name]; ok {
			version = v
		}
		fmt.Fprintf(&list, "libc.so.6 %s %s\n", version, s.Name)
	}
	for _, soname := range oldLibraries {
		fmt.Fprintf(&list, "%s %s stand_in_for_%s\n", soname, p.base, strings.SplitN(soname, ".", 2)[0])
	}
	imports := filepath.Join(dir, "imports")
	if err := os.WriteFile(imports, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, soname := range append([]string{"libc.so.6"}, oldLibraries...) {
		path := filepath.Join(dir, soname)
		run(t, "env", "CC="+p.compiler, "sh", cshim+"/abi/imports.sh", imports, soname, path)
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return paths
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
