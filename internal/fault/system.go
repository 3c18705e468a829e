package fault

import (
	"errors"

	"golang.org/x/sys/unix"
)

// systemHints are for what the system refuses, where whoever asked for it knew nothing better to say. The message names
// the file.
var systemHints = []struct {
	errno unix.Errno
	hint  string
}{
	{unix.ENOSPC, "free some space on that file system"},
	{unix.EDQUOT, "free some space: your quota on that file system is used up"},
	{unix.EROFS, "that file system is read-only: name a place that can be written to"},
	{unix.EACCES, "look at the owner and the permissions of that path and of the directories above it"},
	{unix.EPERM, "only its owner, or root, may do that"},
	{unix.EMFILE, "raise the limit of open files: ulimit -n"},
	{unix.ENFILE, "the whole machine has too many files open: sysctl fs.file-max"},
	{unix.ENOMEM, "there is not enough memory: end other programs, or raise the limit (ulimit -v, the container's)"},
	{unix.EIO, "the disk or the connection to it has a fault: the kernel's log says more (dmesg)"},
	{unix.ESTALE, "the network file system's server has lost that file: try again"},
}

// fallback leads to where messages are explained, by their words.
const fallback = "docs/troubleshooting.md explains messages (installed in share/doc/capsule-run)"

func systemHint(err error) string {
	for _, h := range systemHints {
		if errors.Is(err, h.errno) {
			return h.hint
		}
	}
	return fallback
}
