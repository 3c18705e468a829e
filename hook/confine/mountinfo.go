package confine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxMountinfo bounds a mount table, in bytes: the kernel's own limit of mounts (fs.mount-max, 100000) at 600 bytes each.
const maxMountinfo = 60 << 20

// Mount is a line of mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	ID, Parent   uint64
	Dev          string // "major:minor"
	Root         string // what of the file system is shown, as a path in it
	Point        string // as seen from the root of whoever reads it
	Type, Source string
	Shared       bool // what is mounted below it appears elsewhere too
}

// Mounts reads the mount table of the calling thread.
func (p *Proc) Mounts() ([]Mount, error) {
	f, err := p.Open("thread-self/mountinfo", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mounts, err := parseMounts(io.LimitReader(f, maxMountinfo))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return mounts, nil
}

func parseMounts(r io.Reader) ([]Mount, error) {
	var out []Mount
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20) // overlay's options list every layer
	for s.Scan() {
		f := strings.Fields(s.Text())
		dash := 6
		for dash < len(f) && f[dash] != "-" {
			dash++
		}
		if dash+2 >= len(f) {
			return nil, fmt.Errorf("line %q", s.Text())
		}
		m := Mount{Dev: f[2], Root: unescape(f[3]), Point: unescape(f[4]), Type: f[dash+1], Source: unescape(f[dash+2])}
		for i, id := range []*uint64{&m.ID, &m.Parent} {
			var err error
			if *id, err = strconv.ParseUint(f[i], 10, 64); err != nil {
				return nil, fmt.Errorf("line %q: %w", s.Text(), err)
			}
		}
		for _, optional := range f[6:dash] {
			m.Shared = m.Shared || strings.HasPrefix(optional, "shared:")
		}
		out = append(out, m)
	}
	return out, s.Err()
}

// unescape undoes the kernel's mangle_path: space, tab, newline and backslash are a backslash and three octal digits.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// MountID is the mount that a descriptor's file was reached through (Linux 5.8).
func MountID(f *os.File) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
	if err == nil && st.Mask&unix.STATX_MNT_ID == 0 {
		err = unix.ENOSYS
	}
	if err != nil {
		return 0, fmt.Errorf("find the mount of %s: %w", f.Name(), err)
	}
	return st.Mnt_id, nil
}
