package doctor

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

func (d *doctor) lookAtMachine() {
	m := &d.report.Machine
	m.System = osRelease(d.Host)["PRETTY_NAME"]
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel, m.Arch = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	}
	m.Processor = processor(readSome("/proc/cpuinfo"))
	if s := d.report.Stack; s != nil && len(s.Architectures) > 0 {
		m.Glibc = s.Architectures[0].HostLibc
	}
	m.Container = container()
	m.Sessions = []string{}
	if d.Getenv("DISPLAY") != "" {
		m.Sessions = append(m.Sessions, "x11")
	}
	if d.Getenv("WAYLAND_DISPLAY") != "" || d.Getenv("WAYLAND_SOCKET") != "" {
		m.Sessions = append(m.Sessions, "wayland")
	}
}

// maxText is how much is read of a file that is for people, in bytes.
const maxText = 64 << 10

func readSome(name string) []byte {
	f, err := regular.Open(name, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxText))
	return b
}

// osRelease reads os-release(5) of a tree, which may be anything.
func osRelease(dir string) map[string]string {
	root, err := rootfs.Open(dir)
	if err != nil {
		return nil
	}
	defer root.Close()
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if f, err := root.OpenFile(name); err == nil {
			b, err := io.ReadAll(io.LimitReader(f, maxText))
			f.Close()
			if err == nil {
				return parseOSRelease(b)
			}
		}
	}
	return nil
}

// parseOSRelease reads NAME=VALUE with a shell's quotes; escapes are left as they are.
func parseOSRelease(b []byte) map[string]string {
	out := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		name, value, ok := strings.Cut(strings.TrimSpace(s.Text()), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		out[name] = shorten(value)
	}
	return out
}

// processor is the first model name of /proc/cpuinfo; on aarch64 there is none.
func processor(cpuinfo []byte) string {
	for line := range strings.Lines(string(cpuinfo)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return shorten(strings.Join(strings.Fields(value), " "))
		}
	}
	return ""
}

// container names what we are in, by the marks that engines leave; empty where there is none.
func container() string {
	for _, mark := range []struct{ file, name string }{
		{"/.flatpak-info", "flatpak"}, {"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"},
	} {
		if _, err := os.Lstat(mark.file); err == nil {
			return mark.name
		}
	}
	// systemd.io/CONTAINER_INTERFACE
	if b := readSome("/run/systemd/container"); len(b) > 0 {
		return shorten(strings.TrimSpace(string(b)))
	}
	if os.Getenv("SNAP") != "" && os.Getenv("SNAP_NAME") != "" {
		return "snap"
	}
	if exe, err := os.Readlink("/proc/1/exe"); err == nil && filepath.Base(exe) == "capsule-run" {
		return "capsule-run"
	}
	return ""
}

// maxWord is how long a text of somebody else's may be, in bytes.
const maxWord = 500

// shorten makes a text of somebody else's fit for a report.
func shorten(s string) string {
	s = strings.ToValidUTF8(fault.OneLine(s), "?")
	if len(s) > maxWord {
		s = strings.ToValidUTF8(s[:maxWord], "") + "…"
	}
	return s
}
