//go:build integration

package integration

import (
	"bytes"
	"debug/elf"
	elfbytes "encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// What a hostile image may try, each in the way of a published fault. The hook either does its work on the container's own files
// or refuses; in both cases nothing outside of the container's root is read into it, changed or made, and no mount stays.
//
// outside is a directory of the host that no container is given: every link that leads out leads there, and the word in its
// files must not be found in the container.
const secret = "word-of-the-host-that-no-container-may-read"

type hostile struct {
	name string
	// message is what the refusal says; empty: the container starts, with the host's driver.
	message string
	make    func(h *hostileRun)
}

type hostileRun struct {
	t             *testing.T
	b             *bundle
	root, outside string
}

func (h *hostileRun) remove(name string)   { must(h.t, os.RemoveAll(h.root+name)) }
func (h *hostileRun) link(to, name string) { h.remove(name); must(h.t, os.Symlink(to, h.root+name)) }
func (h *hostileRun) write(name string, b []byte) {
	h.remove(name)
	must(h.t, os.WriteFile(h.root+name, b, 0o755))
}
func (h *hostileRun) fifo(name string)             { h.remove(name); must(h.t, unix.Mkfifo(h.root+name, 0o644)) }
func (h *hostileRun) read(name string) []byte      { return []byte(readFile(h.t, h.root+name)) }
func (h *hostileRun) with(f func(b []byte)) []byte { b := h.read(libc31); f(b); return b }
func (h *hostileRun) climb(name string) string     { return "../../../../../../../../../.." + name }
func (h *hostileRun) cache(f func(b []byte) []byte) {
	h.write("/etc/ld.so.cache", f(h.read("/etc/ld.so.cache")))
}

// libc31 is the C library of the image, Debian 11's.
const libc31 = "/lib/x86_64-linux-gnu/libc-2.31.so"

var hostileImages = []hostile{
	// Links where the hook makes or mounts something: they are followed inside the root, and none leads out.
	{"/run leads out", "symbolic link", func(h *hostileRun) { h.link(h.outside, "/run") }},
	{"/run climbs out", "symbolic link", func(h *hostileRun) { h.link(h.climb(h.outside), "/run") }},
	{"/run/capsule is a link out", "symbolic link", func(h *hostileRun) { h.link(h.outside, "/run/capsule") }},
	{"/run/capsule is a link in", "symbolic link", func(h *hostileRun) { h.link("/usr/lib", "/run/capsule") }},
	{"/run/capsule is a file", "no directory", func(h *hostileRun) { h.write("/run/capsule", []byte("x")) }},
	{"/run is a file", "not a directory", func(h *hostileRun) { h.write("/run", []byte("x")) }},
	{"/etc leads out", "symbolic link", func(h *hostileRun) { h.link(h.outside, "/etc") }},
	{"ld.so.cache leads out", "symbolic link", func(h *hostileRun) { h.link(h.outside+"/file", "/etc/ld.so.cache") }},
	{"ld.so.cache climbs out", "symbolic link", func(h *hostileRun) { h.link(h.climb(h.outside+"/file"), "/etc/ld.so.cache") }},
	{"ld.so.cache leads to a new name outside", "symbolic link", func(h *hostileRun) { h.link(h.outside+"/new", "/etc/ld.so.cache") }},
	{"ld.so.cache leads through proc", "ld.so.cache", func(h *hostileRun) { h.link("/proc/1/root"+h.outside+"/file", "/etc/ld.so.cache") }},
	{"ld.so.cache is a link to itself", "ld.so.cache", func(h *hostileRun) { h.link("ld.so.cache", "/etc/ld.so.cache") }},
	// Library directories and libraries that lead out: inspected as the container would see them.
	{"libraries lead out", "no dynamic loader", func(h *hostileRun) {
		h.link(h.climb("/usr/lib"), "/lib")
		h.link(h.outside, "/usr/lib")
		h.link(h.outside, "/lib64")
	}},
	{"libX11 leads out", "", func(h *hostileRun) { h.link(h.outside+"/file", "/usr/lib/x86_64-linux-gnu/libX11.so.6") }},
	{"ld.so.conf leads out", "", func(h *hostileRun) {
		h.write("/etc/ld.so.conf", []byte("include "+h.outside+"/*\ninclude /etc/ld.so.conf\n"+h.climb(h.outside)+"\n"))
		h.remove("/etc/ld.so.cache")
	}},
	// What is no file, or none that ends.
	{"libc is a FIFO", "libc", func(h *hostileRun) { h.fifo(libc31) }},
	{"libX11 is a FIFO", "", func(h *hostileRun) { h.fifo("/usr/lib/x86_64-linux-gnu/libX11.so.6.4.0") }},
	{"ld.so.cache is a FIFO", "ld.so.cache", func(h *hostileRun) { h.fifo("/etc/ld.so.cache") }},
	{"ld.so.conf is a FIFO", "ld.so.conf", func(h *hostileRun) { h.remove("/etc/ld.so.cache"); h.fifo("/etc/ld.so.conf") }},
	{"libc is a device", "libc", func(h *hostileRun) {
		h.remove(libc31)
		must(h.t, unix.Mknod(h.root+libc31, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5)))) // /dev/zero
	}},
	{"libc is sparse and huge", "", func(h *hostileRun) {
		must(h.t, os.Truncate(h.root+libc31, 1<<40))
	}},
	// Counts and offsets that lie.
	{"ELF with 65535 program headers", "libc", func(h *hostileRun) {
		h.write(libc31, h.with(func(b []byte) { elfbytes.LittleEndian.PutUint16(b[56:], 0xffff) }))
	}},
	{"ELF with program headers at the end of the address space", "libc", func(h *hostileRun) {
		h.write(libc31, h.with(func(b []byte) { elfbytes.LittleEndian.PutUint64(b[32:], ^uint64(63)) }))
	}},
	{"ELF whose dynamic section is huge", "libc", func(h *hostileRun) {
		h.write(libc31, h.with(func(b []byte) { segments(b, elf.PT_DYNAMIC, func(p []byte) { putSize(p, 1<<62) }) }))
	}},
	{"ELF that ends in its header", "libc", func(h *hostileRun) { h.write(libc31, h.read(libc31)[:40]) }},
	{"ELF with wild symbols", "libc", func(h *hostileRun) {
		h.write(libc31, h.with(func(b []byte) {
			for i := 0x1000; i < 0x20000; i += 3 { // hash tables, symbols, strings, versions
				b[i] ^= 0xff
			}
		}))
	}},
	{"ld.so.cache with 4 billion entries", "ld.so.cache", func(h *hostileRun) {
		h.cache(func(b []byte) []byte { elfbytes.LittleEndian.PutUint32(b[20:], ^uint32(0)); return b })
	}},
	{"ld.so.cache cut short", "ld.so.cache", func(h *hostileRun) { h.cache(func(b []byte) []byte { return b[:60] }) }},
	{"ld.so.cache of nothing but strings", "ld.so.cache", func(h *hostileRun) {
		h.cache(func(b []byte) []byte { return append(b[:48], bytes.Repeat([]byte{0xff}, 1<<20)...) })
	}},
	{"ld.so.cache whose paths are each other's ends", "ld.so.cache", func(h *hostileRun) {
		h.cache(func([]byte) []byte { // 5 MB that would be 200 MB when written anew
			const n, long = 100_000, 4095
			b := make([]byte, 48, 5<<20)
			copy(b, "glibc-ld.so.cache1.1")
			elfbytes.LittleEndian.PutUint32(b[20:], n)
			for i := range uint32(n) {
				off := 48 + n*24 + i*24
				for _, v := range []uint32{0x303, off, off, 0, 0, 0} {
					b = elfbytes.LittleEndian.AppendUint32(b, v)
				}
			}
			for i := 0; i < n*24/long; i++ {
				b = append(b, fmt.Sprintf("%s%08d\x00", strings.Repeat("/", long-9), i)...)
			}
			return append(b, make([]byte, long)...)
		})
	}},
	{"ld.so.cache that names files outside", "", func(h *hostileRun) {
		h.cache(func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("/lib/x86_64-linux-gnu/libc.so.6"), []byte("/../../../../../../tmp/libc.so.6"[:31]))
		})
	}},
	{"more names than are looked at", "too much in all", func(h *hostileRun) {
		const dir = "/usr/share/vulkan/implicit_layer.d"
		must(h.t, os.MkdirAll(h.root+dir, 0o755))
		for i := range 600 {
			must(h.t, os.Symlink("/nowhere/"+strings.Repeat("x/", 2000), fmt.Sprintf("%s%s/%d.json", h.root, dir, i)))
		}
	}},
	// The image's environment, and a proc of its own.
	{"LD_PRELOAD and the Go runtime's variables", "", func(h *hostileRun) {
		h.b.spec.Process.Env = append(h.b.spec.Process.Env, "LD_LIBRARY_PATH="+h.outside, "GODEBUG=inittrace=1", "GOTRACEBACK=crash")
		h.b.spec.Hooks.CreateRuntime[0].Env = []string{"LD_PRELOAD=" + h.root + libc31, "LD_LIBRARY_PATH=" + h.root,
			"GODEBUG=inittrace=1", "PATH=" + h.root, "HOME=" + h.root, "XDG_CONFIG_HOME=" + h.root, "XDG_CACHE_HOME=" + h.root,
			"TMPDIR=" + h.outside}
	}},
	{"a tmpfs in place of proc", "", func(h *hostileRun) {
		for i := range h.b.spec.Mounts {
			if h.b.spec.Mounts[i].Destination == "/proc" {
				h.b.spec.Mounts[i] = specs.Mount{Destination: "/proc", Type: "tmpfs", Source: "tmpfs"}
			}
		}
		h.b.spec.Linux.MaskedPaths, h.b.spec.Linux.ReadonlyPaths = nil, nil
	}},
	{"an annotation of a quarter megabyte", "list of GPUs", func(h *hostileRun) {
		h.b.spec.Annotations = map[string]string{"dev.capsule.gpu": strings.Repeat("a,", 1<<17)}
		h.b.spec.Hooks.CreateRuntime[0].Args = without(h.b.spec.Hooks.CreateRuntime[0].Args, "--gpu=all")
	}},
	{"an annotation that climbs", "list of GPUs", func(h *hostileRun) {
		h.b.spec.Annotations = map[string]string{"dev.capsule.gpu": "../../../etc/passwd"}
		h.b.spec.Hooks.CreateRuntime[0].Args = without(h.b.spec.Hooks.CreateRuntime[0].Args, "--gpu=all")
	}},
	{"a shared root", "", func(h *hostileRun) {
		must(h.t, unix.Mount("", h.root, "", unix.MS_SHARED, ""))
		h.b.spec.Linux.RootfsPropagation = "shared"
	}},
}

func without(list []string, word string) []string {
	var out []string
	for _, w := range list {
		if w != word {
			out = append(out, w)
		}
	}
	return out
}

// segments calls f with the program headers of a type of a 64-bit little-endian file.
func segments(b []byte, typ elf.ProgType, f func(p []byte)) {
	at, size, count := elfbytes.LittleEndian.Uint64(b[32:]), elfbytes.LittleEndian.Uint16(b[54:]), elfbytes.LittleEndian.Uint16(b[56:])
	for i := range uint64(count) {
		if p := b[at+i*uint64(size):]; elf.ProgType(elfbytes.LittleEndian.Uint32(p)) == typ {
			f(p)
		}
	}
}

func putSize(p []byte, n uint64) {
	elfbytes.LittleEndian.PutUint64(p[32:], n) // p_filesz
	elfbytes.LittleEndian.PutUint64(p[40:], n) // p_memsz
}

// newOutside makes the directory that links lead to.
func newOutside(t *testing.T) string {
	t.Helper()
	dir := shared(t)
	must(t, os.WriteFile(dir+"/file", []byte(secret), 0o644))
	must(t, os.Mkdir(dir+"/capsule", 0o755))
	must(t, os.WriteFile(dir+"/ld.so.cache", []byte(secret), 0o644))
	return dir
}

// searches looks for the word in all that the hook could have placed, and shows what the container has of it.
const searches = `grep -rl ` + secret + ` /run /etc 2>/dev/null; vulkaninfo --summary 2>/dev/null | grep driverInfo; ` +
	`ls /proc/self/fd 2>/dev/null | wc -l`

func TestHookHostile(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	outside := newOutside(t)
	untouched(t, host, tree, outside, filepath.Dir(config), "/etc", "/dev", filepath.Dir(binary))
	for i, c := range hostileImages {
		engine := engines[i%len(engines)]
		t.Run(c.name, func(t *testing.T) {
			unmounted(t)
			root := writableRoot(t, tree)
			b := newBundle(t, engine, root, "sh", "-c", searches).hook("createRuntime", config, "--gpu=all")
			h := &hostileRun{t, b, root, outside}
			c.make(h)
			if strings.HasPrefix(c.name, "libX11 ") { // vulkaninfo needs it, and would wait for the FIFO's writer
				b.spec.Process.Args[2] = "echo driverInfo"
			}
			began := time.Now()
			r := b.run()
			judge(t, c, engine, r)
			if r.status == -1 {
				t.Errorf("no end after %v", time.Since(began))
			}
			// The engine leaves its own mount points in the image's file tree, and we an empty file and directory at most.
			for _, made := range []string{"/run/capsule/x86_64-linux-gnu", "/run/capsule/share"} {
				if _, err := os.Lstat(filepath.Join(filepath.Dir(root), "up", made)); err == nil && !strings.HasPrefix(c.name, "/run/capsule") {
					t.Errorf("%s stayed in the image", made)
				}
			}
		})
	}
}

func judge(t *testing.T, c hostile, engine string, r result) {
	t.Helper()
	if strings.Contains(r.both(), secret) || strings.Contains(r.stdout, "/run/") || strings.Contains(r.stdout, "/etc/") {
		t.Errorf("the host's word is in the container:\n%s", r.both())
	}
	// A panic or a crash is no refusal.
	for _, bad := range []string{"goroutine ", "panic:", "SIGSEGV", "out of memory"} {
		if strings.Contains(r.both(), bad) {
			t.Errorf("the hook crashed:\n%s", tail(r.both()))
		}
	}
	told := told(r, engine)
	switch {
	case c.message == "" && r.status != 0 && strings.Contains(told, "error: ") && strings.Contains(told, "hint: "):
		t.Errorf("refused: %s", told)
	case c.message == "" && r.status != 0:
		t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
	case c.message == "" && !strings.Contains(r.stdout, "driverInfo"):
		t.Errorf("no driver in the container:\n%s", tail(r.both()))
	case c.message != "" && (r.status == 0 || !strings.Contains(told, c.message) || !strings.Contains(told, "hint: ")):
		t.Errorf("exit status %d, no refusal with %q and a hint\n%s\n%s", r.status, c.message, tail(r.both()), told)
	}
}

func mounted(t *testing.T, name string) bool {
	return strings.Contains(readFile(t, "/proc/self/mountinfo"), " "+name+" ")
}

// While it is among a container's mounts the hook runs from memory that nobody can write to, and afterwards the container
// has none of its descriptors.
func TestHookLeaksNothing(t *testing.T) {
	needsRoot(t, engines...)
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	const show = "ls -l /proc/self/fd | sed 's/.* [0-9]* -> / /; s/[0-9]*\\]//' | sort"
	for _, engine := range engines {
		for _, stage := range []string{"createRuntime", "createContainer"} {
			t.Run(engine+"/"+stage, func(t *testing.T) {
				plain := newBundle(t, engine, writableRoot(t, tree), "sh", "-c", show).ok().stdout
				var exes []string
				var seen atomic.Bool
				stop, done := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					for {
						select {
						case <-stop:
							return
						default:
							exes = append(exes, executables("capsule-hook: sealed")...)
							seen.Store(len(exes) > 0)
						}
					}
				}()
				var got string
				for range 10 { // a warm hook is soon done, and a busy machine may not have looked
					got = newBundle(t, engine, writableRoot(t, tree), "sh", "-c", show).hook(stage, config, "--gpu=all").ok().stdout
					if seen.Load() {
						break
					}
				}
				close(stop)
				<-done
				if count := func(s string) int { return strings.Count(s, "\n") }; count(got) != count(plain) {
					t.Errorf("descriptors without the hook:\n%s\nwith it:\n%s", plain, got)
				}
				if len(exes) == 0 {
					t.Error("the sealed copy was never seen at work")
				}
				for _, exe := range exes {
					if !strings.HasPrefix(exe, "/memfd:capsule-hook") {
						t.Fatalf("the hook runs from %s", exe)
					}
				}
			})
		}
	}
}

// executables are the files that processes whose argv[0] begins with a name run from.
func executables(name string) []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var out []string
	for _, dir := range dirs {
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil || !bytes.HasPrefix(line, []byte(name)) {
			continue
		}
		if exe, err := os.Readlink(dir + "/exe"); err == nil {
			out = append(out, exe)
		}
	}
	return out
}
