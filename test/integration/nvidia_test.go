//go:build integration

package integration

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// NVIDIA's libraries load without a GPU. A program must hear from them on the oldest runtime what it hears on the host:
// the same errors, the same versions, the same machine code from their compilers. Nothing here runs as root: NVIDIA's
// libraries would make device nodes in the machine's /dev.

// nvidia is a way to run the GPU probes natively and in a capsule.
type nvidia struct {
	launch
	t    *testing.T
	home string // for an ordinary user, empty if the tests run as one
	dir  string // of the probes
	// scene is the directory of the doctor's program.
	scene string
	own   []string // flags without --bind
	// inPlace says that there are no namespaces: paths inside are the machine's.
	inPlace bool
}

// ownLibraries is where the doctor's program tells what it had loaded, which are other files in a capsule.
var ownLibraries = regexp.MustCompile(`,"libraries":\[[^\]]*\]`)

func newNVIDIA(t *testing.T, runtime string, flags ...string) *nvidia {
	return newNVIDIAWith(t, trees.GPUProbes(t), runtime, flags...)
}

func newNVIDIAWith(t *testing.T, probes, runtime string, flags ...string) *nvidia {
	n := &nvidia{t: t, dir: probes, own: flags, scene: sceneDir(t, "x86_64")}
	n.launch = launch{runtime: trees.Tree(t, runtime), host: trees.Tree(t, "hostnvidia"),
		flags: append(slices.Clone(flags), "--bind", n.dir+":/gpu:ro", "--bind", trees.Probes(t)+":/probes:ro", "--bind", n.scene+":/scene:ro")}
	if os.Geteuid() == 0 {
		n.home = nobodysHome(t)
	}
	return n
}

// natively runs a program on the host; "/gpu/…" and "/probes/…" are ours.
func (n *nvidia) natively(argv ...string) string {
	n.t.Helper()
	argv, env, dir := slices.Clone(argv), n.env, n.dir
	if strings.HasPrefix(argv[0], "/probes/") {
		dir = trees.Probes(n.t)
	} else if strings.HasPrefix(argv[0], "/scene/") {
		dir = n.scene
	}
	argv[0] = strings.NewReplacer("/gpu/", "/mnt/bin/", "/probes/", "/mnt/bin/", "/scene/", "/mnt/").Replace(argv[0])
	if n.display != nil {
		env = append(slices.Clone(env), n.display.Env()...)
	}
	cmd := trees.Enter(n.t.Context(), n.host, dir, env, argv...)
	cmd.Args = slices.Insert(cmd.Args, 1, "--unshare-user", "--uid", nobody, "--gid", nobody)
	return n.finish(cmd)
}

// inside runs a program in a capsule.
func (n *nvidia) inside(argv ...string) string {
	n.t.Helper()
	l := n.launch
	l.argv = slices.Clone(argv)
	gpu, probes := "/gpu", "/probes"
	if n.inPlace {
		gpu, probes, l.flags = n.dir, trees.Probes(n.t), append([]string{"--isolation", "none"}, n.own...)
	}
	l.argv[0] = strings.NewReplacer("/gpu/", gpu+"/bin/", "/probes/", probes+"/bin/").Replace(l.argv[0])
	cmd := l.command(n.t.Context())
	if n.home != "" {
		args := []string{"setpriv", "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", n.home + "/capsule-run"}
		stdin := cmd.Stdin
		cmd = become(cmd, n.home, append(args, cmd.Args[1:]...))
		cmd.Stdin = stdin
	}
	return n.finish(cmd)
}

// finish returns what a program printed, without times and with its exit status.
func (n *nvidia) finish(cmd *exec.Cmd) string {
	n.t.Helper()
	if n.stdin != "" {
		cmd.Stdin = strings.NewReader(n.stdin)
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		n.t.Fatal(err)
	}
	out = ownLibraries.ReplaceAll(out, nil)
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(l string) bool { return strings.HasPrefix(l, "time ") })
	return strings.Join(lines, "\n") + cmd.ProcessState.String()
}

// same demands one result, and that it says what was seen natively when this was written.
func (n *nvidia) same(want string, argv ...string) {
	n.t.Helper()
	native, inside := n.natively(argv...), n.inside(argv...)
	if inside != native {
		n.t.Errorf("%s natively:\n%s\nin the capsule:\n%s", strings.Join(argv, " "), native, inside)
	}
	if !strings.Contains(native, want) {
		n.t.Errorf("%s natively does not say %q:\n%s", strings.Join(argv, " "), want, native)
	}
}

// functionsOf lists what a library of the host exports.
func functionsOf(t *testing.T, host, triplet, library string) []string {
	t.Helper()
	f, err := elf.Open(filepath.Join(host, "usr/lib", triplet, "nvidia/current", library))
	if errors.Is(err, fs.ErrNotExist) { // one of libglvnd or libvulkan, which Debian moves out of NVIDIA's way
		f, err = elf.Open(filepath.Join(host, "usr/lib/mesa-diverted", triplet, library))
	}
	if errors.Is(err, fs.ErrNotExist) {
		f, err = elf.Open(filepath.Join(host, "usr/lib", triplet, library))
	}
	must(t, err)
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	must(t, err)
	var names []string
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			names = append(names, s.Name)
		}
	}
	return names
}

// resolves looks up the entry points of GL, EGL and Vulkan by each way that there is.
func (n *nvidia) resolves() {
	n.t.Helper()
	gl := functionsOf(n.t, n.host, "x86_64-linux-gnu", "libGL.so.1")
	egl := functionsOf(n.t, n.host, "x86_64-linux-gnu", "libEGL.so.1")
	vulkan := functionsOf(n.t, n.host, "x86_64-linux-gnu", "libvulkan.so.1")
	for _, c := range []struct {
		library, resolver string
		names             []string
		want              string
	}{
		{"libGL.so.1", "", gl, ", 0 missing"},
		{"libEGL.so.1", "", egl, ", 0 missing"},
		{"libvulkan.so.1", "", vulkan, ", 0 missing"},
		{"libGL.so.1", "glXGetProcAddress", gl, ", 0 missing"},
		{"libEGL.so.1", "eglGetProcAddress", append(egl, gl...), " found, "},
		// Without an instance only a few have an address.
		{"libvulkan.so.1", "vkGetInstanceProcAddr", vulkan, "missing: vkCreateDevice\n"},
	} {
		n.stdin = strings.Join(c.names, "\n") + "\n"
		argv := []string{"/gpu/entries", c.library}
		if c.resolver != "" {
			argv = append(argv, c.resolver)
		}
		n.same(c.want, argv...)
	}
	n.stdin = ""
}

func TestNVIDIA(t *testing.T) {
	for _, runtime := range []string{"runtime11", "full11"} {
		t.Run(runtime, func(t *testing.T) {
			n := newNVIDIA(t, runtime, "--boundary", "frontend")
			n.same("cuInit: 100 CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected", "/gpu/cuda")
			n.same("nvmlInit_v2: 9: Driver Not Loaded", "/gpu/nvml")
			n.same("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "nvidia-smi")
			n.same("exit status 9", "nvidia-smi", "-L")
			n.same("NvEncodeAPICreateInstance: 0, 43 functions", "/gpu/media")
			for library, least := range map[string]int{"libcuda.so.1": 600, "libnvidia-ml.so.1": 300, "libnvcuvid.so.1": 30,
				"libnvidia-encode.so.1": 2, "libnvidia-opticalflow.so.1": 3, "libnvidia-fbc.so.1": 10, "libnvoptix.so.1": 1} {
				names := functionsOf(t, n.host, "x86_64-linux-gnu", library)
				if len(names) < least {
					t.Errorf("%s exports only %d functions", library, len(names))
				}
				n.stdin = strings.Join(names, "\n") + "\n"
				n.same(", 0 missing\nexit status 0", "/gpu/entries", library)
				n.stdin = ""
			}
			n.resolves()
			n.env = []string{"__EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json"}
			// Its GLX meets an X server that is not its own: an error of the extension that only NVIDIA's has.
			n.env, n.display = []string{"__GLX_VENDOR_LIBRARY_NAME=nvidia"}, xvfb.Start(t)
			n.same("GLX core 4.5: no context", "/probes/contexts", "glx")
			n.env = nil
			n.same("GLX core 4.5: 4.5 (Core Profile) Mesa", "/probes/contexts", "glx")
		})
	}
}

// The same with 32-bit libraries and programs. The 32-bit libcuda has text relocations.
func TestNVIDIAI386(t *testing.T) {
	n := newNVIDIAWith(t, trees.GPUProbesI386(t), "runtime11both")
	n.same("cuInit: 100 CUDA_ERROR_NO_DEVICE: ", "/gpu/cuda")
	n.same("nvmlInit_v2: 9: Driver Not Loaded", "/gpu/nvml")
	for _, library := range []string{"libcuda.so.1", "libnvidia-ml.so.1"} {
		n.stdin = strings.Join(functionsOf(t, n.host, "i386-linux-gnu", library), "\n") + "\n"
		n.same(", 0 missing\nexit status 0", "/gpu/entries", library)
	}
}

// The compilers of the driver are large programs in themselves: what they make is the same to the byte.
func TestNVIDIACompilers(t *testing.T) {
	n := newNVIDIA(t, "runtime11", "--library", "libnvidia-ptxjitcompiler.so.1", "--library", "libnvidia-nvvm.so.4")
	n.same("machine code for --gpu-name=sm_90: ", "/gpu/compilers", "ptx")
	n.same("Parsing error near 'this': syntax error", "/gpu/compilers", "ptx")
	n.same("mul.f32", "/gpu/compilers", "nvvm")
	n.inPlace = true // and without namespaces
	n.same("machine code for --gpu-name=sm_90: ", "/gpu/compilers", "ptx")
	n.same("mul.f32", "/gpu/compilers", "nvvm")
	n.same("cuInit: 100 CUDA_ERROR_NO_DEVICE: ", "/gpu/cuda")
	n.same("nvmlInit_v2: 9: Driver Not Loaded", "/gpu/nvml")
	n.same("NVIDIA-SMI has failed", "nvidia-smi")
}

// At the driver boundary the runtime's loaders meet stubs for the vendor's libraries.
func TestNVIDIADriverBoundary(t *testing.T) {
	n := newNVIDIA(t, "full11", "--boundary", "driver")
	n.same("interface 5: -3, 5", "/gpu/vendor", "vulkan", "libGLX_nvidia.so.0")
	n.same("__glx_Main: 0", "/gpu/vendor", "glx", "libGLX_nvidia.so.0")
	n.same("__egl_Main: 0", "/gpu/vendor", "egl", "libEGL_nvidia.so.0")
	n.same("vkCreateInstance: VK_ERROR_INCOMPATIBLE_DRIVER", "/scene/capsule-scene", "vulkan", "/dev/null")
	n.same("cuInit: 100 ", "/gpu/cuda")
	n.stdin = strings.Join(functionsOf(t, n.host, "x86_64-linux-gnu", "libGLX_nvidia.so.0"), "\n") + "\n"
	n.same(", 0 missing\n", "/gpu/entries", "libGLX_nvidia.so.0")
	n.stdin, n.env = "", []string{"__EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json"}
	n.same("EGL has no devices", "/scene/capsule-scene", "gl-device", "/dev/null")
	n.env, n.display = []string{"__GLX_VENDOR_LIBRARY_NAME=nvidia"}, xvfb.Start(t)
	n.same("GLX core 4.5: no context", "/probes/contexts", "glx")
}

// A server may have the driver for computing and nothing else, in a directory of its own that only a variable leads to.
func TestNVIDIAComputeOnly(t *testing.T) {
	from := trees.Tree(t, "hostnvidia")
	host, err := os.MkdirTemp("", "capsule-compute-") // where an ordinary user may enter
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(host) })
	must(t, os.Chmod(host, 0o755))
	for _, d := range []string{"proc", "dev", "sys", "tmp", "mnt", "etc", "lib64", "usr/lib/x86_64-linux-gnu", "usr/local/nvidia/lib64",
		"usr/local/nvidia/bin"} {
		must(t, os.MkdirAll(filepath.Join(host, d), 0o755))
	}
	must(t, os.Symlink("usr/lib", filepath.Join(host, "lib")))
	const multiarch = "usr/lib/x86_64-linux-gnu/"
	for _, name := range []string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2"} {
		copyFile(t, filepath.Join(from, multiarch, name), filepath.Join(host, multiarch, name))
	}
	copyFile(t, filepath.Join(from, multiarch, "ld-linux-x86-64.so.2"), filepath.Join(host, "lib64/ld-linux-x86-64.so.2"))
	for _, name := range []string{"libcuda.so.1", "libnvidia-ml.so.1", "libnvidia-ptxjitcompiler.so.1"} {
		copyFile(t, filepath.Join(from, multiarch, "nvidia/current", name), filepath.Join(host, "usr/local/nvidia/lib64", name))
	}
	copyFile(t, filepath.Join(from, "usr/lib/nvidia/current/nvidia-smi"), filepath.Join(host, "usr/local/nvidia/bin/nvidia-smi"))

	n := newNVIDIA(t, "runtime11", "--library", "libnvidia-ptxjitcompiler.so.1")
	n.host, n.env = host, []string{"LD_LIBRARY_PATH=/usr/local/nvidia/lib64"}
	n.same("cuInit: 100 CUDA_ERROR_NO_DEVICE: ", "/gpu/cuda")
	n.same("nvmlInit_v2: 9: Driver Not Loaded", "/gpu/nvml")
	n.same("machine code for --gpu-name=sm_90: ", "/gpu/compilers", "ptx")
	native, inside := n.natively("/usr/local/nvidia/bin/nvidia-smi"), n.inside("nvidia-smi")
	if native != inside || !strings.Contains(native, "NVIDIA-SMI has failed") {
		t.Errorf("nvidia-smi natively:\n%s\nin the capsule:\n%s", native, inside)
	}
}

// What NVIDIA's libraries open while they run, and is no DT_NEEDED of theirs, the capsule must have too. ld.so itself tells
// what was loaded.
func TestNVIDIALoads(t *testing.T) {
	initialised := regexp.MustCompile(`calling init: (\S*/)(lib\S*?)\.so`)
	loaded := func(out, below string) (names []string) {
		for _, m := range initialised.FindAllStringSubmatch(out, -1) {
			if strings.HasPrefix(m[1], below) && regexp.MustCompile(`nvidia|cuda|nvcuvid|nvoptix`).MatchString(m[2]) {
				names = append(names, m[2])
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	n := newNVIDIA(t, "runtime11")
	n.display = xvfb.Start(t)
	n.env = []string{"LD_DEBUG=files", "__GLX_VENDOR_LIBRARY_NAME=nvidia",
		"__EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json"}
	all := 0
	for _, argv := range [][]string{{"/gpu/cuda"}, {"/scene/capsule-scene", "gl-device", "/dev/null"},
		{"/scene/capsule-scene", "vulkan", "/dev/null"}, {"/gpu/media"}, {"/probes/contexts", "glx"}} {
		want, got := loaded(n.natively(argv...), "/"), loaded(n.inside(argv...), "/usr/lib/capsule/x86_64-linux-gnu/host/")
		if !slices.Equal(got, want) {
			t.Errorf("%s loads natively\n%q\nin the capsule\n%q", argv[0], want, got)
		}
		all += len(want)
	}
	if all < 20 { // 9 of Vulkan alone
		t.Errorf("ld.so told of %d libraries only", all)
	}
}
