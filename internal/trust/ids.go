package trust

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// proc reads a small file of this process below /proc. What is no proc file system says nothing.
func proc(name string) string {
	f, err := os.Open("/proc/" + name)
	if err != nil {
		return ""
	}
	defer f.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(f, 1<<16)) // a map has 340 lines at most (user_namespaces(7))
	return string(text)
}

// inUserNamespace says whether user 0 is somebody else outside: then the file's owner may be the
// real root, who has no number here.
func inUserNamespace() bool {
	var inside, outside, count uint64
	_, err := fmt.Sscan(proc("self/uid_map"), &inside, &outside, &count)
	return err == nil && (inside != 0 || outside != 0 || count != 1<<32-1)
}

// unknown says whether a number is what a user namespace shows for all who have none in it.
func unknown(id uint32) bool {
	none, err := strconv.ParseUint(strings.TrimSpace(proc("sys/kernel/overflowuid")), 10, 32)
	return err == nil && uint64(id) == none && inUserNamespace()
}

// outside is a user's or group's number outside of our user namespace, which files like /etc/passwd
// go by.
func outside(file string, id uint32) (uint32, bool) {
	for line := range strings.Lines(proc("self/" + file)) {
		var in, out, count uint64
		if _, err := fmt.Sscan(line, &in, &out, &count); err == nil && uint64(id) >= in && uint64(id)-in < count {
			return uint32(out + uint64(id) - in), true
		}
	}
	return 0, false
}

// RealUser is the number that this process's user has where most do not live in user namespaces:
// what is named by it there is nobody else's.
func RealUser() uint32 {
	id := uint32(os.Geteuid())
	if real, ok := outside("uid_map", id); ok {
		return real
	}
	return id
}

// alone says whether a group has nobody in it but this process's user, as the group that many
// systems give each user (umask 002). Groups that /etc/group does not have (LDAP) may have anybody
// in them.
func alone(gid uint32) bool {
	uid, known := outside("uid_map", uint32(os.Geteuid()))
	group, there := outside("gid_map", gid)
	if !known || !there || uid == 0 {
		return false
	}
	return aloneBy(uid, group, database("/etc/passwd"), database("/etc/group"))
}

// aloneBy reads passwd(5) and group(5).
func aloneBy(uid, gid uint32, passwd, group [][]string) bool {
	number := func(fields []string, i int, n uint32) bool {
		return len(fields) > i && fields[i] == strconv.FormatUint(uint64(n), 10)
	}
	name := ""
	for _, user := range passwd {
		switch {
		case number(user, 2, uid):
			name = user[0]
		case number(user, 3, gid) && !number(user, 2, 0): // root may write anyway
			return false // another one has it from the start
		}
	}
	there := false
	for _, g := range group {
		if !number(g, 2, gid) {
			continue
		}
		there = true
		if len(g) < 4 {
			return false
		}
		for member := range strings.SplitSeq(g[3], ",") {
			if member != "" && member != "root" && member != name {
				return false
			}
		}
	}
	return there && name != ""
}

// database reads a file of lines with fields. One that is larger than any machine's own says
// nothing.
func database(name string) (lines [][]string) {
	const most = 4 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	read := &io.LimitedReader{R: f, N: most}
	s := bufio.NewScanner(read)
	for s.Scan() {
		lines = append(lines, strings.Split(s.Text(), ":"))
	}
	if s.Err() != nil || read.N == 0 { // half of it could be without the one who matters
		return nil
	}
	return lines
}
