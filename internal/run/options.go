package run

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/layout"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/runtimes"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// Options are the user's wishes, from flags, a configuration file and the environment.
type Options struct {
	Runtime   string // what the user calls the runtime; once it is unpacked, its directory
	Host      string // root of the host, "/" by default
	Boundary  capsule.Boundaries
	Libraries []string
	Binds     []layout.Bind
	Environ   []string // of the program, --setenv applied
	Cwd       string
	Argv      []string
	MountAPI  mount.API
	Isolation string // IsolationAuto, IsolationUserNS or IsolationNone
	Desktop

	Verbose  func(format string, args ...any) // nil: silent
	Progress *os.File                         // a terminal that shows what takes long; nil: none
	showing  bool
	told     bool           // of drivers that are left out
	held     *runtimes.Held // the runtime's file tree, unpacked
	kept     *private.Cache // found
	toldKept bool           // that it is not the user's own
}

var errNoRuntime = fault.WithExit(fault.WithHint(errors.New("no runtime given"),
	"name a directory, an archive or an image with --runtime, or with runtime = \"…\" in a configuration file"), fault.ExitUsage)

func (o *Options) verbose(format string, args ...any) {
	if o.Verbose != nil {
		o.Verbose(format, args...)
	}
}

// Tell says what was done, to who asked by --verbose.
func (o *Options) Tell(format string, args ...any) { o.verbose(format, args...) }

// Show tells what is being done, as the stages do.
func (o *Options) Show(format string, args ...any) { o.progress(format, args...) }

// progress tells of a stage, and shows it.
func (o *Options) progress(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	o.verbose("%s", text)
	o.show("capsule-run: " + text + " …")
}

// show puts one line on a terminal, which the next one replaces.
func (o *Options) show(text string) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, "\r\x1b[K%s", o.fitting(text, 0))
		o.showing = true
	}
}

// fitting cuts a text to what a line of the terminal has room for beside others, in columns: a line that is broken cannot
// be cleared again.
func (o *Options) fitting(text string, others int) string {
	letters := []rune(fault.OneLine(text))
	room := max(o.columns()-1-others, len("capsule-run: "))
	if len(letters) > room {
		letters = append(letters[:room-1], '…')
	}
	return string(letters)
}

// columns of the terminal; 80 where it does not know.
func (o *Options) columns() int {
	size, err := unix.IoctlGetWinsize(int(o.Progress.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 80
	}
	return int(size.Col)
}

// wishes are the options that the shared stages know.
func (o *Options) wishes() *stages.Wishes {
	return &stages.Wishes{Version: Version, Boundary: o.Boundary, Libraries: o.Libraries, Getenv: o.Getenv,
		Progress: o.progress, Verbose: o.verbose}
}

// Done clears the progress line.
func (o *Options) Done() {
	if o.showing {
		fmt.Fprint(o.Progress, "\r\x1b[K")
		o.showing = false
	}
}

// Getenv reads the program's environment: of two values the first, as getenv(3) does.
func (o *Options) Getenv(name string) string {
	for _, e := range o.Environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// key names the request in the build cache: the trees, the options, the variables that discovery honours, and this
// very binary, since another one may generate other files.
func (o *Options) key() (string, error) {
	runtime, err := canonical(o.Runtime)
	if err != nil {
		return "", fmt.Errorf("runtime %s: %w", o.Runtime, err)
	}
	host, err := canonical(o.Host)
	if err != nil {
		return "", fmt.Errorf("host %s: %w", o.Host, err)
	}
	var self unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &self); err != nil {
		return "", fmt.Errorf("look at my own binary: %w", err)
	}
	parts := []string{Version, fmt.Sprint(self.Dev, self.Ino, self.Size, self.Mtim.Nano()), runtime, host, o.Boundary.All,
		fmt.Sprint(o.Isolation == IsolationNone)}
	for _, api := range slices.Sorted(maps.Keys(o.Boundary.ByAPI)) {
		parts = append(parts, api+"="+o.Boundary.ByAPI[api])
	}
	parts = append(parts, o.Libraries...)
	sources, err := o.sources()
	if err != nil {
		return "", err
	}
	for _, s := range sources {
		parts = append(parts, s.Name, string(s.Text))
	}
	for _, e := range o.Environ {
		if changesDiscovery(e, sources) {
			parts = append(parts, e)
		}
	}
	return build.Key(parts...), nil
}

// canonical names a directory without links, which may lead elsewhere the next time, and behind which ".." is not what
// it looks like. One that is not there keeps its name: what is wrong with it is told by whoever opens it.
func canonical(dir string) (string, error) {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return filepath.Abs(dir)
}

// sources reads the files of rules that the machine and the user have besides the embedded ones.
func (o *Options) sources() ([]configs.Source, error) {
	sources, err := configs.Sources(configs.MachineDir, configs.UserDir(o.Getenv))
	if err != nil {
		return nil, rulesError(err)
	}
	return sources, nil
}

// rules are all of them together.
func (o *Options) rules() (*configs.Rules, error) {
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	rules, err := configs.Merge(sources)
	if err != nil {
		return nil, rulesError(err)
	}
	return rules, nil
}

func rulesError(err error) error {
	return fault.WithExit(fault.Advise(err, "correct or remove the file; docs/rules.md says what it may have"), fault.ExitUsage)
}

// discoveryPrefixes start the names of the variables that discovery honours (package configs names them). A few more
// match, which costs a build that is not needed, while parsing the rules would cost each launch a millisecond.
var discoveryPrefixes = []string{"VK_", "__EGL_", "LIBGL_", "GBM_", "XDG_CONFIG_", "XDG_DATA_", "HOME=", "LIBVA_", "VDPAU_",
	"OCL_ICD_", "OPENCL_", "XR_", "DRIRC_"}

// changesDiscovery also takes whatever variable the text of further rules may mean.
func changesDiscovery(variable string, more []configs.Source) bool {
	for _, p := range discoveryPrefixes {
		if strings.HasPrefix(variable, p) {
			return true
		}
	}
	name, _, _ := strings.Cut(variable, "=")
	return name != "" && slices.ContainsFunc(more, func(s configs.Source) bool { return bytes.Contains(s.Text, []byte(name)) })
}

// Version of capsule-run; the Makefile sets it.
var Version = "0.1.0-dev"

func hostError(err error) error {
	return fault.WithHint(fmt.Errorf("host: %w", err), "--host takes the root directory of a file tree with a graphics driver; it is / by default")
}

// planError explains why there is no plan.
func planError(err error) error {
	if errors.Is(err, capsule.ErrBoundary) {
		return fault.WithHint(err, "use --boundary auto or frontend, which bring the host's loaders")
	}
	if errors.Is(err, capsule.ErrGroup) {
		return fault.WithExit(fault.WithHint(err, "give both the same --boundary, or name one of them only"), fault.ExitUsage)
	}
	if errors.Is(err, capsule.ErrNoAPI) {
		return fault.WithExit(fault.WithHint(err, "name the API as capsule-run plan does"), fault.ExitUsage)
	}
	if build.IsTooLarge(err) {
		return fault.WithHint(err, hintTooLarge)
	}
	if errors.Is(err, capsule.ErrRequested) {
		return fault.WithHint(err, "--library is for libraries that the program loads besides the C library, a middleware for example")
	}
	return err
}
