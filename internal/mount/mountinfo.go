package mount

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// placeOf returns the path of the file behind fd, as the kernel knows it.
func (c oldCalls) placeOf(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(c.proc, name(fd), buf)
	if err != nil {
		return "", err
	}
	if p := string(buf[:n]); path.IsAbs(p) {
		return p, nil
	}
	return "", fmt.Errorf("%q is no path", buf[:n])
}

// mountsBelow returns the mount points at and below place, place first.
func (c oldCalls) mountsBelow(place string) ([]string, error) {
	all, err := readMountPoints(c.proc, "self/mountinfo")
	if err != nil {
		return nil, err
	}
	out := []string{place}
	for _, p := range all {
		if strings.HasPrefix(p, place+"/") {
			out = append(out, p)
		}
	}
	return out, nil
}

// readMountPoints reads a mount table in the directory dir.
func readMountPoints(dir int, table string) ([]string, error) {
	fd, err := unix.Openat(dir, table, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), table)
	defer f.Close()
	data, err := io.ReadAll(f)
	return mountPoints(data), err
}

// mountPoints returns the fifth field of each line of a mountinfo file (proc_pid_mountinfo(5)).
func mountPoints(data []byte) []string {
	var out []string
	for line := range bytes.Lines(data) {
		fields := bytes.Fields(line)
		if len(fields) >= 5 {
			out = append(out, unescape(fields[4]))
		}
	}
	return out
}

// unescape undoes the kernel's mangle_path: space, tab, newline and backslash are written as \ and three octal digits.
func unescape(b []byte) string {
	var out []byte
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) {
			n, ok := 0, true
			for _, d := range b[i+1 : i+4] {
				ok = ok && d >= '0' && d <= '7'
				n = n*8 + int(d-'0')
			}
			if ok && n < 256 {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
}
