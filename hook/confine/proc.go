package confine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Proc is a proc file system that is one: a container or a mount over /proc cannot stand in for it.
type Proc struct {
	dir *os.File
}

// procRootIno is the inode number of a proc file system's root directory (include/linux/proc_fs.h, PROC_ROOT_INO).
const procRootIno = 1

// OpenProc opens /proc and makes sure of what it is.
func OpenProc() (*Proc, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	p := &Proc{os.NewFile(uintptr(fd), "/proc")}
	var fs unix.Statfs_t
	var st unix.Stat_t
	err = unix.Fstatfs(fd, &fs)
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil && (fs.Type != unix.PROC_SUPER_MAGIC || st.Ino != procRootIno) {
		err = errors.New("not the root of a proc file system")
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("/proc: %w", err)
	}
	return p, nil
}

// ErrNumbers says that a process has another number in /proc than for the hook.
var ErrNumbers = errors.New("it belongs to another process namespace")

// Process is the directory of the process that has a number for us. It stays that process's, even
// if the number is used again. A /proc of another process namespace would show somebody else under
// that number.
func (p *Proc) Process(pid int) (*Proc, error) {
	status, err := p.Open("self/status", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer status.Close()
	own, err := ownNumbers(io.LimitReader(status, maxStatus))
	if err == nil && own > 1 {
		err = ErrNumbers
	}
	if err != nil {
		return nil, fmt.Errorf("/proc: %w", err)
	}
	dir, err := p.Open(strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Proc{dir}, nil
}

// maxStatus is in bytes: the kernel's has 1.5 KB.
const maxStatus = 64 << 10

// ownNumbers counts the process namespaces in which a status file's process has a number: from that
// of its /proc down to the process's own (proc_pid_status(5), NSpid; Linux 4.1). A kernel without
// such namespaces has no such line.
func ownNumbers(status io.Reader) (int, error) {
	s := bufio.NewScanner(status)
	for s.Scan() {
		if list, ok := strings.CutPrefix(s.Text(), "NSpid:"); ok {
			return len(strings.Fields(list)), nil
		}
	}
	return 1, s.Err()
}

// Close gives the descriptor back.
func (p *Proc) Close() error { return p.dir.Close() }

// Open opens a file of /proc that lies on it itself: nothing mounted over it, no link to an open file.
func (p *Proc) Open(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat2(int(p.dir.Fd()), name, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, fmt.Errorf("open %s/%s: %w", p.dir.Name(), name, err)
	}
	return os.NewFile(uintptr(fd), p.dir.Name()+"/"+name), nil
}

// OpenLink opens what a link of /proc/PID stands for: DIR/NAME with DIR on proc itself and NAME the kernel's own link.
func (p *Proc) OpenLink(dir, name string, flags int) (*os.File, error) {
	d, err := p.Open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var link, up unix.Statx_t
	err = unix.Statx(int(d.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &link)
	if err == nil {
		err = unix.Statx(int(d.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &up)
	}
	if err == nil && link.Mnt_id != up.Mnt_id {
		err = unix.EXDEV // something is mounted over the link
	}
	if err != nil {
		return nil, fmt.Errorf("open %s/%s: %w", d.Name(), name, err)
	}
	fd, err := unix.Openat(int(d.Fd()), name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s/%s: %w", d.Name(), name, err)
	}
	return os.NewFile(uintptr(fd), d.Name()+"/"+name), nil
}

// Link is the path by which mount(2) and umount2(2) reach what a descriptor stands for, relative to Enter's directory.
func Link(fd int) string { return "self/fd/" + strconv.Itoa(fd) }

// Enter makes /proc the calling thread's working directory. The thread must have a working directory of its own.
func (p *Proc) Enter() error { return unix.Fchdir(int(p.dir.Fd())) }
