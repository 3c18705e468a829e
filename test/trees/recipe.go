package trees

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Recipe says how one tree is made. Every field takes part in the hash that names the tree's directory.
type Recipe struct {
	Name    string
	Suite   string   // Debian release, by its code name
	Arch    string   // Debian architecture
	Variant string   // mmdebstrap's --variant; "extract" unpacks packages without running anything of them
	Include []string // packages beyond the variant's own
	// Components of the archive; none: main.
	Components []string `json:",omitempty"`
	// From names a tree to start from by hard links instead of calling mmdebstrap.
	From string
	// Prune lists what is deleted afterwards. A pattern without a slash is matched against file names in
	// the library directories (lib*, usr/lib*, usr/local/lib*, at any depth); one with a slash is a path below the root.
	Prune []string
	// Ldconfig regenerates etc/ld.so.cache by the tree's own ldconfig, as a release's image builder would.
	Ldconfig bool
	// MergedUsr links lib, bin and sbin into usr, which the "extract" variant, having no base-files, leaves out.
	MergedUsr bool `json:",omitempty"`
	// Format is raised when the way all trees are made changes.
	Format int
}

// format is part of every recipe's hash.
const format = 1

// Mesa, libglvnd and Vulkan: what a host provides and a pruned runtime must not have. libGLU and libGLEW are
// clients of GL and stay; so do libdrm and libgbm, which SDL2 names in DT_NEEDED, but not the drivers
// that libgbm opens (gbm/, dri/, libgallium).
func gpuLibraries(triplet string) []string {
	return []string{
		"libGL.so*", "libGLX.so*", "libGLX_*.so*", "libGLdispatch.so*", "libGLESv*.so*", "libOpenGL.so*",
		"libEGL.so*", "libEGL_*.so*", "libglapi*.so*", "libgallium*.so*", "libLLVM*.so*",
		"libvulkan*.so*", "libVkLayer*.so*", "libMesaOpenCL*.so*",
		"usr/lib/" + triplet + "/dri", "usr/lib/" + triplet + "/gbm",
		"usr/share/vulkan", "etc/vulkan", "usr/share/glvnd", "etc/glvnd", "usr/share/drirc.d",
	}
}

const (
	amd64 = "x86_64-linux-gnu"
	i386  = "i386-linux-gnu"
	arm64 = "aarch64-linux-gnu"
)

var hostPackages = []string{
	"libgl1", "libegl1", "libgles1", "libgles2", "libopengl0", "libglx-mesa0", "libegl-mesa0",
	"libgl1-mesa-dri", "libgbm1", "mesa-vulkan-drivers", "libvulkan1", "mesa-utils", "vulkan-tools",
}

func runtimePackages(more ...string) []string {
	return append([]string{
		"mesa-utils", "vulkan-tools", "libvulkan1", "mesa-vulkan-drivers", "neverball",
		"libegl1", "libgles2", "libgl1", "libopengl0", "libgl1-mesa-dri", "libjemalloc2", "bash", "procps",
	}, more...)
}

var sdkPackages = []string{
	"gcc", "g++", "binutils", "libc6-dev", "libx11-dev", "libx11-xcb-dev", "libxcb1-dev",
	"libgl-dev", "libglx-dev", "libegl-dev", "libgles-dev", "libvulkan-dev",
}

// nvidiaPackages are NVIDIA's user-space libraries without a kernel module. They load on a machine without a GPU. Debian
// keeps them behind /etc/alternatives. libGL and the like come with Mesa, as on a machine with two vendors' GPUs.
var nvidiaPackages = []string{
	"libgl1", "libegl1", "libgles2", "libopengl0", "libvulkan1", "mesa-utils", "vulkan-tools",
	"libglx-nvidia0", "libegl-nvidia0", "nvidia-egl-icd", "libnvidia-egl-gbm1", "libnvidia-allocator1", "nvidia-vulkan-icd",
	"libcuda1", "libcuda1:i386", "libnvidia-ml1", "libnvidia-ml1:i386", "libnvidia-encode1", "libnvcuvid1",
	"libnvidia-opticalflow1", "libnvidia-fbc1", "libnvidia-ptxjitcompiler1", "libnvidia-nvvm4", "libnvoptix1",
	"libnvidia-ngx1", "nvidia-opencl-icd", "nvidia-vdpau-driver", "nvidia-smi",
}

// computeHostPackages have also what pocl compiles kernels with.
var computeHostPackages = []string{
	"libgl1", "libglx-mesa0", "libegl1", "libegl-mesa0", "libgl1-mesa-dri",
	"ocl-icd-libopencl1", "pocl-opencl-icd", "mesa-opencl-icd", "clinfo",
	"libva2", "libva-x11-2", "libva-drm2", "libva-wayland2", "libva-glx2", "mesa-va-drivers", "vainfo",
	"libvdpau1", "libvdpau-va-gl1", "mesa-vdpau-drivers", "vdpauinfo",
}

var computePackages = []string{
	"clinfo", "hashcat", "vainfo", "vdpauinfo", "ocl-icd-libopencl1", "libgl1", "libegl1", "bash", "procps",
}

var computeSDK = []string{"opencl-c-headers", "ocl-icd-opencl-dev", "libva-dev"}

// both names packages for x86-64 and for 32-bit x86.
func both(packages []string) []string {
	out := slices.Clone(packages)
	for _, p := range packages {
		out = append(out, p+":i386")
	}
	return out
}

// cross names the packages that make programs for arm64 on amd64.
func cross(packages []string) []string {
	out := []string{"gcc-aarch64-linux-gnu", "g++-aarch64-linux-gnu"}
	for _, p := range packages {
		if strings.HasPrefix(p, "lib") {
			out = append(out, p+":arm64")
		}
	}
	return out
}

// unconfigured is what a tree of packages that are only unpacked needs besides: the links of a merged /usr, ldconfig, users,
// a shell.
var unconfigured = []string{"base-files", "base-passwd", "libc-bin", "dash"}

var recipes = []Recipe{
	{Name: "host13", Suite: "trixie", Include: hostPackages},
	{Name: "full11", Suite: "bullseye", Include: runtimePackages("mesa-utils-extra", "extremetuxracer", "weston")},
	{Name: "full12", Suite: "bookworm", Include: runtimePackages("glmark2-x11")},
	{Name: "full13", Suite: "trixie", Include: runtimePackages("glmark2-x11")},
	{Name: "runtime11", From: "full11", Prune: gpuLibraries(amd64), Ldconfig: true},
	{Name: "runtime12", From: "full12", Prune: gpuLibraries(amd64), Ldconfig: true},
	{Name: "runtime13", From: "full13", Prune: gpuLibraries(amd64), Ldconfig: true},
	{Name: "sdk11", Suite: "bullseye", Include: append(computeSDK, sdkPackages...)},
	{Name: "sdk13", Suite: "trixie", Include: append(computeSDK, sdkPackages...)},
	// The same for 32-bit x86; an x86-64 machine runs all of it.
	{Name: "host13i386", Suite: "trixie", Arch: "i386", Include: hostPackages},
	{Name: "full11i386", Suite: "bullseye", Arch: "i386", Include: runtimePackages("mesa-utils-extra")},
	{Name: "full12i386", Suite: "bookworm", Arch: "i386", Include: runtimePackages()},
	{Name: "full13i386", Suite: "trixie", Arch: "i386", Include: runtimePackages()},
	{Name: "runtime11i386", From: "full11i386", Prune: gpuLibraries(i386), Ldconfig: true},
	{Name: "runtime12i386", From: "full12i386", Prune: gpuLibraries(i386), Ldconfig: true},
	{Name: "runtime13i386", From: "full13i386", Prune: gpuLibraries(i386), Ldconfig: true},
	{Name: "sdk11i386", Suite: "bullseye", Arch: "i386", Include: sdkPackages},
	{Name: "sdk13i386", Suite: "trixie", Arch: "i386", Include: sdkPackages},
	// Both at once, as a game launcher's 64-bit program starts 32-bit games.
	{Name: "host13both", Suite: "trixie", Arch: "amd64,i386", Include: both(hostPackages[:len(hostPackages)-2])},
	{Name: "full11both", Suite: "bullseye", Arch: "amd64,i386", Include: append(both([]string{"libgl1", "libegl1",
		"libgles2", "libx11-6", "libx11-xcb1", "libstdc++6", "libvulkan1"}), "mesa-utils", "bash", "procps")},
	{Name: "runtime11both", From: "full11both", Prune: append(gpuLibraries(amd64), gpuLibraries(i386)...), Ldconfig: true},
	// Debian 12's tests of GL; the full tree is the host and the native reference, valgrind is for both.
	{Name: "fullpiglit12", Suite: "bookworm", Include: runtimePackages("piglit", "valgrind")},
	{Name: "piglit12", From: "fullpiglit12", Prune: gpuLibraries(amd64), Ldconfig: true},
	// Vulkan layers on both sides, one of them on each.
	{Name: "host13layers", Suite: "trixie", Include: []string{"libvulkan1", "mesa-vulkan-drivers", "vulkan-validationlayers",
		"mangohud", "libgl1", "libegl1", "libgl1-mesa-dri"}},
	{Name: "layers11", Suite: "bullseye", Include: []string{"libvulkan1", "vulkan-tools", "vulkan-validationlayers", "procps"}},
	// A runtime whose programs talk to what a desktop runs: D-Bus, portals, PulseAudio, PipeWire.
	{Name: "desktop11", Suite: "bullseye", Variant: "extract", Ldconfig: true, Include: append(unconfigured, "bash", "coreutils", "dbus",
		"libglib2.0-bin", "pipewire-bin", "libspa-0.2-modules", "pulseaudio-utils", "mesa-utils", "libgl1", "x11-utils"),
		Prune: gpuLibraries(amd64)},
	// Browsers that put themselves into sandboxes: WebKitGTK's is bubblewrap, with /usr/lib and
	// /etc and without /run.
	{Name: "web12", Suite: "bookworm", Include: []string{"epiphany-browser", "chromium", "bubblewrap", "libegl1", "libgl1", "libgl1-mesa-dri",
		"libglx-mesa0", "libvulkan1", "mesa-vulkan-drivers", "fonts-dejavu-core", "dbus", "procps"}},
	// OpenXR: Monado and a layer on the host, a program and another layer in the runtime.
	{Name: "host13xr", Suite: "trixie", Include: []string{"libopenxr-loader1", "libopenxr1-monado", "monado-service",
		"openxr-layer-apidump", "libvulkan1", "mesa-vulkan-drivers", "libgl1", "libegl1", "libgl1-mesa-dri", "libopengl0", "libxxf86vm1"}},
	{Name: "xr11", Suite: "bullseye", Include: []string{"libopenxr-utils", "openxr-layer-corevalidation", "libvulkan1", "procps"}},
	// Computing and video: what of them works without a GPU.
	{Name: "host13compute", Suite: "trixie", Include: computeHostPackages},
	{Name: "full11compute", Suite: "bullseye", Include: computePackages},
	{Name: "runtime11compute", From: "full11compute", Prune: append(gpuLibraries(amd64), "libOpenCL.so*", "libva*.so*",
		"libvdpau*.so*", "usr/lib/"+amd64+"/vdpau", "etc/OpenCL"), Ldconfig: true},
	// A machine whose containers are Docker's, to be entered by chroot and by pivot_root.
	{Name: "docker13", Suite: "trixie", Include: []string{"docker.io", "docker-cli", "iptables", "ca-certificates", "procps"}},
	{Name: "hostsid", Suite: rolling, Include: hostPackages},
	// For aarch64, of which the machine can run nothing without qemu: packages are only unpacked.
	{Name: "host13arm64", Suite: "trixie", Arch: "arm64", Variant: "extract", Include: append(unconfigured, hostPackages...),
		Ldconfig: true},
	{Name: "runtime11arm64", Suite: "bullseye", Arch: "arm64", Variant: "extract", Include: append(unconfigured, "mesa-utils",
		"mesa-utils-extra", "vulkan-tools", "libegl1", "libgles2", "libgl1", "libx11-xcb1", "libstdc++6"),
		Prune: gpuLibraries(arm64), Ldconfig: true},
	{Name: "sdk11arm64", Suite: "bullseye", Arch: "amd64,arm64", Include: cross(sdkPackages)},
	{Name: "sdk13arm64", Suite: "trixie", Arch: "amd64,arm64", Include: cross(sdkPackages)},
	// NVIDIA's libraries besides Mesa; of the 32-bit ones those that need no others.
	{Name: "hostnvidia", Suite: "trixie", Arch: "amd64,i386", Include: nvidiaPackages,
		Components: []string{"main", "contrib", "non-free"}},
	// Two trees that no capsule can run: another libc, and an architecture without one.
	{Name: "musl", Suite: "trixie", Variant: "extract", Include: []string{"musl"}, MergedUsr: true},
	{Name: "foreign", Suite: "trixie", Variant: "extract", Arch: "riscv64", Include: []string{"libc6"}, MergedUsr: true},
}

// rolling is the suite that changes from day to day, and is at times not to be installed: only `make matrix` asks for
// its trees.
const rolling = "sid"

// Names lists the trees that Get can make at any time, those that others start from first.
func Names() []string {
	var names []string
	for _, r := range recipes {
		if r.Suite != rolling {
			names = append(names, r.Name)
		}
	}
	return names
}

// Lookup returns the recipe of the named tree with its defaults filled in.
func Lookup(name string) (Recipe, error) {
	i := slices.IndexFunc(recipes, func(r Recipe) bool { return r.Name == name })
	if i < 0 {
		return Recipe{}, fmt.Errorf("no tree is called %q (there are %s)", name, strings.Join(Names(), ", "))
	}
	r := recipes[i]
	r.Format = format
	if r.From == "" {
		if r.Arch == "" {
			r.Arch = "amd64"
		}
		if r.Variant == "" {
			r.Variant = "minbase"
		}
	}
	return r, nil
}

// hash identifies what the recipe, and the recipe it starts from, make.
func (r Recipe) hash() (string, error) {
	parent := ""
	if r.From != "" {
		p, err := Lookup(r.From)
		if err != nil {
			return "", err
		}
		if parent, err = p.hash(); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode recipe %s: %w", r.Name, err)
	}
	return shortHash(text, []byte(parent)), nil
}

// shortHash is 40 bits of SHA-256: enough to tell the few recipes of one cache apart.
func shortHash(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil)[:5])
}
