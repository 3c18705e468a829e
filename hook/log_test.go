package hook

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

func TestLog(t *testing.T) {
	o := &Options{Stage: CreateRuntime, Cache: filepath.Join(t.TempDir(), "cache")}
	o.Log(fault.WithHint(errors.New("container x:\nno \x1b[31mdriver"), "get one"))
	o.Log(errors.New("another"))
	text, err := os.ReadFile(filepath.Join(o.Cache, LogName))
	want := regexp.MustCompile(`^\S+Z createRuntime: container x: no \?\[31mdriver; hint: get one\n\S+Z createRuntime: another\n$`)
	if err != nil || !want.Match(text) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTellSystem(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	tellSystem(socket, severityError, "nobody listens")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: socket})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	tellSystem(socket, severityError, "createRuntime: no driver")
	tellSystem(socket, severityError, strings.Repeat("x", 1<<20))
	b := make([]byte, 1<<20)
	n, err := unix.Read(fd, b)
	if want := regexp.MustCompile(`^<27>capsule-hook\[\d+\]: createRuntime: no driver$`); err != nil || !want.Match(b[:n]) {
		t.Errorf("%q, %v", b[:max(n, 0)], err)
	}
	if n, err = unix.Read(fd, b); err != nil || n > 2048 {
		t.Errorf("%d bytes, %v", n, err)
	}
	for range 10000 { // a daemon that does not read is not waited for
		tellSystem(socket, severityError, "x")
	}
}
