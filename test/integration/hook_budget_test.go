//go:build integration

package integration

import (
	elfbytes "encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
	"github.com/capsule-run/capsule-run/test/trees"
)

// What one call of the hook may cost, whatever the image: it runs as root on a node that others
// share. The memory is that of a cgroup, with the hook's program, what it writes into the container
// and its cache, and the kernel's part; beyond it the hook would be killed. The time is the
// processor's, in the program and in the kernel for it.
const (
	budgetMemory  = 256 << 20 // bytes
	budgetSeconds = 2
)

// costly is an image that is small, or made in no time, and says what takes long or much.
type costly struct {
	name string
	// message is what the refusal says; empty: the container starts, with the host's driver.
	message string
	make    func(h *hostileRun)
}

const (
	libX11      = "/usr/lib/x86_64-linux-gnu/libX11.so.6.4.0"
	layersDir   = "/usr/share/vulkan/implicit_layer.d"
	cacheHeader = 48
	cacheEntry  = 24
)

func (h *hostileRun) dir(name string) { must(h.t, os.MkdirAll(h.root+name, 0o755)) }

func (h *hostileRun) layers(n int, text string) {
	h.dir(layersDir)
	for i := range n {
		h.write(fmt.Sprintf("%s/%d.json", layersDir, i), []byte(text))
	}
}

// crowd makes a directory with n names.
func (h *hostileRun) crowd(name string, n int) {
	h.dir(name)
	must(h.t, os.WriteFile(h.root+name+"/0", nil, 0o644))
	for i := 1; i < n; i++ {
		must(h.t, os.Link(h.root+name+"/0", fmt.Sprintf("%s%s/%d", h.root, name, i)))
	}
}

// cacheOf is an ld.so.cache of n entries; string offsets count from the strings' beginning.
func cacheOf(n int, entry func(i int) (name, path uint32), strings []byte) []byte {
	le := elfbytes.LittleEndian
	b := make([]byte, cacheHeader, cacheHeader+n*cacheEntry+len(strings))
	copy(b, "glibc-ld.so.cache1.1")
	le.PutUint32(b[20:], uint32(n))
	for i := range n {
		name, path := entry(i)
		base := uint32(cacheHeader + n*cacheEntry)
		for _, v := range []uint32{uint32(i * 2654435761), base + name, base + path, 0, 0, 0} {
			b = le.AppendUint32(b, v)
		}
	}
	return append(b, strings...)
}

const layerText = `{"file_format_version": "1.0.0", "layer": {"name": "VK_LAYER_x", "type": "GLOBAL", "library_path": "libX11.so.6", ` +
	`"api_version": "1.3.0", "implementation_version": "1", "description": "x", "x": %s}}`

var costlyImages = []costly{
	{"an ordinary image", "", func(*hostileRun) {}},
	{"libc whose symbols are each other's ends", "libc", func(h *hostileRun) {
		h.write(libc31, elftest.Hostile{Soname: "libc.so.6", Name: 250_000, Symbols: 1 << 16}.Bytes())
	}},
	{"libX11 with a thousand symbols that are each other's ends", "libX11", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Name: 250_000, Symbols: 1000}.Bytes())
	}},
	{"libX11 whose symbols are each other's ends", "libX11", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Name: 250_000, Symbols: 1 << 16}.Bytes())
	}},
	{"libX11 with two million symbols", "libX11", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Name: 4000, Symbols: 2_000_000}.Bytes())
	}},
	{"libX11 with two million symbols of one long name", "libX11", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Name: 200_000, Whole: true, Symbols: 2_000_000}.Bytes())
	}},
	{"libc with a million needed libraries", "libc", func(h *hostileRun) {
		h.write(libc31, elftest.Hostile{Soname: "libc.so.6", Name: 250_000, Needed: 1_000_000}.Bytes())
	}},
	{"libc with a million dynamic entries", "libc", func(h *hostileRun) {
		h.write(libc31, elftest.Hostile{Soname: "libc.so.6", Dynamic: 1_000_000}.Bytes())
	}},
	{"libX11 with as many versions as there are numbers", "libX11", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Name: 250_000, Versions: 0x7f00, Needs: 0x7f00, Programs: 0xff00}.Bytes())
	}},
	{"libX11 with a megabyte of notes", "", func(h *hostileRun) {
		text := "[" + strings.Repeat("{},", 340_000) + "{}]"
		note := elfbytes.LittleEndian.AppendUint32(elfbytes.LittleEndian.AppendUint32([]byte{4, 0, 0, 0}, uint32(len(text))), 0x407c0c0a)
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Notes: append(append(note, "FDO\x00"...), text...)}.Bytes())
	}},
	{"a layer's manifest nested 9000 deep", "", func(h *hostileRun) {
		h.layers(1, fmt.Sprintf(layerText, strings.Repeat("[", 9000)+strings.Repeat("0,", 2000)+"0"+strings.Repeat("]", 9000)))
	}},
	{"500 layers' manifests nested 9000 deep", "manifests", func(h *hostileRun) {
		h.layers(500, fmt.Sprintf(layerText, strings.Repeat("[", 9000)+strings.Repeat("0,", 2000)+"0"+strings.Repeat("]", 9000)))
	}},
	{"16 megabytes of layers' manifests", "manifests", func(h *hostileRun) {
		h.layers(16, fmt.Sprintf(layerText, "["+strings.Repeat("1e20,", 200_000)+"0]"))
	}},
	{"ld.so.cache with one long name", "ld.so.cache", func(h *hostileRun) {
		h.write("/etc/ld.so.cache", cacheOf(349_000, func(int) (uint32, uint32) { return 0, 0 }, append([]byte(strings.Repeat("a", 4094)), 0)))
	}},
	{"ld.so.cache with 200000 names", "ld.so.cache", func(h *hostileRun) {
		h.write("/etc/ld.so.cache", manyNames(200_000))
	}},
	{"ld.so.conf with four million lines", "too much", func(h *hostileRun) {
		h.remove("/etc/ld.so.cache")
		var text strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&text, "/a%d\n", i%4000)
		}
		for i := range 40 {
			h.write(fmt.Sprintf("/etc/ld.so.conf.d/z%d.conf", i), []byte(text.String()))
		}
	}},
	{"ld.so.conf that includes and includes", "too much", func(h *hostileRun) {
		h.remove("/etc/ld.so.cache")
		h.dir("/x")
		for i := range 60 {
			h.write(fmt.Sprintf("/etc/ld.so.conf.d/z%d.conf", i), []byte(strings.Repeat("include /x/*\n", 80_000)))
		}
	}},
	{"ld.so.conf with a pattern that is hard to match", "too much", func(h *hostileRun) {
		h.remove("/etc/ld.so.cache")
		h.dir("/x")
		for i := range 2000 {
			must(h.t, os.WriteFile(fmt.Sprintf("%s/x/%s%d", h.root, strings.Repeat("a", 240), i), nil, 0o644))
		}
		h.write("/etc/ld.so.conf.d/z.conf", []byte(strings.Repeat("include /x/*"+strings.Repeat("a", 120)+"b\n", 100)))
	}},
	{"ld.so.conf that includes from a directory with too many names", "", func(h *hostileRun) {
		h.remove("/etc/ld.so.cache")
		h.crowd("/x", 1<<17)
		h.write("/etc/ld.so.conf.d/z.conf", []byte(strings.Repeat("include /x/*\n", 70_000)))
	}},
	{"ld.so.conf that includes from a directory with as many names as may be", "too much", func(h *hostileRun) {
		h.remove("/etc/ld.so.cache")
		h.crowd("/x", 1<<17-1)
		h.write("/etc/ld.so.conf.d/z.conf", []byte(strings.Repeat("include /x/*y\n", 70_000)))
	}},
	{"paths that climb through links", "too much", func(h *hostileRun) {
		deep := strings.Repeat("/"+strings.Repeat("d", 200), 15)
		h.dir(deep)
		h.remove("/etc/ld.so.cache")
		for i := range 39 {
			h.link(strings.TrimPrefix(deep, "/")+strings.Repeat("/..", 15)+fmt.Sprintf("/l%d", i+1), fmt.Sprintf("/l%d", i))
		}
		h.link("nowhere"+strings.Repeat("/x", 2000), "/l39")
		var text strings.Builder
		for i := range 4000 {
			fmt.Fprintf(&text, "/l0/%d\n", i)
		}
		h.write("/etc/ld.so.conf.d/z.conf", []byte(text.String()))
	}},
	{"many loaders for other machines", "no dynamic loader", func(h *hostileRun) {
		h.remove("/lib64")
		h.dir("/lib64")
		for i := range 1000 {
			must(h.t, os.Symlink("../usr/lib/x86_64-linux-gnu/libX11.so.6", fmt.Sprintf("%s/lib64/ld-linux-%d.so.2", h.root, i)))
		}
	}},
	{"ld.so.cache whose paths are each other's ends, and such symbols", "too much", func(h *hostileRun) {
		h.cache(func([]byte) []byte { return pathsInPaths(10_000) })
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Long: true, Symbols: 3800}.Bytes())
		h.write("/usr/lib/x86_64-linux-gnu/libX11-xcb.so.1.0.0", elftest.Hostile{Soname: "libX11-xcb.so.1", Long: true, Symbols: 2500}.Bytes())
	}},
	{"as many symbols as may be that are each other's ends", "", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Long: true, Symbols: 3800}.Bytes())
		h.write("/usr/lib/x86_64-linux-gnu/libX11-xcb.so.1.0.0", elftest.Hostile{Soname: "libX11-xcb.so.1", Long: true, Symbols: 2500}.Bytes())
	}},
	{"as many symbols as may be", "", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Distinct: true, Symbols: 60_000}.Bytes())
		h.write("/usr/lib/x86_64-linux-gnu/libX11-xcb.so.1.0.0", elftest.Hostile{Soname: "libX11-xcb.so.1", Distinct: true, Symbols: 42_000}.Bytes())
	}},
	{"as many libraries in ld.so.cache as may be", "", func(h *hostileRun) {
		h.cache(func([]byte) []byte { return manyNames(35_000) })
	}},
	{"as many layers as may be", "", func(h *hostileRun) {
		layer := `{"name": "VK_LAYER_%03d_%03d", "type": "GLOBAL", "library_path": "libX11.so.6", "x": "` + strings.Repeat("<", 200) + `"},`
		h.dir(layersDir)
		for i := range 5 {
			var text strings.Builder
			for j := range 100 {
				fmt.Fprintf(&text, layer, i, j)
			}
			h.write(fmt.Sprintf("%s/%d.json", layersDir, i), []byte(`{"layers": [`+strings.TrimSuffix(text.String(), ",")+"]}"))
		}
		for i := range 4 {
			h.write(fmt.Sprintf("%s/x%d.json", layersDir, i), []byte(fmt.Sprintf(layerText, "["+strings.Repeat("1e20,", 180_000)+"0]")))
		}
	}},
	{"some of everything", "", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Distinct: true, Symbols: 50_000, Versions: 4000, Needs: 4000}.Bytes())
		h.cache(func([]byte) []byte { return manyNames(10_000) })
		h.layers(8, fmt.Sprintf(layerText, "["+strings.Repeat("1e20,", 20_000)+"0]"))
	}},
	{"too much of everything", "too much", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Distinct: true, Symbols: 1<<16 - 2, Versions: 4000, Needs: 4000}.Bytes())
		h.cache(func([]byte) []byte { return manyNames(30_000) })
		h.layers(8, fmt.Sprintf(layerText, "["+strings.Repeat("1e20,", 60_000)+"0]"))
	}},
	{"every library is one with as many symbols as may be", "too much", func(h *hostileRun) {
		h.write(libX11, elftest.Hostile{Soname: "libX11.so.6", Distinct: true, Symbols: 1<<16 - 2}.Bytes())
		for _, name := range []string{"libX11-xcb.so.1", "libxcb.so.1", "libwayland-client.so.0", "libwayland-server.so.0", "libm.so.6",
			"libpthread.so.0", "libdl.so.2", "librt.so.1", "libresolv.so.2", "libutil.so.1", "libanl.so.1", "libmvec.so.1", "libGL.so.1",
			"libEGL.so.1", "libvulkan.so.1", "libOpenCL.so.1", "libva.so.2", "libvdpau.so.1"} {
			h.link("/usr/lib/x86_64-linux-gnu/libX11.so.6.4.0", "/usr/lib/x86_64-linux-gnu/"+name)
		}
	}},
}

// pathsInPaths is an ld.so.cache of n libraries with paths of some 3,000 bytes, of which 300 share
// 3.3 KB.
func pathsInPaths(n int) []byte {
	const slashes, sharing = 1100, 300
	var text []byte
	for i := range n/sharing + 1 {
		text = fmt.Appendf(text, "%s%07d.so\x00", strings.Repeat("/./", slashes), i)
	}
	length := 3*slashes + 11
	entry := func(i int) (name, path uint32) {
		start := uint32(i / sharing * length)
		return start + 3*slashes, start + uint32(3*(i%sharing))
	}
	return cacheOf(n, entry, append(text, make([]byte, 8<<20-cacheHeader-n*cacheEntry-len(text))...))
}

// manyNames is an ld.so.cache of so many libraries.
func manyNames(n int) []byte {
	strings := []byte("/usr/lib/x86_64-linux-gnu/libX11.so.6\x00")
	start := len(strings)
	for i := range n {
		strings = fmt.Appendf(strings, "lib%07d.so\x00", i)
	}
	return cacheOf(n, func(i int) (uint32, uint32) { return uint32(start + 14*i), 0 }, strings)
}

// TestHookBudget: the hook ends within its bounds whatever the image, and says what is too much.
// What it is asked to do after a refusal is as much as before: nothing stays.
func TestHookBudget(t *testing.T) {
	needsRoot(t, "runc")
	host, tree := trees.Tree(t, "host13"), trees.Tree(t, "runtime11")
	config := hookConfig(t, host)
	// In memory, for images are made by the thousand files; the pages are the tests' own, those of
	// the cache the hook's.
	dir := shared(t)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	t.Setenv("TMPDIR", dir)
	// What the host's files take of the page cache is nobody's fault: whoever is first pays for
	// them.
	newBundle(t, "runc", writableRoot(t, tree), "true").hook("createRuntime", config, "--gpu=all").withCache(shared(t)).ok()
	for _, c := range costlyImages {
		t.Run(c.name, func(t *testing.T) {
			unmounted(t)
			root, cache := writableRoot(t, tree), shared(t)
			b := newBundle(t, "runc", root, "sh", "-c", "vulkaninfo --summary 2>/dev/null | grep driverInfo; echo started")
			b.hook("createRuntime", config, "--gpu=all").withCache(cache)
			c.make(&hostileRun{t: t, b: b, root: root})
			m := measure(t, b)
			r := b.run()
			m.judge(t)
			switch {
			case c.message == "" && r.status != 0:
				t.Errorf("exit status %d\n%s", r.status, tail(r.both()))
			case c.message != "" && r.status == 0:
				t.Errorf("no refusal with %q", c.message)
			case c.message != "" && (!strings.Contains(r.stderr, c.message) || !strings.Contains(r.stderr, "hint: ")):
				t.Errorf("the refusal has no %q and hint: %s", c.message, tail(r.both()))
			}
			if left, _ := filepath.Glob(cache + "/builds/*/*"); c.message != "" && len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Lstat(filepath.Join(filepath.Dir(root), "up", "run", "capsule")); c.message != "" && err == nil {
				t.Error("/run/capsule stayed in the image")
			}
		})
	}
}

// meter is what a hook's call has used.
type meter struct {
	group *group
	file  string
}

// measure has a bundle's hook run in a cgroup, if there is one to be had, and leave its own
// numbers.
func measure(t *testing.T, b *bundle) *meter {
	t.Helper()
	m := &meter{file: filepath.Join(shared(t), "usage")}
	self, err := os.Executable()
	must(t, err)
	enter := ":"
	if m.group, err = newGroup(t, budgetMemory); err != nil {
		t.Logf("the memory is the process's own alone: %v", err)
	} else {
		enter = "echo $$ >" + m.group.processes()
	}
	hook := &b.spec.Hooks.CreateRuntime[0]
	// More time than that is no result worth waiting for.
	script := fmt.Sprintf(`%s && ulimit -t %d && program=$1 && shift 2 && exec "$program" "$@"`, enter, 10*budgetSeconds)
	hook.Args = append([]string{self, measureTo + m.file, "/bin/sh", "-c", script, "sh", hook.Path}, hook.Args...)
	hook.Path = self
	return m
}

func (m *meter) judge(t *testing.T) {
	t.Helper()
	var milliseconds, kilobytes int64
	if _, err := fmt.Sscan(readFile(t, m.file), &milliseconds, &kilobytes); err != nil {
		t.Fatalf("the hook has left no numbers: %v", err)
	}
	memory, from := kilobytes<<10, "ru_maxrss"
	if m.group != nil {
		var err error
		memory, err = m.group.peak()
		must(t, err)
		from = "cgroup"
		killed, err := m.group.killed()
		must(t, err)
		if killed > 0 {
			t.Errorf("it wanted more than %d MB and was killed", budgetMemory>>20)
		}
	}
	t.Logf("%d ms, %d MB (%s), %d MB resident", milliseconds, memory>>20, from, kilobytes>>10)
	if memory > budgetMemory {
		t.Errorf("%d MB, and %d may be", memory>>20, budgetMemory>>20)
	}
	if milliseconds > budgetSeconds*1000 {
		t.Errorf("%d ms, and %d may be", milliseconds, budgetSeconds*1000)
	}
}
