package cdi

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	cdiapi "tags.cncf.io/container-device-interface/pkg/cdi"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

var options = Options{Hook: "/usr/bin/capsule-run", Args: []string{"hook", Stage}}

// fixture is a machine: lines "path = content", "path -> target" and "path : MAJOR:MINOR MODE GID", which stands for a node.
func fixture(t *testing.T, lines ...string) *hostgpu.Devices {
	t.Helper()
	dir := t.TempDir()
	nodes := map[string]hostgpu.NodeInfo{}
	for _, l := range lines {
		p, target, link := strings.Cut(l, " -> ")
		p, node, isNode := strings.Cut(p, " : ")
		p, content, _ := strings.Cut(p, " = ")
		full := filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if link {
			err = os.Symlink(target, full)
		} else {
			err = os.WriteFile(full, []byte(strings.ReplaceAll(content, "|", "\n")), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if isNode {
			i := hostgpu.NodeInfo{Char: true, Access: true}
			if _, err := fmt.Sscanf(node, "%d:%d %o %d", &i.Major, &i.Minor, &i.Mode, &i.GID); err != nil {
				t.Fatal(err)
			}
			nodes["/"+p] = i
		}
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	d, err := hostgpu.Discover(root, hostgpu.Options{Examine: func(_ *rootfs.Root, p string) (hostgpu.NodeInfo, error) {
		if i, ok := nodes[p]; ok {
			return i, nil
		}
		return hostgpu.NodeInfo{}, os.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const pci = "sys/devices/pci0000:00/"

// gpu is one on the PCI bus with a card and a render node of these minors.
func gpu(address, vendor, driver, card, render string) []string {
	dir := pci + address
	lines := []string{dir + "/vendor = 0x" + vendor, dir + "/device = 0x1234", dir + "/class = 0x030000", dir + "/uevent = DRIVER=" + driver,
		"sys/bus/pci/devices/" + address + " -> ../../../devices/pci0000:00/" + address}
	for name, minor := range map[string]string{"card" + card: card, "renderD" + render: render} {
		if minor != "" {
			lines = append(lines, dir+"/drm/"+name+"/dev = 226:"+minor, dir+"/drm/"+name+"/device -> ../..",
				"sys/class/drm/"+name+" -> ../../devices/pci0000:00/"+address+"/drm/"+name)
		}
	}
	return lines
}

var (
	intel  = append(gpu("0000:00:02.0", "8086", "i915", "0", "128"), "dev/dri/card0 : 226:0 660 44", "dev/dri/renderD128 : 226:128 660 105")
	nvidia = append(gpu("0000:01:00.0", "10de", "nvidia", "", ""), "dev/nvidia0 : 195:0 666 0", "dev/nvidiactl : 195:255 666 0",
		"dev/nvidia-uvm : 510:0 666 0", "proc/devices = Character devices:|195 nvidia|234 nvidia-caps|510 nvidia-uvm|",
		"proc/driver/nvidia/gpus/0000:01:00.0/information = Model: RTX|GPU UUID: GPU-11111111-2222-3333-4444-555555555555|Device Minor: 0|",
		"proc/driver/nvidia/capabilities/gpu0/mig/gi1/access = DeviceFileMinor: 12", "proc/driver/nvidia/capabilities/gpu0/mig/gi1/ci0/access = DeviceFileMinor: 13",
		"proc/driver/nvidia/capabilities/gpu0/mig/gi2/access = DeviceFileMinor: 22", "proc/driver/nvidia/capabilities/gpu0/mig/gi2/ci0/access = DeviceFileMinor: 23",
		"dev/nvidia-caps/nvidia-cap12 : 234:12 444 0", "dev/nvidia-caps/nvidia-cap13 : 234:13 444 0", "dev/nvidia-caps/nvidia-cap22 : 234:22 444 0")
)

func summary(s *specs.Spec) string {
	var b strings.Builder
	b.WriteString(s.Version)
	if len(s.ContainerEdits.Hooks) > 0 {
		b.WriteString(" hook")
	}
	b.WriteString("\n")
	for _, d := range s.Devices {
		b.WriteString(d.Name + ":")
		for _, n := range d.ContainerEdits.DeviceNodes {
			b.WriteString(" " + strings.TrimPrefix(n.Path, "/dev/"))
		}
		for _, g := range d.ContainerEdits.AdditionalGIDs {
			b.WriteString(" g" + string(rune('0'+g%10)))
		}
		for _, e := range d.ContainerEdits.Env {
			b.WriteString(" " + e)
		}
		if len(d.ContainerEdits.Hooks) > 0 {
			b.WriteString(" hook")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestMake(t *testing.T) {
	simple := append(gpu("0000:05:00.0", "1a03", "ast", "5", ""), "dev/dri/card5 : 226:5 660 44")
	for _, c := range []struct {
		name  string
		lines [][]string
		more  func(*Options)
		want  string
	}{
		{"no GPU", [][]string{{"sys/x = "}}, nil, "0.3.0\nall: hook\n"},
		{"a display only", [][]string{simple}, nil, "0.3.0\nall: hook\n"},
		{"Intel and NVIDIA", [][]string{intel, nvidia, simple}, nil, "0.7.0 hook\n" +
			"all: dri/card0 dri/renderD128 nvidia0 nvidiactl nvidia-uvm g4 g5 NVIDIA_VISIBLE_DEVICES=void\n" +
			"0: dri/card0 dri/renderD128 g4 g5\n0000:00:02.0: dri/card0 dri/renderD128 g4 g5\n" +
			"1: nvidia0 nvidiactl nvidia-uvm NVIDIA_VISIBLE_DEVICES=void\n0000:01:00.0: nvidia0 nvidiactl nvidia-uvm NVIDIA_VISIBLE_DEVICES=void\n" +
			"GPU-11111111-2222-3333-4444-555555555555: nvidia0 nvidiactl nvidia-uvm NVIDIA_VISIBLE_DEVICES=void\n" +
			"1:gi1:ci0: nvidia0 nvidiactl nvidia-uvm nvidia-caps/nvidia-cap12 nvidia-caps/nvidia-cap13 NVIDIA_VISIBLE_DEVICES=void\n"},
		{"without groups", [][]string{intel}, func(o *Options) { o.NoGroups = true },
			"0.5.0 hook\nall: dri/card0 dri/renderD128\n0: dri/card0 dri/renderD128\n0000:00:02.0: dri/card0 dri/renderD128\n"},
		{"a swapped node", [][]string{intel[:len(intel)-1], {"dev/dri/renderD128 : 8:0 660 0"}}, nil,
			"0.7.0 hook\nall: dri/card0 g4\n0: dri/card0 g4\n0000:00:02.0: dri/card0 g4\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options
			if c.more != nil {
				c.more(&o)
			}
			s, err := Make(fixture(t, slices.Concat(c.lines...)...), o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.Devices { // the fixture is below another root
				for _, n := range s.Devices[i].ContainerEdits.DeviceNodes {
					if !strings.HasSuffix(n.HostPath, n.Path) {
						t.Errorf("%s comes from %s", n.Path, n.HostPath)
					}
				}
			}
			if got := summary(s); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			file := filepath.Join(t.TempDir(), "a", "b", Name)
			if changed, err := Write(s, file); err != nil || !changed {
				t.Fatalf("%v, %v", changed, err)
			}
			if changed, err := Write(s, file); err != nil || changed {
				t.Errorf("a second time: %v, %v", changed, err)
			}
			devices, problems, err := List([]string{filepath.Dir(file)}, Kind)
			if err != nil || len(problems) > 0 || len(devices) != len(s.Devices) || devices[len(devices)-1].Name != Kind+"="+All {
				t.Errorf("%+v, %q, %v", devices, problems, err)
			}
		})
	}
	if _, err := Make(fixture(t), Options{Hook: "capsule-run"}); err == nil {
		t.Error("a relative hook")
	}
}

// What an engine makes of it: CDI's own code edits a container's configuration.
func TestInject(t *testing.T) {
	d := fixture(t, slices.Concat(intel, nvidia)...)
	for _, g := range d.GPUs {
		for _, n := range g.Nodes {
			n.Source = "/dev/null" // one that exists
		}
	}
	s, err := Make(d, options)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := Write(s, filepath.Join(dir, Name)); err != nil {
		t.Fatal(err)
	}
	cache, err := cdiapi.NewCache(cdiapi.WithAutoRefresh(false), cdiapi.WithSpecDirs(dir))
	if err != nil {
		t.Fatal(err)
	}
	config := &oci.Spec{Process: &oci.Process{User: oci.User{UID: 1000, GID: 1000}}, Linux: &oci.Linux{}}
	if missing, err := cache.InjectDevices(config, Kind+"=0", Kind+"=1"); err != nil || len(missing) > 0 {
		t.Fatalf("%v, %v", missing, err)
	}
	if h := config.Hooks.CreateRuntime; len(h) != 1 || h[0].Path != options.Hook || !slices.Equal(h[0].Env, []string{hookPath}) ||
		!slices.Equal(h[0].Args, []string{"capsule-run", "hook", Stage}) {
		t.Errorf("hooks %+v", h)
	}
	if !slices.Equal(config.Process.User.AdditionalGids, []uint32{44, 105}) || len(config.Linux.Devices) != 5 || len(config.Mounts) != 0 {
		t.Errorf("%+v, %+v", config.Process.User, config.Linux.Devices)
	}
}

func TestWriteRefuses(t *testing.T) {
	s, err := Make(fixture(t), options)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	foreign := filepath.Join(dir, "nvidia.json")
	text := `{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all", "containerEdits": {"env": ["A=b"]}}]}`
	for file, content := range map[string]string{foreign: text, filepath.Join(dir, "notes.json"): "notes", filepath.Join(dir, "empty.json"): ""} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(s, file); err == nil || fault.Hint(err) == "" {
			t.Errorf("%s: %v", file, err)
		}
		if b, _ := os.ReadFile(file); string(b) != content {
			t.Errorf("%s was changed", file)
		}
	}
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(foreign, link); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{link, dir + "/x.txt", dir + "/notes.json/x.json", "/proc/none/x.json"} {
		if _, err := Write(s, file); err == nil || fault.Hint(err) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", file, err)
		}
	}
	// What CDI's rules refuse leaves nothing behind, not even a directory.
	s.Devices[0].Name = "no device name"
	if _, err := Write(s, dir+"/new/dir/x.json"); err == nil {
		t.Error("an invalid specification was written")
	}
	if names, _ := os.ReadDir(dir); len(names) != 4 {
		t.Errorf("left behind: %v", names)
	}
	// Ours is replaced.
	mine := filepath.Join(dir, Name)
	old, _ := Make(fixture(t, intel...), options)
	for _, s := range []*specs.Spec{old, must(Make(fixture(t), options))} {
		if changed, err := Write(s, mine); err != nil || !changed {
			t.Errorf("%v, %v", changed, err)
		}
	}
}

func TestListProblems(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	devices, problems, err := List([]string{dir}, "")
	if err != nil || len(devices) != 0 || len(problems) != 1 || !strings.Contains(problems[0], "bad.json") {
		t.Errorf("%v, %q, %v", devices, problems, err)
	}
	if text, _ := json.Marshal(devices); string(text) != "[]" {
		t.Errorf("%s", text)
	}
}

// A directory may have anything in it. What is no file is not opened, and the rest is listed.
func TestListWhateverIsThere(t *testing.T) {
	dir, late := t.TempDir(), t.TempDir()
	spec := func(kind, device string) string {
		return `{"cdiVersion": "0.5.0", "kind": "` + kind + `", "devices": [{"name": "` + device + `", "containerEdits": {"deviceNodes": [{"path": "/dev/null"}]}}]}`
	}
	var many strings.Builder
	for i := range 60000 {
		fmt.Fprintf(&many, "a%d: b,", i)
	}
	for name, text := range map[string]string{
		dir + "/good.json": spec("x.dev/gpu", "a"), dir + "/one.json": spec("x.dev/gpu", "twice"), dir + "/two.yaml": spec("x.dev/gpu", "twice"),
		late + "/twice.json": spec("x.dev/gpu", "twice"), late + "/good.json": spec("x.dev/gpu", "b"), late + "/other.json": spec("y.dev/gpu", "a"),
		dir + "/large.json": strings.Repeat(" ", maxSpec+1), dir + "/keys.yaml": "annotations: {" + many.String() + "}",
		dir + "/aliases.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
		dir + "/deep.json":    strings.Repeat("[", maxEntries), dir + "/empty.json": "", dir + "/notes.txt": "no specification",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(unix.Mkfifo(dir+"/pipe.json", 0o644), unix.Mknod(dir+"/socket.yaml", unix.S_IFSOCK|0o644, 0),
		os.Mkdir(dir+"/directory.json", 0o755), os.Symlink("pipe.json", dir+"/link.json"), os.Symlink("nowhere", dir+"/nothing.json"),
		os.Symlink("link.yaml", dir+"/link.yaml"), unix.Mkfifo(dir+"/directory", 0o644)); err != nil {
		t.Fatal(err)
	}
	devices, problems, err := List([]string{dir, dir + "/none", late}, "x.dev/gpu")
	if err != nil || len(devices) != 2 || devices[0].Name != "x.dev/gpu=a" || devices[1].Name != "x.dev/gpu=b" ||
		!slices.Equal(devices[0].Nodes, []string{"/dev/null"}) || devices[1].File != late+"/good.json" {
		t.Errorf("%+v, %v", devices, err)
	}
	for name, want := range map[string]string{"pipe.json": "not a regular file", "socket.yaml": "not a regular file", "link.json": "not a regular file",
		"nothing.json": "no such file", "link.yaml": "too many levels", "large.json": "file too large", "keys.yaml": "file too large",
		"aliases.yaml": "unmarshal", "deep.json": "CDI Spec", "empty.json": "CDI Spec", "two.yaml": "conflicting device"} {
		at := slices.IndexFunc(problems, func(p string) bool { return strings.HasPrefix(p, dir+"/"+name+": ") })
		if at < 0 || !strings.Contains(problems[at], want) || strings.Contains(problems[at], "/proc/") {
			t.Errorf("no problem %s: %s in %q", name, want, problems)
		}
		if at >= 0 {
			problems = slices.Delete(problems, at, at+1)
		}
	}
	if len(problems) != 0 {
		t.Errorf("more problems: %q", problems)
	}
	for _, dir := range []string{dir + "/directory", dir + "/good.json"} {
		if devices, problems, err := List([]string{dir}, ""); err != nil || len(devices) != 0 || len(problems) != 1 || !strings.Contains(problems[0], dir) {
			t.Errorf("%s: %v, %q, %v", dir, devices, problems, err)
		}
	}
}

// Ten thousand files are not all read.
func TestListBounds(t *testing.T) {
	dir := t.TempDir()
	for i := range 10000 {
		if err := os.WriteFile(fmt.Sprintf("%s/%05d.json", dir, i), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, problems, err := List([]string{dir}, "")
	if err != nil || len(problems) != maxFiles+1 || !strings.Contains(problems[maxFiles], "01024.json: not read: there are more than") {
		t.Errorf("%d problems, %v: %q", len(problems), err, problems[len(problems)-1])
	}
}

// FuzzSpecification: a specification with devices that have names, or an error in which our file
// does not show.
func FuzzSpecification(f *testing.F) {
	f.Add([]byte(`{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all", "containerEdits": {"env": ["A=b"]}}]}`))
	f.Add([]byte("cdiVersion: 0.5.0\nkind: x.dev/gpu\ndevices:\n- name: a\n  containerEdits: &e\n    env: [A=b]\n- name: b\n  containerEdits: *e\n"))
	f.Add([]byte("a: &a [x,x]\nb: &b [*a,*a]\n<<: *b\n? [a]\n: {<<: {}}\n"))
	f.Add([]byte("annotations: !!binary aGk=\n---\n%YAML 1.1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, err := parse(text)
		if (spec == nil) == (err == nil) || err != nil && strings.Contains(err.Error(), "/proc/self/fd") {
			t.Fatalf("%v, %v", spec, err)
		}
		if err != nil {
			return
		}
		for _, d := range spec.Devices {
			if d.Name == "" || len(d.Name) > len(text) {
				t.Fatalf("device %q", d.Name)
			}
		}
	})
}

func must(s *specs.Spec, err error) *specs.Spec {
	if err != nil {
		panic(err)
	}
	return s
}
