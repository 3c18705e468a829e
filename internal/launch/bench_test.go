package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// BenchmarkStart measures a launch of /bin/true with many single-file binds, side by side with bwrap and the same mounts.
// "few" is the cost without them.
func BenchmarkStart(b *testing.B) {
	const many = 150
	dir, err := os.MkdirTemp("", "capsule-bench-")
	must(b, err)
	defer os.RemoveAll(dir)
	var ops []mount.Op
	args := []string{}
	for _, op := range hostOps() {
		if op.Kind == mount.Symlink {
			args = append(args, "--symlink", op.Text, op.Target)
		} else {
			args = append(args, "--dev-bind", op.Source, op.Target)
		}
	}
	few := append([]string{}, args...)
	for i := range many {
		name := fmt.Sprintf("%s/lib%d.so", dir, i)
		must(b, os.WriteFile(name, nil, 0o644))
		target := fmt.Sprintf("/capsule/host/lib%d.so", i)
		ops = append(ops, mount.Op{Kind: mount.Bind, Source: name, Target: target, ReadOnly: true})
		args = append(args, "--ro-bind", name, target)
	}
	data, err := json.Marshal(ops)
	must(b, err)
	must(b, os.WriteFile(dir+"/ops", data, 0o644))
	must(b, os.WriteFile(dir+"/none", []byte("[]"), 0o644))
	modes := []string{"auto", "old"}
	if os.Getuid() == 0 {
		modes = []string{"root", "userns", "old"}
	}
	for _, mode := range modes {
		for name, file := range map[string]string{"many": "/ops", "few": "/none"} {
			b.Run(mode+"/"+name, func(b *testing.B) {
				for b.Loop() {
					cmd := start(b, mode, "/bin/true")
					cmd.Env = append(cmd.Env, envOps+"="+dir+file)
					if out, err := cmd.CombinedOutput(); err != nil {
						b.Fatalf("%v: %s", err, out)
					}
				}
			})
		}
	}
	if _, err := exec.LookPath("bwrap"); err != nil {
		b.Skip("no bwrap to compare with")
	}
	for name, args := range map[string][]string{"many": args, "few": few} {
		for kind, flag := range map[string][]string{"plain": nil, "userns": {"--unshare-user"}} {
			b.Run("bwrap/"+kind+"/"+name, func(b *testing.B) {
				for b.Loop() {
					cmd := exec.Command("bwrap", append(append(append([]string{}, flag...), args...), "/bin/true")...)
					if out, err := cmd.CombinedOutput(); err != nil {
						b.Fatalf("%v: %s", err, out)
					}
				}
			})
		}
	}
}
