package hook

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
)

// LogName is a file in the cache's directory. crun throws away what hooks write to standard error, so that the reason for
// a container that did not start would be nowhere.
const LogName = "hook.log"

// maxLog is in bytes; a log above it is begun anew.
const maxLog = 1 << 20

// Log notes an error there, if that can be done.
func (o *Options) Log(err error) {
	dir := o.Cache
	if dir == "" {
		dir, _ = defaultCache()
	}
	if !filepath.IsAbs(dir) || os.MkdirAll(dir, 0o755) != nil || ours(dir) != nil {
		return
	}
	name := filepath.Join(dir, LogName)
	fd, openErr := unix.Open(name, unix.O_CREAT|unix.O_WRONLY|unix.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
	if openErr != nil {
		return
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	st, statErr := f.Stat()
	if statErr != nil || !st.Mode().IsRegular() || st.Size() > maxLog && f.Truncate(0) != nil {
		return
	}
	line := fmt.Sprintf("%s %s: %v", time.Now().UTC().Format(time.RFC3339), o.Stage, err)
	if hint := fault.Hint(err); hint != "" {
		line += "; hint: " + hint
	}
	_, _ = fmt.Fprintln(f, fault.OneLine(line))
}
