package launch

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// parentAtStart is who started us, as early as we can tell.
var parentAtStart = os.Getppid()

// DieWithParent has this process killed (SIGKILL) when its parent ends, and with it the command that Run starts. The parent
// is the *thread* that started us (PR_SET_PDEATHSIG, prctl(2)). If the parent has ended meanwhile, it does not return.
func DieWithParent() error {
	runtime.LockOSThread() // for good: the setting belongs to the thread, and Run's is this one
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("bind our life to the parent's: %w", err)
	}
	if os.Getppid() != parentAtStart {
		unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	return nil
}

// Inherited says whether a descriptor is one that our parent left open for the command. Those that the Go run-time system
// opens for itself have the close-on-exec flag, which no inherited one can have.
func Inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// waitChildren waits until no child is left. Descendants whose parent has ended are our children (PR_SET_CHILD_SUBREAPER).
func waitChildren() {
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(-1, &status, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}
