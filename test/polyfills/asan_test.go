package polyfills

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every polyfill, called by a driver whose stack and heap have red zones, with the checks that cshim/root/asan.c makes
// before each access. What the driver says of memory that it counts (mallinfo2, a block that malloc hands out again) is
// libasan's and of no interest.
func TestAddressSanitizer(t *testing.T) {
	libasan, err := exec.Command("gcc", "-print-file-name=libasan.so").Output()
	if path := strings.TrimSpace(string(libasan)); err != nil || !filepath.IsAbs(path) {
		missing(t, "gcc has no libasan here: "+path)
	}
	dir := t.TempDir()
	run(t, "make", "-s", "-C", cshim, "ARCH=x86_64", "ASAN=1", "OUT="+dir, "WORK="+filepath.Join(dir, "work"))
	driver := x8664.buildWith(t, []string{"-fsanitize=address"},
		[]string{strings.TrimSpace(string(libasan)), "-Wl,--allow-shlib-undefined"})
	cmd := exec.CommandContext(t.Context(), filepath.Join(driver, "driver"), filepath.Join(dir, "libcapsule-root.so"))
	cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run() // its exit status counts the differences of malloc
	for line := range strings.Lines(stderr.String()) {
		// GCC 14's says that it does not know the conversions of C23, %b and %w8d.
		if strings.Contains(line, "AddressSanitizer") && !strings.Contains(line, "WARNING: unexpected format specifier in scanf interceptor: %") {
			t.Errorf("%s", &stderr)
			break
		}
	}
	for line := range strings.Lines(stdout.String()) {
		about := strings.Fields(line)
		if about[0] == "FAIL" && about[1] != "mallinfo2" && about[1] != "free_sized" && about[1] != "free_aligned_sized" {
			t.Error(line)
		}
	}
	if n := strings.Count(stdout.String(), "judged "); n < 100 || !strings.Contains(stdout.String(), "done, ") {
		t.Errorf("%d polyfills were judged\n%s", n, &stderr)
	}
}
