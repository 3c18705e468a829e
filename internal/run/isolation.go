package run

import (
	"fmt"
	"os"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/direct"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/launch"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// Isolation says what a program is started in.
const (
	// IsolationUserNS gives it a mount namespace, and a user namespace to whoever is not root: the runtime is its root.
	IsolationUserNS = "userns"
	// IsolationNone starts it where we are, by the runtime's ld.so.
	IsolationNone = "none"
	// IsolationAuto takes the first where the machine allows it.
	IsolationAuto = "auto"
)

// Differences of IsolationNone, for people.
var Differences = []string{
	"paths inside the program are the host's: the runtime gives libraries and programs, not /usr/share or /etc",
	"programs that the program starts run on the host's libraries, unless capsule-run starts them",
	"a library that the runtime lacks may be found on the host",
	"/proc/self/exe is the runtime's ld.so",
	"layers and drivers that lie in the runtime's /etc or /usr/share are not found",
	"--bind, --home, --share PATH:ro, --unshare-net and --unshare-pid are not possible",
}

// NoNamespaces begins the note that IsolationAuto goes on without them.
const NoNamespaces = "no namespaces here"

// fallBack says whether to try again without isolation, which it then notes and tells.
func (o *Options) fallBack(err error) bool {
	if o.Isolation != IsolationAuto || !launch.Forbidden(err) || o.needsIsolation() != nil {
		return false // where a wish takes namespaces, the error says what forbids them
	}
	o.Isolation = IsolationNone
	o.note(NoNamespaces+" (%v): going on as with --isolation=none", err)
	return true
}

func (o *Options) note(format string, args ...any) {
	fmt.Fprintln(os.Stderr, "capsule-run: note: "+fault.OneLine(fmt.Sprintf(format, args...)))
}

// inPlace specifies a launch without any mount.
func inPlace(o *Options, built *build.Built, l *launchRecord) (*launch.Spec, error) {
	if err := o.needsIsolation(); err != nil {
		return nil, err
	}
	l.move(built.Dir)
	argv, env, err := o.directShell(l, built)
	if err != nil {
		return nil, err
	}
	return &launch.Spec{Direct: true, Argv: argv, Env: env, Dir: o.Cwd, WaitChildren: o.WaitChildren}, nil
}

// move makes the environment name the build where the plan names what it mounts.
func (l *launchRecord) move(dir string) {
	for name, value := range l.Environment {
		l.Environment[name] = build.Moved(value, dir)
	}
	for i, p := range l.Path {
		l.Path[i] = build.Moved(p, dir)
	}
}

// directRuntime is what a launch in place needs of the runtime. Where libraries lead ld.so by absolute paths costs a look at
// each of them, so it is asked for such a launch alone.
func directRuntime(s *stages.Story, inPlace bool) direct.Runtime {
	r := direct.Runtime{Dir: s.Tree.Dir, Loaders: map[string]direct.Loader{}}
	for _, side := range s.Sides {
		t := side.Tree
		var minor int
		fmt.Sscanf(t.LibcVersion, "2.%d", &minor)
		libraries := t.LibraryPath()
		if inPlace {
			libraries = append(libraries, t.RunPaths()...)
		}
		r.Loaders[t.Arch.Name] = direct.Loader{Path: t.Root.HostPath(t.Loader), Argv0: minor >= 33, Libraries: libraries}
	}
	return r
}
