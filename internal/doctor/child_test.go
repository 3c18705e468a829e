package doctor

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// A child may crash, hang, print without end, and leave others behind.
func TestChild(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := func(script string, limit time.Duration) outcome {
		c := &child{argv: []string{"/bin/sh", "-c", script}, env: os.Environ(), dir: t.TempDir()}
		return c.run(context.Background(), limit)
	}
	if o := start("ulimit -c 0; echo out; echo err >&2; kill -SEGV $$", time.Minute); o.signal != unix.SIGSEGV || string(o.stdout) != "out\n" ||
		string(o.stderr) != "err\n" || o.failed("draw", time.Minute).Error != "ended by SIGSEGV: err" {
		t.Errorf("a crash: %+v", o)
	}
	if o := start("exit 3", time.Minute); o.status != 3 || o.signal != 0 || o.failed("draw", time.Minute).Error != "ended with status 3" {
		t.Errorf("a status: %+v", o)
	}
	// Standard error is read to its end before the other begins, and the shell waits for both.
	o := start("i=0; while :; do echo 0123456789012345678901234567890123456789; echo last line >&2; done", time.Second)
	if !o.late || len(o.stdout) > maxOutput || len(o.stderr) > maxErrors || o.failed("draw", time.Second).Error != "it did not end within 1s" {
		t.Errorf("endless: late %v, %d, %d bytes", o.late, len(o.stdout), len(o.stderr))
	}
	o = start("sleep 1000 & echo $!", time.Minute)
	if o.late || o.status != 0 {
		t.Errorf("a child's child: %+v", o)
	}
	if b, err := os.ReadFile("/proc/" + strings.TrimSpace(string(o.stdout)) + "/cmdline"); err == nil && strings.Contains(string(b), "1000") {
		t.Error("a child's child goes on")
	}
	if o := (&child{argv: []string{"/nowhere"}, dir: "/"}).run(context.Background(), time.Second); o.err == nil {
		t.Errorf("%+v", o)
	}
	ctx, stop := context.WithCancel(context.Background())
	dir := t.TempDir()
	go func() {
		for { // until it runs
			if _, err := os.Stat(dir + "/runs"); err == nil {
				stop()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if o := (&child{argv: []string{"/bin/sh", "-c", ": >runs; exec sleep 1000"}, env: os.Environ(), dir: dir}).run(ctx, time.Minute); !o.late || ctx.Err() == nil {
		t.Errorf("interrupted: %+v", o)
	}
}

func TestSaid(t *testing.T) {
	for text, want := range map[string][2]string{
		"": {"", ""},
		"noise\ncapsule-run: error: runtime r: no\ncapsule-run: hint: try\n": {"runtime r: no", "try"},
		"x: symbol lookup error: libA: undefined symbol: f\nmore\n":          {"symbol lookup error: libA: undefined symbol: f", ""},
		"capsule: error: the host's driver called f@V, which\nAborted\n":     {"the host's driver called f@V, which", ""},
		"a\nb\x1b[2J": {"b?[2J", ""},
	} {
		if what, hint := said([]byte(text)); what != want[0] || hint != want[1] {
			t.Errorf("%q: %q, %q", text, what, hint)
		}
	}
}

// A scene may crash when it has drawn, and what it leaves as a picture may be anything.
func TestOne(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	good := pam(2, 2, make([]byte, 16))
	const said = `echo '{"api":"GL","platform":"x11","device":"d"}';`
	for name, c := range map[string]struct{ script, want, step string }{
		"drawn":            {said + ` cat good >"$1"`, "", ""},
		"no picture":       {said, "", ""},
		"a crash":          {said + ` cat good >"$1"; ulimit -c 0; kill -SEGV $$`, "ended by SIGSEGV, after it had drawn", "exit"},
		"half a picture":   {said + ` head -c 75 good >"$1"`, "the picture has", "picture"},
		"endless":          {said + ` truncate -s 20G "$1"`, "the picture is no PAM file", "picture"},
		"a pipe":           {said + ` mkfifo "$1"`, "not a regular file", "picture"},
		"a link":           {said + ` ln -s good "$1"`, "too many levels", "picture"},
		"a directory":      {said + ` mkdir "$1"`, "not a regular file", "picture"},
		"words":            {`echo no; echo why >&2`, "why", "start"},
		"nothing":          {`exit 0`, errNothingTold.Error(), "start"},
		"what it says":     {`echo '{"error":"no display","step":"open"}'`, "no display", "open"},
		"an error, status": {`echo '{"error":"no display","step":"open"}'; exit 1`, "no display", "open"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/good", good, 0o600); err != nil {
			t.Fatal(err)
		}
		d := &doctor{Options: &Options{Limit: time.Minute}}
		s := &report.Scene{}
		got := d.one(context.Background(), &child{argv: []string{"/bin/sh", "-c", c.script, "sh", dir + "/p"}, env: os.Environ(), dir: dir}, dir+"/p", s)
		if got.Step != c.step || !strings.HasPrefix(got.Error, c.want) && !strings.Contains(got.Error, c.want) || got.Error != "" && c.want == "" {
			t.Errorf("%s: %q, %q", name, got.Step, got.Error)
		}
		if name == "drawn" && (s.API != "GL" || s.Platform != "x11" || decode(got.PNG) == nil) {
			t.Errorf("%s: %+v, %+v", name, s, got)
		}
		if _, err := os.Lstat(dir + "/p"); err == nil {
			t.Errorf("%s: the picture is left", name)
		}
	}
}

// After an interruption nothing is started any more.
func TestChildAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	c := &child{argv: []string{"/bin/sh", "-c", "echo > ran"}, env: os.Environ(), dir: dir}
	if o := c.run(ctx, time.Minute); !errors.Is(o.err, context.Canceled) {
		t.Errorf("%+v", o)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// The scenes' program is put where it is seen in a runtime, too.
func TestCovered(t *testing.T) {
	link := t.TempDir() + "/link"
	if err := os.Symlink("/usr/share", link); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"/usr/local/tmp": true, "/lib64": true, link: true, "/tmp": false, "/var/tmp": false, "/home/usr": false, "/": false} {
		if covered(dir) != want {
			t.Errorf("%s: %v", dir, !want)
		}
	}
}
