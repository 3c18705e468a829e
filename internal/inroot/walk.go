package inroot

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links one path may lead through: MAXSYMLINKS of the kernel (include/linux/namei.h).
const maxLinks = 40

// walk is Open for kernels without openat2: it opens one component after the other and follows
// links itself. It keeps the descriptors of all parents, so that ".." goes back to where the walk
// came from, not to where a racing rename has moved the directory.
func walk(root int, name string, flags int) (int, error) {
	stack := []int{}
	defer func() {
		for _, fd := range stack {
			unix.Close(fd)
		}
	}()
	top := func() int {
		if len(stack) == 0 {
			return root
		}
		return stack[len(stack)-1]
	}
	pop := func() {
		if n := len(stack); n > 0 {
			unix.Close(stack[n-1])
			stack = stack[:n-1]
		}
	}
	todo, links := name, 0
	for todo != "" {
		// A slash after a component says that it must be a directory.
		comp, rest, slash := strings.Cut(todo, "/")
		todo = rest
		switch comp {
		case "", ".":
			continue
		case "..":
			pop()
			continue
		}
		fd, err := unix.Openat(top(), comp, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return -1, err
		}
		if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFLNK {
			stack = append(stack, fd)
			if slash && kind != unix.S_IFDIR {
				return -1, unix.ENOTDIR
			}
			continue
		}
		text, err := readLink(fd)
		unix.Close(fd)
		if links++; err == nil && links > maxLinks {
			err = unix.ELOOP
		}
		if err != nil {
			return -1, err
		}
		if path.IsAbs(text) {
			for len(stack) > 0 {
				pop()
			}
		}
		if slash {
			text += "/" + todo
		}
		todo = text
	}
	// Open gives O_PATH alone, so a second descriptor for the same file is what open would give.
	fd, err := unix.FcntlInt(uintptr(top()), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil || flags&unix.O_DIRECTORY == 0 {
		return fd, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		unix.Close(fd)
		return -1, unix.ENOTDIR
	}
	return fd, nil
}

// readLink reads the link behind an O_PATH|O_NOFOLLOW descriptor. Magic links of /proc are told by their file system.
func readLink(fd int) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	text := string(buf[:n])
	// /proc/self and /proc/mounts are ordinary links, with relative texts; a magic link's text is absolute or "type:[n]".
	if fs.Type == unix.PROC_SUPER_MAGIC && (path.IsAbs(text) || strings.Contains(text, ":[")) {
		return "", unix.EXDEV // what openat2 says
	}
	return text, nil
}

// walkPlain is OpenPlain for kernels without openat2.
func walkPlain(root int, name string, flags int) (int, error) {
	at := root
	for {
		comp, rest, more := strings.Cut(name, "/")
		how := flags
		if more {
			how = unix.O_PATH
		}
		if comp == ".." {
			return -1, unix.EXDEV // what is never in a path without links
		}
		fd, err := unix.Openat(at, comp, how|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if at != root {
			unix.Close(at)
		}
		if err != nil || !more {
			return fd, err
		}
		var st unix.Stat_t
		if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			err = unix.ELOOP // what openat2 says
		}
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		at, name = fd, rest
	}
}
