package runtimes

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A file with holes that tar stores as such has them again, with its mode and time, whichever way they are stored.
func TestSparse(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/in/usr/lib", 0o755))
	name := dir + "/in/usr/lib/sparse"
	f, err := os.Create(name)
	must(t, err)
	for at, text := range map[int64]string{0: "begin", 3 << 20: "middle", 40<<20 - 3: "end"} {
		_, err = f.WriteAt([]byte(text), at)
		must(t, err)
	}
	must(t, f.Close())
	then := time.Unix(1e9, 0)
	must(t, os.Chmod(name, 0o444))
	must(t, os.Chtimes(name, then, then))
	must(t, os.WriteFile(dir+"/in/usr/lib/libc.so.6", nil, 0o644))
	for _, format := range [][]string{{"--format=gnu"}, {"--format=pax", "--sparse-version=1.0"}, {"--format=pax", "--sparse-version=0.1"}} {
		tarball := dir + "/" + format[len(format)-1] + ".tar"
		if out, err := exec.Command("tar", append(format, "--sparse", "-C", dir+"/in", "-cf", tarball, ".")...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		held, err := Open(t.TempDir()).Acquire(tarball, nil)
		must(t, err)
		if text(t, held.Dir+"/usr/lib/sparse") != text(t, name) {
			t.Errorf("%s: other contents", format)
		}
		var st unix.Stat_t
		must(t, unix.Stat(held.Dir+"/usr/lib/sparse", &st))
		if st.Blocks*512 > 1<<20 || st.Mode != unix.S_IFREG|0o444 || st.Mtim.Sec != then.Unix() || st.Size != 40<<20 {
			t.Errorf("%s: %d of %d bytes stored, mode %o, time %d", format, st.Blocks*512, st.Size, st.Mode, st.Mtim.Sec)
		}
		held.Close()
	}
}
