//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// While the hook is at work it is a sealed copy in memory, without the environment, the descriptors and the working
// directory that it was started with.
func TestHookIsSealed(t *testing.T) {
	for _, argv := range [][]string{{filepath.Join(filepath.Dir(binary), "capsule-hook"), "createRuntime"}, {binary, "hook", "createRuntime"}} {
		state, write, err := os.Pipe()
		must(t, err)
		leak, err := os.Open("/")
		must(t, err)
		cmd := exec.Command(argv[0], append(argv[1:], "--cache="+t.TempDir())...)
		cmd.Env = []string{"LD_PRELOAD=/evil.so", "GODEBUG=", "SECRET=1"}
		cmd.Stdin, cmd.Dir, cmd.ExtraFiles = state, t.TempDir(), []*os.File{leak}
		must(t, cmd.Start())
		state.Close()
		proc := "/proc/" + strconv.Itoa(cmd.Process.Pid)
		var exe string
		for range 500 { // until it is the copy; it then waits for the state
			if exe, err = os.Readlink(proc + "/exe"); err == nil && strings.HasPrefix(exe, "/memfd:") {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // and has changed its directory
		if exe != "/memfd:capsule-hook (deleted)" {
			t.Errorf("%v runs %s", argv, exe)
		}
		f, err := os.Open(proc + "/exe")
		must(t, err)
		const all = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		if seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0); err != nil || seals&all != all {
			t.Errorf("%v: seals %#x, %v", argv, seals, err)
		}
		f.Close()
		if w, err := os.OpenFile(proc+"/exe", os.O_WRONLY, 0); err == nil {
			if _, err := w.Write([]byte("x")); err == nil {
				t.Errorf("%v: its program can be written to", argv)
			}
			w.Close()
		}
		if env, _ := os.ReadFile(proc + "/environ"); len(env) > 0 {
			t.Errorf("%v has the environment %q", argv, env)
		}
		if cwd, _ := os.Readlink(proc + "/cwd"); cwd != "/" {
			t.Errorf("%v is in %s", argv, cwd)
		}
		fds, _ := os.ReadDir(proc + "/fd")
		for _, fd := range fds {
			if to, _ := os.Readlink(proc + "/fd/" + fd.Name()); to == "/" {
				t.Errorf("%v has a descriptor that it was started with: %s", argv, fd.Name())
			}
		}
		write.Close()
		if err := cmd.Wait(); err == nil {
			t.Errorf("%v takes nothing for a state", argv)
		}
		leak.Close()
	}
}
