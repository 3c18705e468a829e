//go:build integration

package integration

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/test/trees"
)

// A process that goes on when the launcher has ended keeps its runtime, whether that is mounted for it or not: it is named,
// and when it has ended the runtime goes.
func TestRuntimeOfDaemonStays(t *testing.T) {
	dir := beside(t)
	tree := trees.Tree(t, "runtime11")
	pack := exec.Command("tar", "-C", tree, "--exclude=./usr/share", "-cf", dir+"/runtime.tar", ".")
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	capsule := func(args ...string) result {
		cmd := exec.Command(binary, args...)
		cmd.Env, cmd.Dir = []string{"PATH=/usr/bin:/bin", "HOME=" + dir}, dir
		return finish(t, cmd)
	}
	if r := capsule("runtime", "add", "eleven", "runtime.tar"); r.status != 0 {
		t.Fatal(r.both())
	}
	must(t, unix.Mkfifo(dir+"/fifo", 0o600))
	for _, isolation := range []string{"userns", "none"} {
		t.Run(isolation, func(t *testing.T) {
			// A shell of the runtime that waits for a writer, who is itself.
			r := capsule("--isolation", isolation, "--runtime", "eleven", "--host", trees.Tree(t, "host13"), "--", "sh", "-c",
				`(exec 3<>fifo >/dev/null 2>&1; read x <&3) & echo started $!`)
			if r.status != 0 || !strings.HasPrefix(r.stdout, "started ") {
				t.Fatalf("exit status %d\n%s", r.status, r.both())
			}
			daemon, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(r.stdout, "started ")))
			must(t, err)
			defer unix.Kill(daemon, unix.SIGKILL)
			removed := capsule("runtime", "remove", "eleven")
			refused(t, removed, 1, "eleven: in use by ", "kill "+itoa(daemon))
			name := strings.TrimSpace(readFile(t, "/proc/"+itoa(daemon)+"/comm"))
			if !regexp.MustCompile(`in use by ` + regexp.QuoteMeta(name) + ` \(process ` + itoa(daemon) + `\)\n`).MatchString(removed.stderr) {
				t.Errorf("%s is not named: %s", name, removed.stderr)
			}
			if r := capsule("runtime", "remove", "--unused"); r.status != 0 {
				t.Error(r.both())
			}
			must(t, unix.Kill(daemon, unix.SIGKILL))
		})
	}
	if err := waitFor(patience, func() error {
		if r := capsule("runtime", "remove", "eleven"); r.status != 0 {
			return errorText(r.stderr)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir + "/.cache/capsule-run/runtimes/trees"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }
