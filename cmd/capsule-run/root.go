package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/internal/run"
)

// exitSetup is the status when a command was to be run and capsule-run itself failed, be it for a mistyped flag, as
// env(1) and timeout(1) have it: it must not be mistaken for the game's.
const exitSetup = 125

// launches marks other commands that run one.
const launches = "launches"

// flags of the command line, before a configuration file fills the gaps.
type flags struct {
	runtime, host, config, mountAPI, isolation string
	game                                       string // the command, or Steam's number of a game
	libraries, binds, setenv, boundaries       []string
	verbose, json                              bool
	desktop                                    desktopFlags
	steam                                      bool // called by the Steam client
}

// more are commands that a build tag adds.
var more []func(*flags) *cobra.Command

// execute runs the command line and returns the exit status.
func execute(args []string) int {
	status := 0
	f := &flags{}
	root := rootCommand(f, &status)
	root.AddCommand(planCommand(f), inspectCommand(f), cdiCommand(f), buildCommand(f), versionCommand(f), runtimeCommand(f), steamCommand(f, &status), doctorCommand(f, &status), hookCommands())
	root.SetHelpCommand(helpCommand())
	for _, c := range more {
		root.AddCommand(c(f))
	}
	addCommon(root, f)
	completion(root)
	if isCompletion(args) {
		plain(root)
	}
	root.SetArgs(args)
	out := &output{to: os.Stdout}
	root.SetOut(out)
	cmd, err := root.ExecuteC()
	if err == nil {
		err = out.err
	}
	if err == nil {
		return status
	}
	report(os.Stderr, err)
	code := fault.ExitCode(err)
	if (cmd == root || cmd.Annotations[launches] != "") && (code == fault.ExitFailure || code == fault.ExitUsage) {
		return exitSetup
	}
	return code
}

// noArgs is for the subcommands.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Sprintf("%s takes no argument, and got %q", cmd.CommandPath(), args[0]),
			cmd.CommandPath()+" --help lists the flags")
	}
	return nil
}

const example = `  capsule-run --runtime ./debian11-runtime -- /usr/games/neverball
  capsule-run --runtime ./sniper --bind ./saves:/saves -- ./game --fullscreen
  capsule-run plan --runtime ./debian11-runtime`

func rootCommand(f *flags, status *int) *cobra.Command {
	bare := false
	c := &cobra.Command{
		Use:           "capsule-run [flags] -- COMMAND [ARG…]",
		Short:         "Run a program in a runtime of its own, on the host's GPU driver",
		Long:          "capsule-run runs COMMAND in the file tree of --runtime, with the host's GPU stack\nand the runtime's own libraries: nothing of the runtime is replaced, and there is one libc.",
		Example:       example,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && cmd.Flags().NFlag() == 0 {
				return cmd.Help()
			}
			if len(args) > 0 {
				f.game = args[0]
			}
			o, err := f.options()
			if err != nil {
				return err
			}
			start := run.Run
			if bare {
				start = run.Bare
			}
			if len(args) == 0 && !o.Shell {
				return usage("no command given", "put the program after --, as in: capsule-run --runtime DIR -- ./game")
			}
			if o.Argv = args; o.Shell { // whose name is not known yet
				o.Argv = append([]string{"sh"}, args...)
			}
			*status, err = start(o)
			o.Done()
			if err != nil && o.Runtime == "" && len(args) > 0 && cmd.ArgsLenAtDash() < 0 { // perhaps no program was meant
				err = fault.WithExit(fault.WithHint(err, mistyped(cmd, args[0], fault.Hint(err))), fault.ExitCode(err))
			}
			return err
		},
	}
	// What follows the command belongs to it: capsule-run --runtime R ./game --fullscreen.
	c.Flags().SetInterspersed(false)
	c.SetFlagErrorFunc(flagError)
	c.CompletionOptions.HiddenDefaultCmd = true
	c.Flags().StringArrayVar(&f.binds, "bind", nil, "show a path of the host: `SRC[:DST[:ro|rw]]`; may be repeated")
	c.Flags().StringArrayVar(&f.setenv, "setenv", nil, "set `NAME=VALUE` for the program; may be repeated")
	f.desktop.add(c)
	c.Flags().StringVar(&f.mountAPI, "mount-api", "auto", "kernel interface for mounts: auto, new or old")
	_ = c.Flags().MarkHidden("mount-api") // for finding kernel faults
	among(c, "setenv")
	c.Flags().BoolVar(&bare, "bare", false, "run the program in the host's tree, without a capsule")
	_ = c.Flags().MarkHidden("bare") // for the doctor
	c.Version = run.Version
	c.SetVersionTemplate("capsule-run {{.Version}}\n")
	c.InitDefaultVersionFlag()
	_ = c.Flags().MarkHidden("version") // the command of that name is in the help
	return c
}

// helpCommand is Cobra's, which would take a line of a help that is to fit a screen: `capsule-run help plan`.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "manual [COMMAND]",
		Aliases:           []string{"help"},
		Short:             "Help about any command",
		Hidden:            true,
		ValidArgsFunction: commandNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || about == cmd.Root() && len(rest) > 0 {
				return usage(fmt.Sprintf("there is no command %q", args[0]), mistyped(cmd.Root(), args[0], "capsule-run --help lists them"))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func usage(message, hint string) error {
	return fault.WithExit(fault.WithHint(errors.New(message), hint), fault.ExitUsage)
}

// options merges flags, configuration files and environment, in this order of precedence.
func (f *flags) options() (*run.Options, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("working directory: %w", err), "change to a directory that exists")
	}
	c, err := f.configuration(cwd)
	if err != nil {
		return nil, err
	}
	o := &run.Options{
		Runtime:   steamNamed(cmp.Or(f.runtime, c.Runtime)),
		Host:      cmp.Or(f.host, c.Host, "/"),
		Libraries: append(c.Libraries, f.libraries...),
		Environ:   f.environ(),
		Cwd:       cwd,
	}
	if o.Boundary, err = boundaries(c, f.boundaries); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Setenv)) { // sorted, for the build cache's key depends on the order
		if value := c.Setenv[name]; name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, usage(fmt.Sprintf("%s: setenv: %q cannot be the name of a variable, or has NUL in its value", c.From("setenv."+name), name),
				"write it as NAME = \"VALUE\" below [setenv]")
		}
		o.Environ = setenv(o.Environ, name, c.Setenv[name])
	}
	for _, s := range f.setenv {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, usage(fmt.Sprintf("--setenv %q is not NAME=VALUE", s), "write it as --setenv NAME=VALUE")
		}
		o.Environ = setenv(o.Environ, name, value)
	}
	for i, b := range append(c.Bind, f.binds...) {
		bind, err := parseBind(b, cwd)
		if err != nil {
			from := ""
			if i < len(c.Bind) {
				from = in(c.From("bind"))
			}
			return nil, usage(from+err.Error(), "write it as --bind SRC[:DST[:ro|rw]]")
		}
		o.Binds = append(o.Binds, bind)
	}
	if o.Desktop, err = f.desktop.options(c, cwd); err != nil {
		return nil, err
	}
	o.Isolation = cmp.Or(f.isolation, c.Isolation, run.IsolationAuto)
	if !slices.Contains([]string{run.IsolationUserNS, run.IsolationNone, run.IsolationAuto}, o.Isolation) {
		from := ""
		if f.isolation == "" {
			from = in(c.From("isolation"))
		}
		return nil, usage(fmt.Sprintf("%sunknown isolation %q", from, o.Isolation), "it is userns, none or auto")
	}
	if o.MountAPI, err = mountAPI(f.mountAPI); err != nil {
		return nil, err
	}
	if f.verbose {
		o.Verbose = func(format string, args ...any) {
			fmt.Fprintln(os.Stderr, "capsule-run: "+fault.OneLine(fmt.Sprintf(format, args...)))
		}
	} else if isTerminal(os.Stderr) && os.Getenv("TERM") != "dumb" { // which cannot clear a line
		o.Progress = os.Stderr
	}
	return o, nil
}

func mountAPI(name string) (mount.API, error) {
	switch name {
	case "", "auto":
		return mount.Auto, nil
	case "new":
		return mount.New, nil
	case "old":
		return mount.Old, nil
	}
	return mount.Auto, usage(fmt.Sprintf("unknown mount interface %q", name), "it is auto, new or old")
}

// setenv replaces a variable or adds it.
func setenv(environ []string, name, value string) []string {
	out := environ[:0:0]
	for _, e := range environ {
		if !strings.HasPrefix(e, name+"=") {
			out = append(out, e)
		}
	}
	return append(out, name+"="+value)
}
