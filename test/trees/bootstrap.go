package trees

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// bootstrap runs mmdebstrap and unpacks what it makes. It goes through tar, as root too: in that way the files
// belong to whoever runs the tests, and no device node or mount is ever below the cache.
func (r Recipe) bootstrap(ctx context.Context, dir string) error {
	mirror, err := Mirror()
	if err != nil {
		return err
	}
	release, err := buildSlot(ctx)
	if err != nil {
		return err
	}
	defer release()
	components := []string{"main"}
	if len(r.Components) > 0 {
		components = r.Components
	}
	args := []string{"--format=tar", "--variant=" + r.Variant, "--architectures=" + r.Arch,
		"--components=" + strings.Join(components, ","), "--include=" + strings.Join(r.Include, ","),
		`--aptopt=Acquire::Retries "3"`,
		"--dpkgopt=force-unsafe-io",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/info/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/lintian/*", "--dpkgopt=path-exclude=/usr/share/bug/*"}
	if r.Suite == rolling {
		// Its index is valid for a week only. A mirror that lags still has signed packages, good enough for a test's host.
		args = append(args, `--aptopt=Acquire::Check-Valid-Until "false"`)
	}
	args = append(args, aptProxies()...)
	args = append(args, r.Suite, "-", mirror)
	for {
		err := unpackFrom(ctx, dir, "mmdebstrap", args...)
		if err == nil {
			return nil
		}
		again := errors.Is(err, errFetch)
		err = fmt.Errorf("mmdebstrap %s: %w", r.Suite, err)
		if ctx.Err() != nil || !again || !waitForMirror(ctx, err) {
			return err
		}
		if err := empty(dir); err != nil {
			return fmt.Errorf("remove what an interrupted run left: %w", err)
		}
	}
}

// A mirror that is being updated, or a cache in front of it, refuses a suite for a minute or so; apt's own retries are over in
// seconds. retryAfter is how long to wait, and retries how often this process does so, for all trees together: where nothing
// can be had, the error is to come soon.
const retryAfter = 30 * time.Second

var retries atomic.Int32

func waitForMirror(ctx context.Context, err error) bool {
	if retries.Add(1) > 8 {
		return false
	}
	fmt.Fprintf(Progress, "trees: once more in %.0f s: %v\n", retryAfter.Seconds(), err)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(retryAfter):
		return true
	}
}

// errFetch is the network's or the mirror's fault, which may be over in a minute. All other errors of a tool are its own: they
// would come again, and are shown at once.
var errFetch = errors.New("could not fetch")

// fetchFault finds what apt 1.8 to 3.0 says when the network or the mirror is at fault (apt-pkg/acquire-item.cc,
// methods/connect.cc).
var fetchFault = regexp.MustCompile(`Failed to fetch|Unable to fetch|does not have a Release file|Hash Sum mismatch|` +
	`File has unexpected size|Could not (?:connect|resolve|handshake)|Temporary failure resolving|Connection (?:failed|timed out)`)

// unpackFrom runs a command that writes a tar archive, and unpacks that.
func unpackFrom(ctx context.Context, dir, name string, args ...string) (err error) {
	var makeLog, unpackLog bytes.Buffer
	make := exec.CommandContext(ctx, name, args...)
	unpack := exec.CommandContext(ctx, "tar", "-x", "-C", dir, "--no-same-owner", "--delay-directory-restore",
		"--exclude=./dev/*")
	make.Stderr, unpack.Stderr = &makeLog, &unpackLog
	if unpack.Stdin, err = make.StdoutPipe(); err != nil {
		return err
	}
	if err := unpack.Start(); err != nil {
		return fmt.Errorf("unpack tree: %w", err)
	}
	makeErr := make.Run()
	unpackErr := unpack.Wait()
	if makeErr != nil { // then what tar makes of it says nothing
		err := fmt.Errorf("%w\n%s", makeErr, lastLines(makeLog.String(), 15))
		if fetchFault.Match(makeLog.Bytes()) {
			return fmt.Errorf("%w: %w", errFetch, err)
		}
		return err
	}
	if unpackErr != nil {
		return fmt.Errorf("unpack tree: %w\n%s", unpackErr, lastLines(unpackLog.String(), 15))
	}
	return nil
}

func empty(dir string) error {
	if err := removeTree(dir); err != nil {
		return err
	}
	return os.Mkdir(dir, 0o755)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
