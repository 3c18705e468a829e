package launch

import "github.com/capsule-run/capsule-run/internal/mount"

// Tri is a choice that the program may make itself.
type Tri int

const (
	Auto Tri = iota
	Yes
	No
)

// Spec says what to start, and where.
type Spec struct {
	Ops []mount.Op
	// Argv is the command; Argv[0] is searched in the PATH of Env inside the new root if it has no slash.
	Argv []string
	Env  []string
	// Dir is the working directory inside the new root; empty means "/".
	Dir string
	// Direct starts the command where we are: in no namespace of its own, with no root of its own; Ops must be empty.
	Direct bool
	// UserNS says whether to make a user namespace. Auto makes one unless we are root with CAP_SYS_ADMIN.
	UserNS Tri
	// UnshareNet gives the command a network namespace of its own, in which there is the loopback interface alone.
	UnshareNet bool
	// UnsharePID gives the command a PID namespace of its own, of which a process of ours is process 1: it reaps, and its end,
	// when the command or the launcher ends, is that of all processes in it. Ops must mount a /proc of it.
	UnsharePID bool
	// WaitChildren has Run wait for all descendants of the command too, and reap those that lose their parent.
	WaitChildren bool
	// Shells are what Argv[0] is taken from, if there are any: the first that can be executed. SHELL of Env becomes it.
	Shells []string
	// MountAPI chooses the mount calls.
	MountAPI mount.API
}

// Exit statuses of a launch that ran nothing, as env(1), nohup(1) and shells give them.
const (
	ExitSetup         = 125 // we failed
	ExitNotExecutable = 126 // the command was found and could not be executed
	ExitNotFound      = 127 // the command was not found
)

// Error says that nothing was run, and why.
type Error struct {
	Op   string // the stage: "namespace", "mount", "chdir", "exec"
	Msg  string
	Hint string // what to do about it; may be empty
	Code int    // the exit status that the launcher should give

	errno uint64 // the system's error behind it, 0 if none
}

func (e *Error) Error() string { return e.Msg }

// ExitCode returns the exit status for the launcher.
func (e *Error) ExitCode() int { return e.Code }

// HintText returns the hint.
func (e *Error) HintText() string { return e.Hint }
