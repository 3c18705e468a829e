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

const envBench = "CAPSULE_MOUNT_BENCH" // "API DIRECTORY COUNT": apply that many binds and print the nanoseconds

func TestMain(m *testing.M) {
	var api API
	var dir string
	var n int
	if _, err := fmt.Sscan(os.Getenv(envBench), &api, &dir, &n); err != nil {
		os.Exit(m.Run())
	}
	var ops []Op
	for i := range n {
		ops = append(ops, Op{Kind: Bind, Source: fmt.Sprintf("%s/lib%d.so", dir, i), Target: fmt.Sprintf("/run/capsule/host/lib%d.so", i),
			ReadOnly: true})
	}
	start := time.Now()
	if err := Apply(ops, api); err != nil {
		panic(err)
	}
	fmt.Println(time.Since(start).Nanoseconds())
	os.Exit(0)
}

// BenchmarkApply reports what one read-only bind of a file costs: the difference between 150 and none, in a process of
// its own each time.
func BenchmarkApply(b *testing.B) {
	const count = 150
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
			var sum [2]int
			for b.Loop() {
				for i, n := range [...]int{0, count} {
					cmd := exec.Command("/proc/self/exe")
					cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
					cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %d", envBench, api, dir, n))
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
			b.ReportMetric(float64(sum[0])/float64(b.N), "ns/frame")
		})
	}
}
