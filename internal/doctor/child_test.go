package doctor

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	stop()
	if o := (&child{argv: []string{"/bin/sleep", "1000"}, dir: "/"}).run(ctx, time.Minute); !o.late {
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
