package mount

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const envBench = "CAPSULE_MOUNT_BENCH" // "API DIRECTORY COUNT ROOMS": apply that many binds, make that many rooms, and print the nanoseconds

func TestMain(m *testing.M) {
	var api API
	var dir string
	var n, rooms int
	if _, err := fmt.Sscan(os.Getenv(envBench), &api, &dir, &n, &rooms); err != nil {
		os.Exit(m.Run())
	}
	var ops []Op
	for i := range n {
		ops = append(ops, Op{Kind: Bind, Source: fmt.Sprintf("%s/lib%d.so", dir, i), Target: fmt.Sprintf("/run/capsule/host/lib%d.so", i),
			ReadOnly: true})
	}
	for i := range rooms {
		at := fmt.Sprintf("/room%d", i)
		ops = append(ops, Op{Kind: Bind, Source: dir, Target: at, ReadOnly: true, Recursive: true}, Op{Kind: Room, Target: at},
			Op{Kind: Dir, Target: at + "/new"})
	}
	start := time.Now()
	if err := Apply(ops, api); err != nil {
		panic(err)
	}
	fmt.Println(time.Since(start).Nanoseconds())
	os.Exit(0)
}

// BenchmarkApply reports what one read-only bind of a file costs, and one room in a directory of
// 150 files: the difference between some and none, in a process of its own each time.
func BenchmarkApply(b *testing.B) {
	const count, rooms = 150, 10
	dir := b.TempDir()
	for i := range count {
		if err := os.WriteFile(fmt.Sprintf("%s/lib%d.so", dir, i), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		b.Skip("needs root: it makes mount namespaces only")
	}
	for _, api := range []API{New, Old} {
		b.Run(api.String(), func(b *testing.B) {
			var sum [3]int
			for b.Loop() {
				for i, what := range [...]string{"0 0", fmt.Sprint(count, 0), fmt.Sprint(0, rooms)} {
					cmd := exec.Command("/proc/self/exe")
					cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
					cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", envBench, api, dir, what))
					out, err := cmd.Output()
					if err != nil {
						b.Fatalf("%v: %s", err, out)
					}
					var ns int
					fmt.Sscan(strings.TrimSpace(string(out)), &ns)
					sum[i] += ns
				}
			}
			b.ReportMetric(float64(sum[1]-sum[0])/float64(b.N*count), "ns/bind")
			b.ReportMetric(float64(sum[2]-sum[0])/float64(b.N*rooms), "ns/room")
			b.ReportMetric(float64(sum[0])/float64(b.N), "ns/frame")
		})
	}
}
