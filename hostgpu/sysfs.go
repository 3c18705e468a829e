package hostgpu

import (
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/capsule-run/capsule-run/internal/pattern"
	"github.com/capsule-run/capsule-run/internal/rootfs"
)

const (
	// maxAttribute is above a page, which an attribute of sysfs is at most (Linux, Documentation/filesystems/sysfs.rst).
	maxAttribute = 64 << 10
	// maxDevices bounds what is looked at in one directory: a machine with more GPUs than this needs another program.
	maxDevices = 1 << 12
)

var pciAddress = pattern.Lazy(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)

// tree reads sysfs and proc of a root.
type tree struct{ *rootfs.Root }

// text is a file's content without what no terminal should see, empty if there is none.
func (t tree) text(p string) string {
	b, err := t.ReadFile(p, maxAttribute)
	if err != nil {
		return ""
	}
	return clean(string(b))
}

// clean drops control characters but for the ends of lines, and cuts off spaces.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || r == unicode.ReplacementChar) {
			return -1
		}
		return r
	}, s))
}

// hex is a number such as "0x10de" as "10de", empty if it is none.
func (t tree) hex(p string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(t.text(p), "0x"), 16, 32)
	if err != nil {
		return ""
	}
	s := strconv.FormatUint(n, 16)
	return strings.Repeat("0", max(0, 4-len(s))) + s
}

// uevent reads the lines KEY=VALUE of a device's uevent.
func (t tree) uevent(dir string) map[string]string {
	out := map[string]string{}
	for l := range strings.Lines(t.text(path.Join(dir, "uevent"))) {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			out[k] = v
		}
	}
	return out
}

// linked is the last component of what a link leads to, empty if there is none.
func (t tree) linked(p string) string {
	to, err := t.Resolve(p)
	if err != nil {
		return ""
	}
	return path.Base(to)
}

// list names what a directory has, none if there is no such directory.
func (t tree) list(dir string) []string {
	names, err := t.ReadDir(dir)
	if err != nil {
		return nil
	}
	return names[:min(len(names), maxDevices)]
}

// number reads "MAJOR:MINOR".
func number(text string) (major, minor uint32, ok bool) {
	a, b, found := strings.Cut(text, ":")
	x, err1 := strconv.ParseUint(a, 10, 32)
	y, err2 := strconv.ParseUint(b, 10, 32)
	return uint32(x), uint32(y), found && err1 == nil && err2 == nil
}

// majors reads the character devices of /proc/devices: major numbers by name.
func (t tree) majors() map[string]uint32 {
	out := map[string]uint32{}
	inside := false
	for l := range strings.Lines(t.text("/proc/devices")) {
		if l = strings.TrimSpace(l); strings.HasSuffix(l, ":") {
			inside = l == "Character devices:"
			continue
		}
		n, name, ok := strings.Cut(l, " ")
		if major, err := strconv.ParseUint(n, 10, 32); inside && ok && err == nil {
			out[strings.TrimSpace(name)] = uint32(major)
		}
	}
	return out
}
