package mount

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Kind says what an Op does.
type Kind string

const (
	// Dir makes a directory, and its missing parents with mode 0755.
	Dir Kind = "dir"
	// Tmpfs mounts an empty tmpfs on a directory, which is made if it is missing.
	Tmpfs Kind = "tmpfs"
	// Proc mounts a proc file system of the caller's PID namespace on a directory, which is made if it is missing. In a user
	// namespace the kernel refuses it (EPERM) unless a proc with nothing hidden is in sight (mount_too_revealing in
	// fs/namespace.c): container engines hide parts.
	Proc Kind = "proc"
	// Bind makes the file or directory Source visible at Target.
	Bind Kind = "bind"
	// Room makes place, in the directory at Target, for what later operations make or mount below
	// it, though the directory is the runtime's: what is there stays, but for entries that are in
	// the way. All of it becomes read-only. A directory that is missing is made.
	Room Kind = "room"
	// Symlink makes a symbolic link with the text Text. A link that is there with the same text is left alone.
	Symlink Kind = "symlink"
	// File makes a regular file with the content Text.
	File Kind = "file"
	// Seal makes the mount at Target read-only, without the mounts below it. With the target "/" it closes our own
	// root against writes when everything is in place.
	Seal Kind = "seal"
)

// Op is one step. The zero values of the fields that a Kind does not use are required by nothing and ignored.
type Op struct {
	Kind Kind `json:"kind"`
	// Source is a path of the old root (Bind only).
	Source string `json:"source,omitempty"`
	// Target is an absolute path of the new root.
	Target string `json:"target"`
	// ReadOnly makes a Bind read-only with everything mounted below it, and keeps later mounts of the host out of it.
	ReadOnly bool `json:"read_only,omitempty"`
	// Recursive takes the mounts below Source along. Without privilege over the host's mounts the kernel refuses
	// anything else for a directory that has mounts below it, because these would uncover what they hide.
	Recursive bool `json:"recursive,omitempty"`
	// Optional skips a Bind whose Source is missing or out of reach.
	Optional bool `json:"optional,omitempty"`
	// Text is the link's text or the file's content.
	Text string `json:"text,omitempty"`
	// Mode is the permission bits of what is created; 0 means 0755 for a directory or tmpfs, 0644 for a file.
	Mode uint32 `json:"mode,omitempty"`
	// Why is for people who read the plan.
	Why string `json:"why,omitempty"`
}

// String names the operation the way error messages do.
func (o Op) String() string {
	switch o.Kind {
	case Bind:
		return fmt.Sprintf("bind %s on %s", o.Source, o.Target)
	case Symlink:
		return fmt.Sprintf("symlink %s -> %s", o.Target, o.Text)
	}
	return string(o.Kind) + " " + o.Target
}

func (o Op) mode() uint32 {
	switch {
	case o.Mode != 0:
		return o.Mode & 0o7777
	case o.Kind == File:
		return 0o644
	}
	return 0o755
}

// API chooses the system calls. It is a parameter so that tests run both sets on one kernel.
type API int

const (
	// Auto takes the new API where every call of it is there, else the old one.
	Auto API = iota
	// New insists on fsopen, open_tree, move_mount, mount_setattr (Linux 5.12).
	New
	// Old uses mount(2) only.
	Old
)

func (a API) String() string {
	return [...]string{"auto", "new", "old"}[a]
}

// Error is a failed operation. Index is -1 when the failure is not one of the list's, but of the frame around it.
type Error struct {
	Index int
	Op    Op
	Doing string // what was being done, "open source"
	Err   error
}

func (e *Error) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("%s: %v", e.Doing, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Doing, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about the error, or is empty.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, errNotOurs):
		return "bind below a directory that does not come from the runtime, or onto a path that exists there"
	case e.Index < 0 && e.Doing == "pivot_root" && errors.Is(e.Err, unix.EINVAL):
		return "the current root is no mount point: inside a chroot or an initramfs no root can be exchanged; start from outside"
	case e.Index < 0 && e.Doing == "make mounts private" && errors.Is(e.Err, unix.EINVAL):
		return "the current root is no mount point, as inside a chroot; start from outside it"
	case e.Op.Kind == Bind && errors.Is(e.Err, unix.EINVAL) && !e.Op.Recursive:
		return "other file systems are mounted below the source; without privileges it can only be bound with them"
	case e.Op.Kind == Bind && e.Doing == "open source" && errors.Is(e.Err, unix.EXDEV):
		return "the source leads through a link of /proc to an open file; name the file itself"
	case e.Op.Kind == Bind && e.Doing == "open source" && errors.Is(e.Err, unix.ENOENT):
		return "the source must exist before the launch"
	}
	return ""
}
