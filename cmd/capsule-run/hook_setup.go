package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook"
	"github.com/capsule-run/capsule-run/hook/ask"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/hook/serve"
	"github.com/capsule-run/capsule-run/hook/setup"
	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/run"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// Directories of hooks.d files. Podman 4.3 reads the first without being told, with and without root; CRI-O reads
// /etc/containers/oci/hooks.d too, Podman only where containers.conf lists it.
const (
	systemHooks = "/usr/share/containers/oci/hooks.d"
	userHooks   = "containers/oci/hooks.d" // below XDG_CONFIG_HOME
)

type hookFlags struct {
	hook.Options
	root, user bool
	dir, when  string
}

func (f *hookFlags) add(c *cobra.Command) *cobra.Command {
	verbose := false
	serve.Flags(c.Flags(), &f.Options, &verbose)
	_ = c.Flags().MarkHidden("verbose")
	f.Version = run.Version
	f.Verbose = func(string, ...any) {}
	c.Flags().StringVar(&f.Stage, "stage", hook.CreateRuntime, "`STAGE` at which the engine calls the hook")
	among(c, "stage", hook.Stages...)
	among(c, "mode", config.ModeRequired, config.ModeOptional)
	among(c, "gpu", "all")
	directories(c, "host", "cache")
	return c
}

// program is what engines are to start: capsule-hook beside this program, or this program.
func program() (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", fmt.Errorf("find my own path: %w", err)
	}
	if small := filepath.Join(filepath.Dir(self), serve.Name); unix.Access(small, unix.X_OK) == nil {
		return small, nil
	}
	return self, nil
}

// rootsOwn refuses a program that root's engines are to run and others can change.
func rootsOwn(program string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	err := trust.Check(program, trust.Machine)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it may yet be installed
	}
	if err != nil {
		hint := "install capsule-run where root alone can write to it and to the directories above, as a package does"
		if repair := fault.Hint(err); repair != "" { // Debian up to 11 gives /usr/local to a group
			hint = repair + ", or " + hint
		}
		return fault.WithHint(fmt.Errorf("others than root can change %s, which root is to run: %w", program, err), hint)
	}
	return nil
}

// check refuses now what the hook would refuse at every container.
func (f *hookFlags) check() error {
	if !slices.Contains(hook.Stages, f.Stage) {
		return usage(fmt.Sprintf("--stage: unknown stage %q", f.Stage), "it is "+strings.Join(hook.Stages, ", "))
	}
	if !slices.Contains([]string{"", config.ModeRequired, config.ModeOptional}, f.Mode) {
		return usage(fmt.Sprintf("--mode: unknown mode %q", f.Mode), "it is "+config.ModeRequired+" or "+config.ModeOptional)
	}
	if _, err := ask.Decide(ask.Input{Entry: f.GPU}); err != nil {
		return usage(fmt.Sprintf("--gpu: %q is no list of GPUs", f.GPU), fault.Hint(err))
	}
	return nil
}

// entry is the call that is written down.
func (f *hookFlags) entry() (setup.Entry, error) {
	if err := f.check(); err != nil {
		return setup.Entry{}, err
	}
	self, err := program()
	if err != nil {
		return setup.Entry{}, err
	}
	if err := rootsOwn(self); err != nil {
		return setup.Entry{}, err
	}
	for _, p := range []*string{&f.Host, &f.Config, &f.Cache} {
		if *p != "" {
			if *p, err = filepath.Abs(*p); err != nil {
				return setup.Entry{}, err
			}
		}
	}
	if f.Config != "" { // before a container is refused because of it
		if _, err := config.LoadSystem(f.Config, true); err != nil {
			return setup.Entry{}, err
		}
	}
	return setup.Entry{Binary: self, Stage: f.Stage, GPU: f.GPU, Mode: f.Mode, Host: f.Host, Config: f.Config, Cache: f.Cache,
		NoDevices: f.NoDevices}, nil
}

// hooksDir is where the file goes, and whether it is the user's own place.
func (f *hookFlags) hooksDir() (dir string, user bool, err error) {
	if f.root && f.user {
		return "", false, usage("--root and --user exclude each other", "--root is for all users, --user for one's own Podman")
	}
	user = f.user || !f.root && os.Geteuid() != 0
	switch {
	case f.dir != "":
		dir, err = filepath.Abs(f.dir)
	case user:
		if dir, err = os.UserConfigDir(); err != nil {
			return "", false, fault.WithHint(err, "set HOME, or name a directory with --dir")
		}
		dir = filepath.Join(dir, userHooks)
	default:
		dir = systemHooks
	}
	return dir, user, err
}

// forEverybody lets all users read the directories that root makes from now on. Podman gives up every container of a user who may
// not read a directory of hooks, and root's umask may be 077.
func forEverybody() {
	if os.Geteuid() == 0 {
		unix.Umask(0o022)
	}
}

func hookInstallCommand() *cobra.Command {
	f := &hookFlags{}
	c := &cobra.Command{
		Use:               "install [flags]",
		Short:             "Let Podman call the hook, by a file of a hooks.d directory",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, user, err := f.hooksDir()
			if err != nil {
				return err
			}
			if user && f.Cache == "" { // the hook has no environment that would tell it whose home to use
				cache, err := os.UserCacheDir()
				if err != nil {
					return fault.WithHint(err, "set HOME, or name a directory with --cache")
				}
				f.Cache = filepath.Join(cache, "capsule-run")
			}
			e, err := f.entry()
			if err != nil {
				return err
			}
			text, err := e.File(f.when)
			if err != nil {
				return usage(err.Error(), "capsule-run hook install --help lists the flags")
			}
			if !user {
				forEverybody()
			}
			if err := setup.Install(dir, text); err != nil {
				return placeError(err)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "wrote %s\n", filepath.Join(dir, setup.FileName))
			if dir != systemHooks {
				fmt.Fprintf(out, "Podman reads that directory where containers.conf names it (%s):\n", confFile(user))
				fmt.Fprintf(out, "  [engine]\n  hooks_dir = [%q, %q]\n", systemHooks, dir)
			}
			asking := ""
			if f.when == setup.WhenAnnotation {
				asking = "--annotation " + ask.Annotation + "=" + ask.All + " "
			}
			fmt.Fprintf(out, "try it: podman run --rm %sIMAGE COMMAND\n", asking)
			return nil
		},
	}
	f.add(c)
	c.Flags().StringVar(&f.when, "when", setup.WhenAnnotation,
		"call the hook for containers with an annotation "+ask.Annotation+" (`annotation`), or always")
	among(c, "when", setup.WhenAnnotation, setup.WhenAlways)
	f.places(c)
	return c
}

// placeError leads who may not write to all users' directory to one's own.
func placeError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fault.WithHint(err, "run it as root, or use --user")
	}
	return err
}

func confFile(user bool) string {
	if user {
		return "~/.config/containers/containers.conf"
	}
	return "/etc/containers/containers.conf"
}

func (f *hookFlags) places(c *cobra.Command) {
	c.Flags().BoolVar(&f.root, "root", false, "for all users: "+systemHooks+" (default as root)")
	c.Flags().BoolVar(&f.user, "user", false, "for this user's Podman: ~/.config/"+userHooks+" (default otherwise)")
	c.Flags().StringVar(&f.dir, "dir", "", "another hooks `DIR`, such as /etc/containers/oci/hooks.d")
	directories(c, "dir")
}

func hookUninstallCommand() *cobra.Command {
	f := &hookFlags{}
	c := &cobra.Command{
		Use:               "uninstall [flags]",
		Short:             "Take back what hook install wrote",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _, err := f.hooksDir()
			if err != nil {
				return err
			}
			removed, err := setup.Uninstall(dir)
			if err != nil {
				return placeError(err)
			}
			word := "there was no"
			if removed {
				word = "removed"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", word, filepath.Join(dir, setup.FileName))
			return nil
		},
	}
	f.places(c)
	return c
}

func hookInjectCommand() *cobra.Command {
	f := &hookFlags{}
	c := &cobra.Command{
		Use:   "inject [flags] CONFIG.JSON",
		Short: "Enter the hook into a bundle's configuration, for runc and crun",
		Long: "inject adds the hook, the variables that the plan for the bundle's root needs, and the GPUs' device nodes.\n" +
			"What it does not know stays as it is; a second time changes nothing.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(fmt.Sprintf("inject takes one file, and got %s", cmp.Or(strings.Join(args, " "), "none")), oci.HintConfig)
			}
			if f.GPU == "" {
				f.GPU = ask.All
			}
			e, err := f.entry()
			if err != nil {
				return err
			}
			env, devices, err := hook.Needs(&f.Options, args[0])
			if err != nil {
				return err
			}
			if f.NoDevices {
				devices = nil
			}
			changed, err := setup.Inject(args[0], setup.Edits{Entry: e, Env: env, Devices: devices})
			if err != nil {
				return err
			}
			word := "left as it was"
			if changed {
				word = "edited"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], word)
			return nil
		},
	}
	return f.add(c)
}
