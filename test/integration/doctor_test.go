//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// examination is one run of the doctor.
type examination struct {
	runtime, host string
	flags         []string
	display       *xvfb.Server
	env           []string
	nobody        bool     // as an ordinary user
	within        []string // a command that starts it
}

// run demands that nothing is left of what the doctor puts down.
func (e examination) run(t *testing.T, flags ...string) result {
	t.Helper()
	tmp := t.TempDir()
	must(t, os.Chmod(tmp, 0o777))
	args := append([]string{binary, "doctor"}, flags...)
	if e.runtime != "" {
		args = append(args, "--runtime", e.runtime)
	}
	if e.host != "" {
		args = append(args, "--host", e.host)
	}
	dir := home
	if e.nobody {
		dir = nobodysHome(t)
		args[0] = dir + "/capsule-run"
		args = append([]string{"setpriv", "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups"}, args...)
	}
	args = append(append(slices.Clone(e.within), args...), e.flags...)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8", "TMPDIR=" + tmp, "LOGNAME=dormouse"}
	if e.display != nil {
		cmd.Env = append(cmd.Env, e.display.Env()...)
	}
	cmd.Env = append(cmd.Env, e.env...)
	cmd.Dir = dir
	r := toEnd(t, ctx, cmd)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, private := range []string{dir, tmp, "dormouse"} {
		if strings.Contains(r.stdout, private) {
			t.Errorf("%s is in the report", private)
		}
	}
	return r
}

// report decodes the JSON; it may have no key that the type has not.
func (e examination) report(t *testing.T) *report.Report {
	t.Helper()
	r := e.run(t, "--json")
	d := json.NewDecoder(strings.NewReader(r.stdout))
	d.DisallowUnknownFields()
	out := &report.Report{}
	if err := d.Decode(out); err != nil || d.More() {
		t.Fatalf("%v\n%s", err, tail(r.both()))
	}
	if want := map[bool]int{true: 0, false: 1}[out.OK]; r.status != want || r.stderr != "" {
		t.Errorf("exit status %d where ok is %v: %s", r.status, out.OK, r.stderr)
	}
	return out
}

// healthy demands that all that the host has is the same on both sides, and that these scenes are among it.
func healthy(t *testing.T, r *report.Report, names ...string) {
	t.Helper()
	for _, n := range names {
		if !slices.ContainsFunc(r.Scenes, func(s report.Scene) bool { return s.Arch+" "+s.Name == n && s.Verdict == report.Same }) {
			t.Errorf("%s is not the same", n)
		}
	}
	for _, s := range r.Scenes {
		switch s.Verdict {
		case report.Same:
			if !slices.ContainsFunc(s.Capsule.Libraries, func(l string) bool { return strings.HasSuffix(l, "-linux-gnu/lib/libcapsule.so") }) {
				t.Errorf("%s %s: no capsule, only %q", s.Arch, s.Name, s.Capsule.Libraries)
			}
		case report.Differs, report.CapsuleFails, report.NativeFails:
			t.Errorf("%s %s: %s", s.Arch, s.Name, s.Verdict)
		}
	}
	for _, f := range r.Findings {
		if f.Severity == report.Problem {
			t.Errorf("%+v", f)
		}
	}
	if !r.OK || r.Plan == nil || r.Stack == nil {
		t.Errorf("ok %v, plan %v, stack %v", r.OK, r.Plan != nil, r.Stack != nil)
	}
}

// onMachine is what a machine without a GPU draws.
var onMachine = []string{"x86_64 gl-surfaceless", "x86_64 gles-surfaceless", "x86_64 vulkan"}

// What this machine draws, it draws in Debian 11's runtime too: with namespaces and without, for root and for others.
func TestDoctor(t *testing.T) {
	wayland := startWeston(t)
	e := examination{runtime: trees.Tree(t, "runtime11"), display: wayland.display, env: wayland.env[:2]} // but for DISPLAY=
	for _, isolation := range []string{"userns", "none"} {
		e.flags = []string{"--isolation", isolation}
		r := e.report(t)
		healthy(t, r, append([]string{"x86_64 glx", "x86_64 egl-x11", "x86_64 egl-wayland", "x86_64 vulkan-x11", "x86_64 vulkan-wayland"}, onMachine...)...)
		if r.Isolation != isolation || r.Runtime.Host || !slices.Equal(r.Machine.Sessions, []string{"x11", "wayland"}) || r.Runtime.Glibc != "2.31" ||
			!strings.Contains(r.Runtime.System, "bullseye") {
			t.Errorf("%s: %+v, %+v", r.Isolation, r.Runtime, r.Machine)
		}
	}
	out := e.run(t).stdout
	for _, want := range []string{"\nruntime   ", "Debian GNU/Linux 11", "\nx86_64: ", " functions polyfilled, ", "  vulkan ", " that work natively are the same through the capsule.\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if os.Geteuid() == 0 {
		e.nobody, e.flags, e.display, e.env = true, nil, nil, nil
		r := e.report(t)
		healthy(t, r, onMachine...)
		if r.Isolation != "userns" || !found(r, "X11 was not tried: DISPLAY is not set") {
			t.Errorf("%s, %+v", r.Isolation, r.Findings)
		}
	}
}

// Without a runtime the host's own tree stands in.
func TestDoctorWithoutRuntime(t *testing.T) {
	r := examination{}.report(t)
	healthy(t, r, onMachine...)
	if !r.Runtime.Host || r.Runtime.Glibc != r.Machine.Glibc {
		t.Errorf("%+v, %+v", r.Runtime, r.Machine)
	}
}

// Of another host than this machine the native side is drawn with that tree as the root; both architectures.
func TestDoctorOfBothArchitectures(t *testing.T) {
	unmounted(t)
	e := examination{runtime: trees.Tree(t, "runtime11both"), host: trees.Tree(t, "host13both"), display: xvfb.Start(t)}
	r := e.report(t)
	healthy(t, r, append([]string{"i386 gl-surfaceless", "i386 vulkan", "i386 glx", "x86_64 glx"}, onMachine...)...)
	for _, s := range r.Scenes {
		if s.Native.Drawn() && s.API == "EGL" && !strings.Contains(s.Native.Version, "Mesa "+mesaVersion(t, e.host)) {
			t.Errorf("%s is drawn by %q", s.Name, s.Native.Version)
		}
	}
}

func found(r *report.Report, what string) bool {
	return slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return strings.Contains(f.What, what) && f.Hint != "" })
}

// Where no namespace can be had, all is tried without, and the setting is named that forbids them.
func TestDoctorWithoutNamespaces(t *testing.T) {
	e := examination{runtime: trees.Tree(t, "runtime11")}
	e.within = []string{"unshare", "--user", "--map-root-user", "sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces &&
		exec setpriv --bounding-set=-all --inh-caps=-all "$@"`, "sh"}
	r := e.report(t)
	healthy(t, r, onMachine...)
	if r.Isolation != "none" || !found(r, "cannot be isolated") || !strings.Contains(r.Findings[0].Hint, "sysctl user.max_user_namespaces") {
		t.Errorf("%s, %+v", r.Isolation, r.Findings)
	}
	// Asked for, they are an error: the host is told of, and the runtime is not.
	e.flags = []string{"--isolation=userns"}
	r = e.report(t)
	if r.OK || r.Isolation != "" || !found(r, "no program can be started") || r.Scenes[0].Verdict != report.CapsuleFails || !r.Scenes[0].Native.Drawn() {
		t.Errorf("%s, %+v", r.Isolation, r.Findings)
	}
}

// brokenRuntime is Debian 11's, with one of libX11's functions under another name: the host's driver calls it in vain.
func brokenRuntime(t *testing.T, function string) string {
	t.Helper()
	dir := copyOf(t, "runtime11")
	files, err := filepath.Glob(dir + "/usr/lib/x86_64-linux-gnu/libX11.so.6.*")
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	must(t, err)
	name, other := "\x00"+function+"\x00", "\x00"+strings.Repeat("x", len(function))+"\x00"
	if bytes.Count(text, []byte(name)) != 1 {
		t.Fatalf("libX11 has %s %d times", function, bytes.Count(text, []byte(name)))
	}
	must(t, os.Remove(files[0])) // it may be a link to the tree's
	must(t, os.WriteFile(files[0], bytes.Replace(text, []byte(name), []byte(other), 1), 0o644))
	return dir
}

// A driver calls what the runtime's library lacks: the scene fails, and the finding names both.
func TestDoctorOfABrokenRuntime(t *testing.T) {
	const function = "XESetCloseDisplay" // Mesa's GLX calls it for each display
	r := examination{runtime: brokenRuntime(t, function), display: xvfb.Start(t)}.report(t)
	for _, s := range r.Scenes {
		want := report.Same
		if s.Name == "glx" {
			want = report.CapsuleFails
		}
		if s.Native.Drawn() && s.Verdict != want {
			t.Errorf("%s: %s, want %s: %+v", s.Name, s.Verdict, want, s.Capsule)
		}
	}
	if f := r.Findings[0]; r.OK || f.Severity != report.Problem || f.API != "GL" || !strings.Contains(f.What, "glx") ||
		!strings.Contains(f.What, "SIGABRT") || !strings.Contains(f.What, function) || !strings.Contains(f.Hint, "libX11.so.6 has no "+function) {
		t.Errorf("%+v", r.Findings)
	}
}

// OpenCL by pocl, which compiles with the host's linker.
func TestDoctorOfComputing(t *testing.T) {
	unmounted(t)
	e := examination{runtime: trees.Tree(t, "runtime11compute"), host: trees.Tree(t, "host13compute")}
	healthy(t, e.report(t), "x86_64 opencl", "x86_64 gl-surfaceless")
}

// Interrupted, the doctor ends what it has started, and leaves nothing, not even of one that was
// killed before.
func TestDoctorInterrupted(t *testing.T) {
	tmp := t.TempDir()
	for _, by := range []unix.Signal{unix.SIGKILL, unix.SIGINT, unix.SIGTERM} {
		before, err := filepath.Glob(tmp + "/capsule-run-*/doctor-*")
		must(t, err)
		cmd := exec.Command(binary, "doctor", "--runtime", trees.Tree(t, "runtime11"), "--json")
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + tmp}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		must(t, cmd.Start())
		must(t, waitFor(time.Minute, func() error { // until it draws
			found, _ := filepath.Glob(tmp + "/capsule-run-*/doctor-*")
			if found == nil || len(before) > 0 && slices.Contains(found, before[0]) {
				return errors.New("no program")
			}
			if _, err := os.Stat(found[0] + "/x86_64/capsule-scene"); err != nil {
				return err
			}
			return nil
		}))
		must(t, cmd.Process.Signal(by))
		_ = cmd.Wait()
		left, err := os.ReadDir(tmp)
		if by == unix.SIGKILL {
			if err != nil || len(left) == 0 { // or the next one has nothing to remove
				t.Fatalf("got %v, %v, want what the killed one has left", left, err)
			}
			continue
		}
		if status := cmd.ProcessState.ExitCode(); status != 128+int(by) || out.Len() > 0 || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("%v: exit status %d\n%s%s", by, status, out.String(), errs.String())
		}
		if err != nil || len(left) > 0 {
			t.Errorf("%v: left behind: %v, %v", by, left, err)
		}
	}
}
