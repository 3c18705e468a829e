package launch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// The test binary plays more parts: init, the launcher itself (envLauncher, the command is os.Args[1:]), a shell with
// job control (envShell), and a game that tells of its signals (the argument "game").
const (
	envLauncher = "CAPSULE_TEST_LAUNCHER" // "auto", "userns", "old", with " pid" behind it for a PID namespace
	envShell    = "CAPSULE_TEST_SHELL"
	envOps      = "CAPSULE_TEST_OPS" // file with further operations, JSON
	envDir      = "CAPSULE_TEST_DIR"
	envWish     = "CAPSULE_TEST_WISH" // further fields of Spec
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "game" && os.Getenv(envLauncher) == "" {
		os.Exit(game())
	}
	if mode := os.Getenv(envShell); mode != "" {
		os.Exit(shell(mode == "1"))
	}
	if mode := os.Getenv(envLauncher); mode != "" {
		os.Exit(launcher(mode))
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		fmt.Fprintln(os.Stderr, "started as launcher without its environment")
		os.Exit(99) // or a mistake in a test would start the tests again, and again
	}
	if why := forbidden(); why != "" && os.Getenv("CAPSULE_MUST_WORK") != "1" { // each test would fail, or wait in vain
		fmt.Println("skipped: the namespaces of a launch cannot be made here:", why)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// forbidden asks unshare(1), not our own code, whether the ways of modes can work here: in most containers they cannot.
func forbidden() string {
	user := []string{"unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"}
	ways := [][]string{user}
	if os.Getuid() == 0 {
		ways = [][]string{{"unshare", "--mount", "true"}, append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, user...)}
	}
	for _, way := range ways {
		if out, err := exec.Command(way[0], way[1:]...).CombinedOutput(); err != nil {
			return fmt.Sprintf("%s: %v, %s", strings.Join(way, " "), err, bytes.TrimSpace(out))
		}
	}
	return ""
}

func launcher(mode string) int {
	if where, ok := strings.CutPrefix(mode, "race "); ok {
		return raced(where)
	}
	spec := &Spec{Ops: hostOps(), Argv: os.Args[1:], Dir: os.Getenv(envDir)}
	if spec.Dir == "" {
		spec.Dir, _ = os.Getwd()
	}
	if name := os.Getenv(envOps); name != "" {
		b, _ := os.ReadFile(name)
		var more []mount.Op
		if err := json.Unmarshal(b, &more); err != nil {
			panic(err)
		}
		spec.Ops = append(spec.Ops, more...)
	}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CAPSULE_TEST_") {
			spec.Env = append(spec.Env, e)
		}
	}
	mode, own := strings.CutSuffix(mode, " pid")
	wishes := strings.Fields(os.Getenv(envWish))
	if own {
		wishes = append(wishes, "pid")
	}
	for _, wish := range wishes {
		switch wish {
		case "net":
			spec.UnshareNet = true
		case "pid":
			spec.UnsharePID = true
			for i, op := range spec.Ops {
				if op.Target == "/proc" {
					spec.Ops[i] = mount.Op{Kind: mount.Proc, Target: "/proc"}
				}
			}
		case "children":
			spec.WaitChildren = true
		case "parent":
			if err := DieWithParent(); err != nil {
				panic(err)
			}
		case "shell":
			spec.Shells = []string{"/no/such/shell", "/bin", "/bin/sh"}
		case "noshell":
			spec.Shells = []string{"/no/such/shell", "/bin"}
		}
	}
	switch mode {
	case "userns":
		spec.UserNS = Yes
	case "root":
		spec.UserNS = No
	case "old":
		spec.MountAPI = mount.Old
	}
	code, err := Run(spec)
	var e *Error
	if errors.As(err, &e) {
		fmt.Fprintf(os.Stderr, "error: %s\nhint: %s\n", e.Msg, e.Hint)
	}
	return code
}

// hostOps makes a root like this machine's: the game is a program of this machine.
func hostOps() []mount.Op {
	entries, err := os.ReadDir("/")
	if err != nil {
		panic(err)
	}
	var ops []mount.Op
	for _, e := range entries {
		p := "/" + e.Name()
		if link, err := os.Readlink(p); err == nil {
			ops = append(ops, mount.Op{Kind: mount.Symlink, Target: p, Text: link})
		} else if e.IsDir() {
			ops = append(ops, mount.Op{Kind: mount.Bind, Source: p, Target: p, Recursive: true})
		}
	}
	return ops
}

// modes are the ways to launch that this test may use; every test of behaviour runs in each.
func modes() []string {
	if os.Getuid() == 0 {
		return []string{"root", "userns", "old", "nobody", "old pid", "nobody pid"}
	}
	return []string{"auto", "old", "auto pid"}
}

func eachMode(t *testing.T, f func(t *testing.T, mode string)) {
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) { f(t, mode) })
	}
}

// start makes the command line of a launch.
func start(t testing.TB, mode string, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", argv...)
	if who, pid, _ := strings.Cut(mode, " "); who == "nobody" {
		// The way of an ordinary user, no right of root left over.
		mode = strings.TrimSpace("auto " + pid)
		cmd = exec.Command("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups",
			public(t)}, argv...)...)
	}
	cmd.Env = append(os.Environ(), envLauncher+"="+mode)
	cmd.Dir = "/tmp"
	return cmd
}

var publicExe string

// public copies the test binary to where another user can execute it.
func public(t testing.TB) string {
	t.Helper()
	if publicExe == "" {
		dir, err := os.MkdirTemp("", "capsule-launch-")
		must(t, err)
		must(t, os.Chmod(dir, 0o755))
		data, err := os.ReadFile("/proc/self/exe")
		must(t, err)
		publicExe = filepath.Join(dir, "launch.test")
		must(t, os.WriteFile(publicExe, data, 0o755))
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(publicExe)); publicExe = "" })
	return publicExe
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// result runs cmd to its end.
func result(t testing.TB, cmd *exec.Cmd) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	code = cmd.ProcessState.ExitCode()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		t.Fatalf("the launcher was killed by %v; %s", ws.Signal(), e.String())
	}
	return o.String(), e.String(), code
}

func wantRun(t *testing.T, cmd *exec.Cmd, wantOut string, wantCode int) {
	t.Helper()
	out, errs, code := result(t, cmd)
	if out != wantOut || errs != "" || code != wantCode {
		t.Errorf("%q:\ngot  %d, %q, stderr %q\nwant %d, %q", cmd.Args, code, out, errs, wantCode, wantOut)
	}
}

// shell is a shell's job control at its smallest: it starts a launch as a foreground job and tells
// what becomes of it. A job that stops it continues, or leaves to others.
func shell(continues bool) int {
	os.Unsetenv(envShell)
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, 3}, Dir: "/tmp",
		Sys: &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0},
	})
	if err != nil {
		fmt.Println("shell:", err)
		return 1
	}
	fmt.Println("[launcher", pid, "]")
	// A background process that calls tcsetpgrp is sent SIGTTOU; shells ignore it.
	ignore := sigIgnore(unix.SIGTTOU)
	defer ignore()
	for {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(pid, &ws, unix.WUNTRACED, nil); err != nil {
			fmt.Println("shell:", err)
			return 1
		}
		switch {
		case ws.Stopped():
			fmt.Printf("[stopped %d]\n", ws.StopSignal())
			if !continues {
				continue
			}
			unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
			unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid)
			fmt.Println("[continue]")
			unix.Kill(-pid, unix.SIGCONT)
		case ws.Signaled():
			fmt.Printf("[killed %d]\n", ws.Signal())
			return 0
		default:
			fmt.Printf("[exit %d]\n", ws.ExitStatus())
			return 0
		}
	}
}
