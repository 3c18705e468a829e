//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// warns says whether a launch said of a driver, in one line, that it is left out.
func warns(r result, of string) bool {
	return regexp.MustCompile(`(?m)^capsule-run: warning: [^\n]*` + regexp.QuoteMeta(of) + `[^\n]*: left out$`).MatchString(r.stderr)
}

// damagedHost is host13 with drivers that no loader could use, and what is said of each.
func damagedHost(t *testing.T) (host string, says []string) {
	host = copyOf(t, "host13")
	const lib, vulkan, egl = "/usr/lib/x86_64-linux-gnu/", "/usr/share/vulkan/icd.d/", "/usr/share/glvnd/egl_vendor.d/"
	icd := func(file, library, says1 string) {
		put(t, host+file, `{"file_format_version": "1.0.0", "ICD": {"library_path": "`+library+`", "api_version": "1.3.0"}}`, 0o644)
		says = append(says, says1)
	}
	put(t, host+vulkan+"00_cut.json", `{"file_format_version": "1.0.0", "ICD": {"lib`, 0o644)
	put(t, host+egl+"00_cut.json", `{`, 0o644)
	says = append(says, host+vulkan+"00_cut.json: corrupt manifest", host+egl+"00_cut.json: corrupt manifest")
	put(t, host+lib+"libtext.so", "no library\n", 0o644)
	icd(vulkan+"01_text.json", "libtext.so", host+lib+"libtext.so: not an ELF file")
	icd(egl+"01_text.json", "libtext.so", host+lib+"libtext.so: not an ELF file")
	whole := readFile(t, host+lib+"libvulkan_lvp.so")
	put(t, host+lib+"libcut.so", whole[:300], 0o644) // cut behind its headers it kills the native program: SIGBUS
	icd(vulkan+"02_cut.json", "libcut.so", host+lib+"libcut.so: program headers: truncated ELF file")
	icd(egl+"02_cut.json", "libcut.so", host+lib+"libcut.so: program headers: truncated ELF file")
	icd(vulkan+"03_gone.json", "libnowhere.so", host+vulkan+"03_gone.json: libnowhere.so not found")
	icd(egl+"03_gone.json", "/opt/nowhere.so", host+egl+"03_gone.json: /opt/nowhere.so not found")
	needing(t, host+lib+"libneeding.so", "libnowhere.so.7")
	icd(vulkan+"04_needing.json", "libneeding.so", host+lib+"libneeding.so needs libnowhere.so.7, which the host does not have")
	icd(egl+"04_needing.json", "libneeding.so", host+lib+"libneeding.so needs libnowhere.so.7, which the host does not have")
	return host, says
}

// needing makes a library that needs one of which there is no file.
func needing(t *testing.T, file, soname string) {
	t.Helper()
	dir := t.TempDir()
	source, needed := filepath.Join(dir, "x.c"), filepath.Join(dir, "lib.so")
	must(t, os.WriteFile(source, []byte("int capsule_test_symbol;\n"), 0o644))
	for _, args := range [][]string{{"-Wl,-soname," + soname, "-o", needed, source}, {"-Wl,--no-as-needed", "-o", file, source, needed}} {
		if out, err := exec.Command("gcc", append([]string{"-shared", "-fPIC"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// devices are what vulkaninfo finds, with the driver's own words.
func devices(out string) []string {
	var found []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "deviceName") || strings.Contains(line, "driverInfo") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return found
}

// A driver that the loaders pass over natively is passed over here, with a line that says so, and
// the devices are the same.
func TestDamagedDrivers(t *testing.T) {
	host, says := damagedHost(t)
	dir, bind := probes(t)
	native := func(argv ...string) string {
		out, err := trees.Enter(t.Context(), host, trees.Probes(t), nil, argv...).Output()
		if err != nil {
			t.Fatalf("natively, %q: %v", argv, err)
		}
		return string(out)
	}
	vulkan, egl := devices(native("vulkaninfo", "--summary")), native("/mnt/bin/egl_small")
	if len(vulkan) != 2 || !strings.Contains(vulkan[0], "llvmpipe") {
		t.Fatalf("natively: %q", vulkan)
	}
	compare := func(t *testing.T, l launch, says []string) {
		t.Helper()
		for _, argv := range [][]string{{"vulkaninfo", "--summary"}, {dir + "/bin/egl_small"}} {
			l.argv = argv
			r := l.run(t)
			if r.status != 0 {
				t.Errorf("%s: exit status %d\n%s", argv[0], r.status, tail(r.both()))
			} else if got := devices(r.stdout); argv[0] == "vulkaninfo" && !slices.Equal(got, vulkan) {
				t.Errorf("got %q, want %q", got, vulkan)
			} else if argv[0] != "vulkaninfo" && r.stdout != egl {
				t.Errorf("got %q, want %q", r.stdout, egl)
			}
			for _, of := range says[:min(len(says), 8)] {
				if !warns(r, of) {
					t.Errorf("%s: no warning of %s:\n%s", argv[0], of, r.stderr)
				}
			}
			if n := strings.Count(r.stderr, "capsule-run: warning: "); n != min(len(says), 9) {
				t.Errorf("%s: %d warnings\n%s", argv[0], n, r.stderr)
			}
		}
	}
	for _, boundary := range []string{"frontend", "driver"} {
		t.Run(boundary, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, "full13"), host: host, flags: append([]string{"--boundary", boundary}, bind...)}
			compare(t, l, toldOrder(t, l, says))
		})
	}
	t.Run("in place", func(t *testing.T) {
		l := launch{runtime: trees.Tree(t, "full13"), host: host, flags: []string{"--isolation", "none"}, argv: []string{"vulkaninfo", "--summary"}}
		if got := devices(l.run(t).stdout); !slices.Equal(got, vulkan) {
			t.Errorf("got %q, want %q", got, vulkan)
		}
	})
	t.Run("a pipe", func(t *testing.T) { // for whose writer the loader would wait
		pipe := host + "/usr/share/vulkan/icd.d/00_cut.json"
		must(t, os.Remove(pipe))
		must(t, unix.Mkfifo(pipe, 0o644))
		l := launch{runtime: trees.Tree(t, "full13"), host: host, flags: []string{"--boundary", "driver"}, argv: []string{"vulkaninfo", "--summary"}}
		if got := devices(l.ok(t).stdout); !slices.Equal(got, vulkan) {
			t.Errorf("got %q, want %q", got, vulkan)
		}
	})
	t.Run("inspect and plan", func(t *testing.T) {
		must(t, os.Remove(host+"/usr/share/vulkan/icd.d/00_cut.json"))
		says := slices.DeleteFunc(slices.Clone(says), func(s string) bool { return strings.Contains(s, "icd.d/00_cut.json") })
		l := launch{runtime: trees.Tree(t, "full13"), host: host}
		for _, command := range []string{"inspect", "plan"} {
			cmd := l.command(t.Context())
			cmd.Args = append([]string{binary, command, "--json"}, l.args()[:4]...)
			out := toEnd(t, t.Context(), cmd).stdout
			for _, of := range says {
				if !strings.Contains(out, of) {
					t.Errorf("%s does not tell of %s", command, of)
				}
			}
		}
	})
}

// toldOrder is that in which a plan tells of drivers that are left out.
func toldOrder(t *testing.T, l launch, says []string) []string {
	p, _ := planOf(t, l.runtime, l.host)
	var out []string
	for _, w := range p.Architectures[0].Warnings {
		for _, of := range says {
			if strings.Contains(w, of) && strings.HasSuffix(w, ": left out") && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	for i, w := range out {
		out[i] = strings.TrimSuffix(w, ": left out")
	}
	return out
}

// Where every driver of an API is damaged all is as on a host without one, and each is told; the
// other APIs are there.
func TestAllDriversOfAnAPIDamaged(t *testing.T) {
	host, none := copyOf(t, "host13"), copyOf(t, "host13")
	files, err := filepath.Glob(host + "/usr/share/vulkan/icd.d/*.json")
	must(t, err)
	for _, f := range files {
		must(t, os.Remove(f))
		must(t, os.WriteFile(f, []byte("{"), 0o644))
		must(t, os.Remove(none+strings.TrimPrefix(f, host)))
	}
	dir, bind := probes(t)
	if out, err := trees.Enter(t.Context(), host, "", nil, "vulkaninfo", "--summary").Output(); err == nil || len(devices(string(out))) != 0 {
		t.Fatalf("natively: %v\n%s", err, out)
	}
	for _, boundary := range []string{"frontend", "driver"} {
		t.Run(boundary, func(t *testing.T) {
			l := launch{runtime: trees.Tree(t, "full13"), host: none, flags: append([]string{"--boundary", boundary}, bind...), argv: []string{"vulkaninfo", "--summary"}}
			want := l.run(t)
			l.host = host
			got := l.run(t)
			if got.status != want.status || !slices.Equal(devices(got.stdout), devices(want.stdout)) || boundary == "frontend" && got.status == 0 {
				t.Errorf("exit status %d, want %d\n%s", got.status, want.status, tail(got.both()))
			}
			for _, f := range files {
				if !warns(got, f) {
					t.Errorf("no warning of %s\n%s", f, got.stderr)
				}
			}
			l.argv = []string{dir + "/bin/egl_small"}
			l.ok(t)
		})
	}
}

// The hook does the same: the container has the others, and the log says at each start which it has
// not.
func TestHookDamagedDrivers(t *testing.T) {
	needsRoot(t, "runc")
	host, says := damagedHost(t)
	out, err := trees.Enter(t.Context(), host, "", nil, "vulkaninfo", "--summary").Output()
	must(t, err)
	want := devices(string(out))
	cache := shared(t)
	b := newBundle(t, "runc", writableRoot(t, trees.Tree(t, "runtime11")), "sh", "-c", "vulkaninfo --summary 2>/dev/null")
	b.hook("createRuntime", hookConfig(t, host), "--gpu=all").withCache(cache)
	for start := range 2 { // the second from the cache
		if got := devices(b.ok().stdout); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("got %q, want %q", got, want)
		}
		log := readFile(t, cache+"/hook.log")
		if n := strings.Count(log, "createRuntime: warning: container "); n != 9*(start+1) {
			t.Errorf("start %d: %d warnings\n%s", start, n, log)
		}
		if !strings.Contains(log, says[0]) || !strings.Contains(log, "2 more drivers are left out") {
			t.Errorf("start %d: not told\n%s", start, log)
		}
	}
}
