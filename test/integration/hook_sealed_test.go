//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

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
		const sealed = "/memfd:capsule-hook (deleted)"
		if err := waitFor(patience, func() error { // until it is the copy and has changed its directory; it then waits for the state
			exe, _ := os.Readlink(proc + "/exe")
			if cwd, _ := os.Readlink(proc + "/cwd"); exe != sealed || cwd != "/" {
				return fmt.Errorf("%v runs %s in %s", argv, exe, cwd)
			}
			return nil
		}); err != nil {
			t.Error(err)
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
