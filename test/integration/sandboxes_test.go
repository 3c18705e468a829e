//go:build integration

package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Sandboxes that programs make for themselves, inside: what each shows of the file system.
var sandboxes = map[string]string{
	"all of /usr": "bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --ro-bind /etc /etc" +
		" --dev-bind /dev /dev --proc /proc --ro-bind /probes /probes --bind /tmp /tmp",
	// As WebKitGTK has it (BubblewrapLauncher.cpp).
	"libraries and data": "bwrap --die-with-parent --unshare-pid --unshare-uts --ro-bind /etc /etc --dev /dev --proc /proc --tmpfs /tmp" +
		" --dir /run --symlink ../run /var/run --symlink ../tmp /var/tmp --ro-bind /sys/block /sys/block --ro-bind /sys/bus /sys/bus" +
		" --ro-bind /sys/class /sys/class --ro-bind /sys/dev /sys/dev --ro-bind /sys/devices /sys/devices --ro-bind-try /usr/share /usr/share" +
		" --ro-bind-try /lib /lib --ro-bind-try /usr/lib /usr/lib --ro-bind-try /usr/local/lib /usr/local/lib --ro-bind-try /lib64 /lib64" +
		" --ro-bind-try /usr/lib64 /usr/lib64 --ro-bind /probes /probes",
}

// A program in a sandbox that hides /run draws on the host's driver, whatever calls have made the
// launcher's root.
func TestSandboxInside(t *testing.T) {
	dir, bind := probes(t)
	l := launch{runtime: trees.Tree(t, "web12"), host: trees.Tree(t, "host13"), display: xvfb.Start(t)}
	want := native(t, l, "contexts", "surfaceless")
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		for name, sandbox := range sandboxes {
			for _, api := range []string{"new", "old"} {
				for _, boundary := range []string{"driver", "frontend"} {
					l.flags = append([]string{"--mount-api=" + api, "--boundary=" + boundary}, bind...)
					l.argv = append(strings.Fields(sandbox), dir+"/bin/contexts", "surfaceless")
					if r := finish(t, as(l)); r.status != 0 || r.both() != want {
						t.Errorf("%s, %s, %s: exit status %d\n%s\nthe host natively:\n%s", name, api, boundary, r.status, tail(r.both()), want)
					}
				}
			}
		}
	})
}

// hostsOwn are the entries of /etc that are not the runtime's.
var hostsOwn = []string{"group", "host.conf", "hosts", "ld.so.cache", "localtime", "machine-id", "passwd", "resolv.conf", "timezone"}

// In such a sandbox /etc is the runtime's, with every link, file and directory; what of it is the
// host's is a file that can be read. Links into a directory that the sandbox hides would dangle.
func TestEtcInSandbox(t *testing.T) {
	l := launch{runtime: trees.Tree(t, "web12"), host: trees.Tree(t, "host13")}
	const list = `cd /etc && find . -mindepth 1 ! -type f -printf '%P %y %l\n' && find . -mindepth 1 -type f -exec cksum {} + 2>/dev/null |
		sed 's, \./, ,' | awk '{print $3, $1}'`
	entries := func(r result) map[string]string {
		out := map[string]string{}
		for line := range strings.Lines(r.stdout) {
			name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
			out[name] = what
		}
		return out
	}
	want := entries(natively(t, l.runtime, "", nil, "sh", "-c", list))
	for _, api := range []string{"new", "old"} {
		_, bind := probes(t)
		l.flags = append([]string{"--mount-api=" + api}, bind...)
		l.argv = append(strings.Fields(sandboxes["all of /usr"]), "sh", "-c", list)
		got := entries(l.ok(t))
		for name, what := range want {
			if !slices.Contains(hostsOwn, name) && got[name] != what {
				t.Errorf("%s: /etc/%s is %q, natively %q", api, name, got[name], what)
			}
		}
		for name, what := range got {
			if _, there := want[name]; !there && !slices.Contains(hostsOwn, name) && !strings.HasPrefix(name, "vulkan") {
				t.Errorf("%s: /etc/%s is %q, and natively not there", api, name, what)
			}
		}
		for _, name := range []string{"ld.so.cache", "passwd"} {
			if _, err := strconv.Atoi(got[name]); err != nil {
				t.Errorf("%s: /etc/%s cannot be read: %q", api, name, got[name])
			}
		}
		if len(want) < 300 {
			t.Errorf("%d entries", len(want))
		}
	}
}

// webGLPage says what draws its WebGL.
const webGLPage = `<!doctype html><canvas id=c></canvas><script>
	let said
	try {
		const gl = document.getElementById("c").getContext("webgl"), info = gl && gl.getExtension("WEBGL_debug_renderer_info")
		said = gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "no WebGL"
	} catch (e) { said = "" + e }
	fetch("/said?" + encodeURIComponent(said))
</script>`

// busConfig is a session bus whose socket is in a directory of the test's.
const busConfig = `<busconfig><type>session</type><listen>unix:tmpdir=%s</listen><policy context="default">
	<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// show has a browser of web12 show the page, as a user whom browsers have sandboxes for. It calls
// look with what the page says and the browser's processes, while these run.
func show(t *testing.T, env []string, browser []string, look func(t *testing.T, said string, processes []int)) {
	said := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, webGLPage)
		case "/said":
			text, _ := url.QueryUnescape(r.URL.RawQuery)
			select {
			case said <- text:
			default:
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	eachUser(t, func(t *testing.T, as func(launch) *exec.Cmd) {
		if strings.HasSuffix(t.Name(), "/root") {
			return // browsers refuse to start as root, or have no sandbox then
		}
		display := xvfb.Start(t)
		// With a PID namespace nothing of the browser lives longer than it: its profile can be
		// removed.
		l := launch{runtime: trees.Tree(t, "web12"), host: trees.Tree(t, "host13"), display: display, flags: []string{"--unshare-pid"}, env: env,
			argv: append(browser, server.URL)}
		cmd := as(l)
		profile, err := os.MkdirTemp(cmd.Dir, "profile-")
		must(t, err)
		home, err := os.Stat(cmd.Dir)
		must(t, err)
		must(t, os.Chown(profile, int(home.Sys().(*syscall.Stat_t).Uid), -1))
		// TMPDIR and the bus's configuration: else what they have in /tmp outlives the test.
		must(t, os.WriteFile(profile+"/bus.conf", fmt.Appendf(nil, busConfig, profile), 0o644))
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+profile, "XDG_CONFIG_HOME="+profile, "XDG_DATA_HOME="+profile, "TMPDIR="+profile)
		var log strings.Builder
		cmd.Stdout, cmd.Stderr = &log, &log
		cmd.WaitDelay = 10 * time.Second
		must(t, cmd.Start())
		ended, over := context.WithCancel(context.Background())
		go func() { cmd.Wait(); over() }()
		select {
		case text := <-said:
			look(t, text, descendants(cmd.Process.Pid))
		case <-ended.Done():
			t.Error("the browser ended before it showed the page")
		case <-time.After(2 * patience):
			t.Error("the browser does not show the page")
		}
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended.Done():
		case <-time.After(patience):
			cmd.Process.Kill()
			<-ended.Done()
		}
		if t.Failed() {
			t.Logf("it said:\n%s", tail(log.String()))
		}
	})
}

// WebKitGTK's web process is in a sandbox by bubblewrap, which has /usr/lib and /etc, and no /run:
// it draws on the host's driver.
func TestWebKitSandbox(t *testing.T) {
	show(t, nil, []string{"sh", "-c", `exec dbus-run-session --config-file="$XDG_RUNTIME_DIR/bus.conf" -- epiphany --private-instance "$0"`}, func(t *testing.T, said string, processes []int) {
		if said == "no WebGL" || strings.Contains(said, "Error") { // WebKit tells nobody which GPU it is
			t.Errorf("the page says %q", said)
		}
		found := 0
		for _, pid := range processes {
			proc := "/proc/" + strconv.Itoa(pid)
			if name, _ := os.ReadFile(proc + "/comm"); !strings.HasPrefix(string(name), "WebKitWebProc") {
				continue
			}
			found++
			if _, err := os.Stat(proc + "/root/usr/bin"); !os.IsNotExist(err) {
				t.Errorf("it is in no sandbox: /usr/bin %v", err)
			}
			maps, err := os.ReadFile(proc + "/maps")
			must(t, err)
			if !regexp.MustCompile(`(?m) /usr/lib/capsule/\S*/host/\S*/libgallium-25\S*$`).Match(maps) || strings.Contains(string(maps), "swrast_dri") {
				t.Errorf("the driver is not the host's:\n%s", maps)
			}
			checkOneLibc(t, string(maps))
		}
		if found == 0 {
			t.Error("no web process")
		}
	})
}

// Chromium's GPU process closes its sandbox, system calls and a broker for files, when the driver
// is there. It draws on the host's driver with the sandbox on. Chromium leaves the sandbox out
// where the driver has started threads by then, as llvmpipe does, and as natively.
func TestChromiumGPUSandbox(t *testing.T) {
	env := []string{"LP_NUM_THREADS=0", "MESA_SHADER_CACHE_DISABLE=true"}
	browser := []string{"/usr/lib/chromium/chromium", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--ignore-gpu-blocklist", "--use-gl=angle", "--use-angle=gl"}
	natively := natively(t, trees.Tree(t, "host13"), "", nil, "sh", "-c", "ls /usr/lib/x86_64-linux-gnu/libLLVM.so.*")
	major := regexp.MustCompile(`libLLVM\.so\.(\d+)`).FindStringSubmatch(natively.stdout)
	if major == nil {
		t.Fatalf("the host's LLVM: %s", natively.both())
	}
	show(t, env, browser, func(t *testing.T, said string, processes []int) {
		if !strings.Contains(said, "llvmpipe (LLVM "+major[1]+".") {
			t.Errorf("the page says %q, want LLVM %s", said, major[1])
		}
		found := 0
		for _, pid := range processes {
			proc := "/proc/" + strconv.Itoa(pid)
			line, _ := os.ReadFile(proc + "/cmdline")
			if !strings.Contains(string(line), "--type=gpu-process") {
				continue
			}
			found++
			status, err := os.ReadFile(proc + "/status")
			must(t, err)
			if !regexp.MustCompile(`(?m)^Seccomp:\s+2$`).Match(status) || strings.Contains(string(line), "disable-gpu-sandbox") {
				t.Errorf("it is in no sandbox: %q\n%s", line, status)
			}
		}
		if found == 0 {
			t.Error("no GPU process")
		}
	})
}
