package hostlibs

import (
	"debug/elf"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

// bad is what may be at a library's name, and what is said of it; nothing where it is left out
// without a word.
var bad = []struct {
	name  string
	files map[string]string // beside BAD, the library
	says  string
}{
	{"text", map[string]string{"BAD": "INPUT(x)\n# a linker script"}, "libbad.so: not an ELF file"},
	{"empty", map[string]string{"BAD": " "}, "libbad.so: not an ELF file"},
	{"header cut short", map[string]string{"BAD": lib("libbad.so")[:40]}, "libbad.so: truncated ELF file"},
	{"cut short", map[string]string{"BAD": lib("libbad.so")[:200]}, "libbad.so: program headers: truncated ELF file"},
	{"a needed library is not there", map[string]string{"BAD": lib("libbad.so", "libgone.so.7")}, "libbad.so needs libgone.so.7, which the host does not have"},
	{"what that needs", map[string]string{"BAD": lib("libbad.so", "libmid.so"), multiarch + "libmid.so": lib("libmid.so", "libgone.so.7")},
		"libbad.so cannot be loaded: host library /"},
	{"a needed library is text", map[string]string{"BAD": lib("libbad.so", "libmid.so"), multiarch + "libmid.so": "text"}, "libbad.so needs a damaged one: host library /"},
	{"of another architecture", map[string]string{"BAD": string(elftest.Lib{Machine: elf.EM_AARCH64}.Bytes())}, ""},
}

// damagedKinds are the ways in which a driver gets into the stack: where its library is, and what
// names it.
var damagedKinds = []struct {
	api, library string
	manifest     string // empty: it is found by its name
	text         func(library string) string
}{
	{"Vulkan", multiarch + "libbad.so", "usr/share/vulkan/icd.d/bad.json", icd},
	{"EGL", multiarch + "libbad.so", "usr/share/glvnd/egl_vendor.d/10_bad.json", icd},
	{"EGL", multiarch + "libbad.so", "usr/share/egl/egl_external_platform.d/bad.json", icd},
	{"OpenCL", multiarch + "libbad.so", "etc/OpenCL/vendors/bad.icd", func(library string) string { return library + "\n" }},
	{"OpenXR", multiarch + "libbad.so", "etc/openxr/1/active_runtime.json",
		func(library string) string {
			return `{"file_format_version": "1.0.0", "runtime": {"library_path": "` + library + `"}}`
		}},
	{"GL", multiarch + "libGLX_bad.so.0", "", nil},
	{"GL", multiarch + "dri/bad_dri.so", "", nil},
	{"GBM", multiarch + "gbm/bad_gbm.so", "", nil},
	{"VA-API", multiarch + "dri/bad_drv_video.so", "", nil},
	{"VDPAU", multiarch + "vdpau/libvdpau_bad.so.1", "", nil},
}

// A driver that its loader would pass over is left out and told, and the stack is the one of a host
// without it.
func TestDamagedDriver(t *testing.T) {
	want := shown(discover(t, host(), Options{}))
	for _, k := range damagedKinds {
		for _, b := range bad {
			t.Run(k.library[len(multiarch):]+" "+k.manifest+" "+b.name, func(t *testing.T) {
				files := host()
				for name, text := range b.files {
					if name == "BAD" {
						name = k.library
					}
					files[name] = text
				}
				says := strings.ReplaceAll(b.says, "libbad.so", k.library)
				if k.manifest != "" {
					if says == "" {
						says = k.manifest + ": libbad.so not found"
					}
					files[k.manifest] = k.text("libbad.so")
				}
				check(t, files, k.api, says, want)
			})
		}
	}
}

// check compares what is found with what is to be.
func check(t *testing.T, files map[string]string, api, says string, want []string) {
	t.Helper()
	s := discover(t, files, Options{})
	left := leftOutBesides(s)
	if says == "" && len(left) != 0 || says != "" && (len(left) != 1 || !strings.HasPrefix(left[0], api+": ") ||
		!strings.Contains(left[0], says) || !strings.HasSuffix(left[0], ": left out") || strings.Contains(left[0], "\n")) {
		t.Errorf("got %q, want %s: %s", left, api, says)
	}
	if len(s.Problems) != 0 {
		t.Errorf("problems: %q", s.Problems)
	}
	if got := shown(s); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, m := range s.Manifests {
		if strings.Contains(m.Path, "bad") && (m.Library != nil || m.Skipped == "") {
			t.Errorf("%+v", m)
		}
	}
}

// shown are a stack's libraries and manifests.
func shown(s *Stack) []string {
	out := names(s.Libraries)
	for _, m := range s.Manifests {
		if m.Library != nil {
			out = append(out, m.Path)
		}
	}
	for _, d := range s.Data { // of the manifests' directories
		for _, f := range d.Files {
			out = append(out, f.Path)
		}
	}
	return out
}

// What the loaders of Debian 13 do with the same files was looked at (libvulkan 1.4.309, libglvnd
// 1.7.0): they pass over each but the last, and Vulkan's waits for the pipe for ever.
func TestDamagedManifest(t *testing.T) {
	want := shown(discover(t, host(), Options{}))
	const vulkan, egl, platform, opencl = "usr/share/vulkan/icd.d/bad.json", "usr/share/glvnd/egl_vendor.d/10_bad.json",
		"usr/share/egl/egl_external_platform.d/bad.json", "etc/OpenCL/vendors/bad.icd"
	for _, c := range []struct{ name, text, says string }{
		{"no JSON", `{"ICD": {"lib`, "corrupt manifest: unexpected end of JSON input"},
		{"empty", " ", "corrupt manifest"},
		{"an array", "[]", "corrupt manifest"},
		{"ICD is an array", `{"file_format_version": "1.0.0", "ICD": []}`, "corrupt manifest: ICD"},
		{"library_path is a number", `{"file_format_version": "1.0.0", "ICD": {"library_path": 3, "api_version": "1"}}`, "corrupt manifest: library_path is no proper string"},
		{"library_path is not there", `{"file_format_version": "1.0.0", "ICD": {"api_version": "1"}}`, "names no library"},
		{"the library is not there", icd("libnowhere.so"), "libnowhere.so not found"},
		{"nor by path", icd("/opt/nowhere.so"), "/opt/nowhere.so not found"},
		{"the library is a directory", icd("/usr/share"), "/usr/share is not a regular file"},
		{"a pipe", aPipe, "not a regular file"},
		{"a socket", aSocket, "not a regular file"},
		{"a directory", aDirectory, "is a directory"},
		{"a link to nothing", "-> nowhere", "there is no such file"},
		{"a link to itself", "-> SELF", "too many levels of symbolic links"},
		{"too large", icd("libvulkan_lvp.so") + strings.Repeat(" ", maxManifest), "file too large"},
		{"nested deeply", strings.Repeat(`{"ICD":`, 20000), "corrupt manifest"},
		{"for another architecture", icd("/usr/lib/i386-linux-gnu/libvulkan_lvp.so"), ""},
		{"for another architecture by name", icd("lib32only.so"), ""},
	} {
		for file, api := range map[string]string{vulkan: "Vulkan", egl: "EGL", platform: "EGL"} {
			t.Run(file+" "+c.name, func(t *testing.T) {
				text := strings.ReplaceAll(c.text, "SELF", file[strings.LastIndex(file, "/")+1:])
				files := edited(map[string]string{file: text, "usr/lib/i386-linux-gnu/lib32only.so": string(elftest.Lib{Machine: elf.EM_386}.Bytes())})
				check(t, files, api, c.says, want)
			})
		}
	}
	for name, c := range map[string]struct{ file, text, api, says string }{
		"no version of the format":      {vulkan, `{"ICD": {"library_path": "libvulkan_lvp.so", "api_version": "1"}}`, "Vulkan", "it has no file_format_version"},
		"no version of the API":         {vulkan, `{"file_format_version": "7", "ICD": {"library_path": "libvulkan_lvp.so"}}`, "Vulkan", "it has no ICD.api_version"},
		"the version is a number":       {vulkan, `{"file_format_version": 1, "ICD": {"library_path": "libvulkan_lvp.so", "api_version": "1"}}`, "Vulkan", "file_format_version is no proper string"},
		"no version, EGL":               {egl, `{"ICD": {"library_path": "libEGL_mesa.so.0"}}`, "EGL", "it has no file_format_version"},
		"a version of the format, EGL":  {egl, `{"file_format_version": "1.1.0", "ICD": {"library_path": "libEGL_mesa.so.0"}}`, "EGL", `its loader does not know file_format_version "1.1.0"`},
		"a path that is relative, EGL":  {egl, icd("../x86_64-linux-gnu/libEGL_mesa.so.0"), "EGL", "relative to the working directory"},
		"a line that is no path":        {opencl, "a\x00b", "OpenCL", "the first line is no path"},
		"a pipe":                        {opencl, aPipe, "OpenCL", "not a regular file"},
		"no name":                       {opencl, " \n", "OpenCL", "names no library"},
		"a link to nothing":             {opencl, "-> nowhere", "OpenCL", "there is no such file"},
		"a library that is not there":   {opencl, "libnowhere.so", "OpenCL", "libnowhere.so not found"},
		"the text is cut short, OpenXR": {"etc/openxr/1/active_runtime.json", "{", "OpenXR", "corrupt manifest"},
	} {
		t.Run(name, func(t *testing.T) { check(t, edited(map[string]string{c.file: c.text}), c.api, c.says, want) })
	}
	// What only looks odd is used.
	for file, text := range map[string]string{
		vulkan: `{"file_format_version": "7.5", "ICD": {"library_path": "libvulkan_lvp.so", "api_version": 1}}`,
		egl:    "\xef\xbb\xbf" + `{"file_format_version": "1.0x", "ICD": {"library_path": "libEGL_mesa.so.0"}} text`,
	} {
		s := discover(t, edited(map[string]string{file: text}), Options{})
		if left := leftOutBesides(s); len(left) != 0 || !slices.ContainsFunc(s.Manifests, func(m *Manifest) bool { return m.Path == "/"+file && m.Library != nil }) {
			t.Errorf("%s: left out %q", file, left)
		}
	}
}

// Damage that shows late, when symbols are read, and several drivers that need the same damaged
// library.
func TestDamagedLate(t *testing.T) {
	s := discover(t, edited(map[string]string{multiarch + "libvulkan_lvp.so": damagedSymbols(t, "libvulkan_lvp.so")}), Options{})
	left := leftOutBesides(s)
	if len(left) != 1 || !strings.HasPrefix(left[0], "Vulkan: ") || !strings.Contains(left[0], "libvulkan_lvp.so: symbol 1: corrupt ELF file") || s.library("libvulkan_lvp.so") != nil {
		t.Errorf("left out %q", left)
	}
	if s.library("libLLVM.so.19.1") == nil { // libgallium's too
		t.Error("libLLVM.so.19.1 is not there")
	}
	s = discover(t, edited(map[string]string{"usr/lib/llvm-19/lib/libLLVM.so.19.1": lib("libLLVM.so.19.1")[:200]}), Options{})
	for _, l := range s.Libraries {
		if len(l.Uses) > 0 && l.Role != RoleFrontEnd && l.Name != "libvendor.so" && l.Name != "libdril_dri.so" {
			t.Errorf("%s is there: %s", l.Name, l.Why)
		}
	}
	apis := map[string]bool{}
	for _, text := range leftOutBesides(s) {
		if !strings.Contains(text, "libLLVM.so.19.1: program headers: truncated ELF file") {
			t.Errorf("left out %q", text)
		}
		apis[text[:strings.Index(text, ":")]] = true
	}
	if got := slices.Sorted(maps.Keys(apis)); !slices.Equal(got, []string{"EGL", "GBM", "GL", "Vulkan"}) {
		t.Errorf("left out for %q", got)
	}
	if s.library("libGL.so.1") == nil || s.library("libLLVM.so.19.1") != nil {
		t.Errorf("%q", names(s.Libraries))
	}
}

// The file that counts for OpenXR counts when it is damaged, too: its loader does not look for
// another.
func TestDamagedRuntimeOfOpenXR(t *testing.T) {
	files := edited(map[string]string{"etc/openxr/1/active_runtime.json": `{"runtime": {"library_path": "libunrelated.so.1"}}`})
	if s := discover(t, files, Options{}); s.library("libunrelated.so.1").use("OpenXR") == nil {
		t.Fatal("not found")
	}
	files["etc/openxr/1/active_runtime.x86_64.json"] = "{"
	s := discover(t, files, Options{})
	if left := leftOutBesides(s); s.library("libunrelated.so.1") != nil || len(left) != 1 {
		t.Errorf("another is used: left out %q", left)
	}
}

// The whole layers of a file with several are used.
func TestLayersOfOneDamagedFile(t *testing.T) {
	const file = "usr/share/vulkan/explicit_layer.d/several.json"
	s := discover(t, edited(map[string]string{multiarch + "libtext.so": "text",
		file: `{"layers": [{"name": "A", "library_path": "libtext.so"}, {"name": "B", "library_path": "libunrelated.so.1"}]}`}), Options{})
	if s.library("libunrelated.so.1").use("Vulkan") == nil || len(s.Problems) != 1 || len(leftOutBesides(s)) != 0 {
		t.Errorf("problems %q, left out %q", s.Problems, s.LeftOut)
	}
}

// leftOutBesides are the drivers left out but for the two that host has always something wrong
// with.
func leftOutBesides(s *Stack) (out []string) {
	for _, text := range s.LeftOut {
		if strings.Contains(text, "icd.d/none.json: libvulkan_none.so not found") || strings.Contains(text, "icd.d/empty.json: names no library") {
			continue
		}
		out = append(out, text)
	}
	return out
}
