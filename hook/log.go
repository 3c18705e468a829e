package hook

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// LogName is a file in the cache's directory. crun throws away what hooks write to standard error, and so the reason for a
// container that did not start.
const LogName = "hook.log"

// maxLog is in bytes; a log above it is begun anew.
const maxLog = 1 << 20

// systemLog is where programs tell syslogd or journald something (syslog(3)).
const systemLog = "/dev/log"

// Log notes an error in the log, and tells the system's, both if it can be done: a hook that runs as a user of the container's
// has no file to write to.
func (o *Options) Log(err error) {
	text := o.Stage + ": " + err.Error()
	if hint := fault.Hint(err); hint != "" {
		text += "; hint: " + hint
	}
	o.log(severityError, text)
}

// Warn tells of what a container does without, on standard error and in the logs.
func (o *Options) Warn(text string) {
	fmt.Fprintln(os.Stderr, "capsule-run: warning: "+fault.OneLine(text))
	o.log(severityWarning, o.Stage+": warning: "+text)
}

func (o *Options) log(severity int, text string) {
	text = fault.OneLine(text)
	o.appendLog(time.Now().UTC().Format(time.RFC3339) + " " + text + "\n")
	tellSystem(systemLog, severity, text)
}

func (o *Options) appendLog(line string) {
	dir := o.Cache
	if dir == "" {
		dir, _ = defaultCache()
	}
	if !filepath.IsAbs(dir) || trust.Own(dir, logDir) != nil {
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
	_, _ = f.WriteString(line)
}

// maxSystemLog is in bytes: what every syslogd takes (RFC 5424, 6.1).
const maxSystemLog = 2048

// Severities of RFC 3164, 4.1.1.
const (
	severityError   = 3
	severityWarning = 4
)

// tellSystem sends a line as syslog(3) does. It does not wait for a daemon that does not read.
func tellSystem(socket string, severity int, text string) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	// RFC 3164, 4.1: facility daemon (3). The daemon adds the time.
	line := fmt.Sprintf("<%d>capsule-hook[%d]: %s", 3<<3|severity, os.Getpid(), text)
	_ = unix.Sendto(fd, []byte(line[:min(len(line), maxSystemLog)]), 0, &unix.SockaddrUnix{Name: socket})
}
