// Package serve is the hook as a program: what a container engine starts. It exists because two programs are it: the small
// capsule-hook, of which engines start a sealed copy for each container, and capsule-run itself, where that is all there
// is. Nothing of it reads the environment.
package serve

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/capsule-run/capsule-run/hook"
	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/hook/setup"
	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// Name is the hook's own name, by which it knows the calls that package setup writes down.
const Name = setup.Name

// Args returns the command line of a call by an engine without the program's name: of capsule-hook, or of `capsule-run hook`
// with a stage; else ok is false.
func Args(argv []string) (args []string, ok bool) {
	if len(argv) > 1 && argv[1] == "hook" {
		argv = argv[1:]
	} else if len(argv) == 0 || filepath.Base(argv[0]) != Name && !confine.IsSealed(argv[0]) {
		return nil, false
	}
	return argv[1:], len(argv) > 1 && slices.Contains(hook.Stages, argv[1])
}

// Flags defines those of a call.
func Flags(f *pflag.FlagSet, o *hook.Options, verbose *bool) {
	f.StringVar(&o.GPU, "gpu", "", "give the container `GPUS`, whatever it asks for: all, or names with commas between them")
	f.StringVar(&o.Mode, "mode", "", "`MODE` required, or optional: then the container may start without GPU")
	f.StringVar(&o.Host, "host", "", "root `DIR` of the host that has the GPU stack (default: the configuration's, or /)")
	f.StringVar(&o.Config, "config", "", "the administrator's configuration `FILE` (default "+config.SystemFile+")")
	f.StringVar(&o.Cache, "cache", "", "keep what is generated below `DIR` (default "+hook.SystemCache+", or the user's cache)")
	f.BoolVar(&o.NoDevices, "no-devices", false, "bring no device nodes: the engine has done that, by CDI")
	f.BoolVar(verbose, "verbose", false, "tell each stage on standard error")
}

// Main is the whole life of a process that an engine started; it returns the exit status. args are those of Args.
func Main(args []string, version string) int {
	o := &hook.Options{State: os.Stdin, Version: version}
	var err error
	if o.Identity, err = confine.Seal(append([]string{Name}, args...)); err != nil {
		report(os.Stderr, err)
		o.Log(err)
		return fault.ExitFailure
	}
	verbose := false
	o.Verbose = func(format string, args ...any) {
		if verbose {
			fmt.Fprintln(os.Stderr, "capsule-run: "+fault.OneLine(fmt.Sprintf(format, args...)))
		}
	}
	f := pflag.NewFlagSet(Name, pflag.ContinueOnError)
	f.SetOutput(os.Stderr)
	Flags(f, o, &verbose)
	if err = parse(f, args, o); err == nil {
		err = run(o)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, pflag.ErrHelp):
		return 0
	}
	report(os.Stderr, err)
	o.Log(err)
	if o.Optional() {
		fmt.Fprintln(os.Stderr, "capsule-run: warning: the container starts without GPU")
		return 0
	}
	return fault.ExitFailure
}

func parse(f *pflag.FlagSet, args []string, o *hook.Options) error {
	err := f.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case err == nil && (f.NArg() != 1 || !slices.Contains(hook.Stages, f.Arg(0))):
		err = fmt.Errorf("%q is no stage", f.Args())
	case err == nil && !slices.Contains([]string{"", config.ModeRequired, config.ModeOptional}, o.Mode):
		err = fmt.Errorf("unknown mode %q", o.Mode)
	}
	if err != nil {
		return fault.WithHint(fmt.Errorf("the hook's entry: %w", err), "write it again with: capsule-run hook install, or hook inject")
	}
	o.Stage = f.Arg(0)
	return nil
}

// run makes a fault of ours an error like others: an engine shows one line better than a stack.
func run(o *hook.Options) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in the hook: %v", p)
		}
	}()
	return hook.Run(o)
}

func report(w io.Writer, err error) { fmt.Fprint(w, fault.Text(err)) }
