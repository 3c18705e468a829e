//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/trees"
)

// What the DaemonSet does, with its capabilities: Debian 12 is the image, Debian 13 the node. The program and a valid
// specification are on the node afterwards, a second time nothing changes, and nothing else is there.
func TestKubernetesInstaller(t *testing.T) {
	unmounted(t)
	image, node := writableRoot(t, trees.Tree(t, "full12")), writableRoot(t, trees.Tree(t, "host13"))
	for _, name := range []string{"capsule-run", "capsule-hook"} {
		copyFile(t, filepath.Join(filepath.Dir(binary), name), image+"/usr/bin/"+name)
	}
	copyFile(t, "../../configs/kubernetes/install.sh", image+"/install.sh")
	for _, f := range []string{"/usr/bin/capsule-run", "/usr/bin/capsule-hook", "/install.sh"} {
		must(t, os.Chmod(image+f, 0o755))
	}
	install := func() result {
		return finish(t, exec.Command("bwrap", "--ro-bind", image, "/", "--bind", node, "/mnt", "--dev-bind", "/dev", "/mnt/dev",
			"--ro-bind", "/sys", "/mnt/sys", "--ro-bind", "/proc", "/mnt/proc", "--proc", "/proc", "--dev", "/dev", "--unshare-pid",
			"--cap-drop", "ALL", "--cap-add", "CAP_SYS_CHROOT", "--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin", "--setenv", "NODE", "/mnt",
			"--setenv", "INTERVAL", "0", "--setenv", "FLAGS", "--no-groups", "/install.sh"))
	}
	before := listing(t, node)
	if r := install(); r.status != 0 || r.stderr != "" {
		t.Fatal(r.both())
	}
	const spec, program = "/run/cdi/capsule-gpu.json", "/opt/capsule-run/bin/capsule-hook"
	text := readFile(t, node+spec)
	var s struct {
		Kind    string
		Devices []struct {
			ContainerEdits struct{ Hooks []struct{ Path string } }
		}
	}
	must(t, json.Unmarshal([]byte(text), &s))
	if s.Kind != "capsule.dev/gpu" || !strings.Contains(text, `"path": "`+program+`"`) || strings.Contains(text, "/mnt") {
		t.Errorf("not the node's:\n%s", text)
	}
	if a, b := readFile(t, image+"/usr/bin/capsule-hook"), readFile(t, node+program); a != b {
		t.Error("another program was installed")
	}
	out, err := exec.Command(binary, "cdi", "list", "--spec-dir", node+"/run/cdi").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "capsule.dev/gpu=all ") {
		t.Errorf("cdi list: %v\n%s", err, out)
	}
	st, err := os.Stat(node + spec)
	must(t, err)
	if r := install(); r.status != 0 {
		t.Error(r.both())
	}
	if again, err := os.Stat(node + spec); err != nil || !again.ModTime().Equal(st.ModTime()) {
		t.Errorf("the specification was written again: %v", err)
	}
	after := listing(t, node)
	var added []string
	for name, what := range after {
		if _, known := before[name]; !known {
			added = append(added, name)
		} else if name != "/run" && name != "/opt" && before[name] != what {
			t.Errorf("%s has changed", name)
		}
	}
	slices.Sort(added)
	if want := []string{"/opt/capsule-run", "/opt/capsule-run/bin", program, "/opt/capsule-run/bin/capsule-run", "/run/cdi", spec}; !slices.Equal(added, want) || len(after) != len(before)+len(added) {
		t.Errorf("on the node now: %q", added)
	}
}
