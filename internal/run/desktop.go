package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/launch"
	"github.com/capsule-run/capsule-run/internal/layout"
)

// Desktop is what a program gets of the user's session besides what every program does, and how long it lives.
type Desktop struct {
	Home       string // outside path of a private home, empty for the user's own
	Shares     []Share
	Shell      bool // Argv are the arguments of a shell of the runtime
	UnshareNet bool
	UnsharePID bool

	DieWithParent, WaitChildren bool
	PassFDs                     []int // must be open
}

// Share is a path of the host that is to be there under the same name.
type Share struct {
	Path     string
	ReadOnly bool
}

// attend checks what can be checked before anything else is done, and binds our life to the parent's.
func (o *Options) attend() error {
	for _, fd := range o.PassFDs {
		if !launch.Inherited(fd) {
			return fault.WithExit(fault.WithHint(fmt.Errorf("--pass-fd %d: there is no such open descriptor", fd),
				fmt.Sprintf("open it for capsule-run, in a shell by %d<FILE or %d>FILE behind the command", fd, fd)), fault.ExitUsage)
		}
	}
	if o.Isolation == IsolationNone {
		if err := o.needsIsolation(); err != nil {
			return err
		}
	}
	if o.DieWithParent {
		return launch.DieWithParent()
	}
	return nil
}

// binds are the user's shares and binds, in this order. A share behind a symbolic link has the name behind it too, at which
// a link that is there leads to it.
func (o *Options) binds() ([]layout.Bind, error) {
	var out []layout.Bind
	for _, s := range o.Shares {
		real, err := filepath.EvalSymlinks(s.Path)
		if err != nil {
			return nil, fault.WithExit(fault.WithHint(fmt.Errorf("--share: %w", err),
				"name a file or directory that exists"), fault.ExitUsage)
		}
		out = append(out, layout.Bind{Src: real, ReadOnly: s.ReadOnly, Flag: "--share", Link: s.Path})
	}
	return append(out, o.Binds...), nil
}

// makeHome makes the private home ready for a layout.
func makeHome(in *layout.Input, l *launch.Spec) error {
	if err := layout.MakeHome(in, l.Ops); err != nil {
		return fault.WithHint(err, "name a directory for --home in which you can write")
	}
	return nil
}

// shells are what --shell may mean, best first. An account that must not log in has a "shell" that is none.
func (o *Options) shells() []string {
	if !o.Shell {
		return nil
	}
	out := []string{"/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh"}
	switch own := o.Getenv("SHELL"); filepath.Base(own) {
	case "nologin", "false", "true":
	default:
		if filepath.IsAbs(own) {
			out = append([]string{own}, out...)
		}
	}
	return out
}

// needsIsolation names what of the user's wishes takes a namespace.
func (o *Options) needsIsolation() error {
	var flags []string
	if len(o.Binds) > 0 {
		flags = append(flags, "--bind")
	}
	if o.Home != "" {
		flags = append(flags, "--home")
	}
	for _, s := range o.Shares {
		if s.ReadOnly {
			flags = append(flags, "--share "+s.Path+":ro")
			break
		}
	}
	if o.UnshareNet {
		flags = append(flags, "--unshare-net")
	}
	if o.UnsharePID {
		flags = append(flags, "--unshare-pid")
	}
	if flags == nil {
		return nil
	}
	verb := "is"
	if len(flags) > 1 {
		verb = "are"
	}
	what := strings.Join(flags, ", ")
	return fault.WithExit(fault.WithHint(fmt.Errorf("%s %s not possible without isolation", what, verb),
		"leave out "+what+", or --isolation=none: without it paths are where they are"), fault.ExitUsage)
}

// directShell replaces Argv by a shell for a launch in place.
func (o *Options) directShell(l *launchRecord, built *build.Built) ([]string, []string, error) {
	env := l.environ(o.Environ)
	if !o.Shell {
		argv, err := l.Direct.Command(o.Argv, env, built.Dir)
		return argv, env, err
	}
	for _, shell := range o.shells() {
		if !l.Direct.Has(shell) {
			continue
		}
		argv, err := l.Direct.Command(append([]string{shell}, o.Argv[1:]...), env, built.Dir)
		return argv, env, err
	}
	return nil, nil, fault.WithExit(fault.WithHint(errors.New("the runtime has no shell"),
		"start a program by its name instead of --shell"), fault.ExitNotFound)
}

// privateHome is the outside path of --home.
func (o *Options) privateHome() (string, error) {
	if o.Home == "" {
		return "", nil
	}
	if st, err := os.Stat(o.Home); err == nil && !st.IsDir() {
		return "", fault.WithExit(fault.WithHint(fmt.Errorf("--home %s: not a directory", o.Home), "name a directory, or one to be made"), fault.ExitUsage)
	}
	return o.Home, nil
}
